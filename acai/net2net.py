"""An ACAI that begins with the weights of a smaller one: the same pictures, from more channels.

Net2WiderNet (Chen, Goodfellow and Shlens 2016, arXiv 1511.05641): a hidden channel becomes several copies of
itself, and what reads it is shared out among them, in uneven random shares, so that training tells them apart. New
channels of the code are read with weights of 0 at first; the encoder fills them as it was initialised to.
"""

import numpy as np

from common.errors import InputError

NETWORKS = ("encoder", "decoder", "critic")  # of a release, that are gone on with
SHARES = (0.5, 1.5)  # of the copies, before they are made to sum to 1


def begin_with(model, weights, source, seed=0):
    """Sets networks of an ACAI and their averages to widened ones of a release; others stay as they are.

    Args:
        model: acai.model.ACAI that has not been trained.
        weights: {name: array} of the release, as `ACAI.release_state` names them.
        source: what to call it in an error.
        seed: of the shares.

    Raises:
        InputError: where one cannot be made of the other by widening; nothing is changed then.
    """
    state, found = model.state(), {}
    for network in NETWORKS:
        own, theirs = ([n for n in names if n.startswith(f"{network}/")] for names in (state, weights))
        if own and theirs:
            if own != theirs:
                raise refused(network, f"{len(own)} arrays", len(theirs), source)
            wanted = [np.asarray(state[name]) for name in own]
            found |= zip(own, widen(network, wanted, [weights[n] for n in theirs], source, seed), strict=True)
    for name, value in found.items():
        state[name].assign(value)
        if f"trained_{name}" in state:
            state[f"trained_{name}"].assign(value)


def widen(network, wanted, arrays, source="", seed=0):
    """What has the shapes of `wanted` and computes what `arrays` do: kernels [h, w, in, out] and biases [out].

    Args:
        network: of NETWORKS.
        wanted: weights as they were initialised, in the order of the layers.
        arrays: those to widen.
        source, seed: see `begin_with`.
    """
    random, kernels = np.random.default_rng(seed), [k for k, array in enumerate(wanted) if array.ndim == 4]
    widened = []
    for k, (initial, array) in enumerate(zip(wanted, arrays, strict=True)):
        reads_hidden, gives_hidden = k > kernels[0], k < kernels[-1] or network == "critic"
        if not fits(initial.shape, array.shape, reads_hidden, gives_hidden):
            raise refused(network, initial.shape, array.shape, source)
        array = np.asarray(array, np.float32)
        if array.ndim == 4:
            array = more_inputs(array, initial.shape[2], random if reads_hidden else None)
        widened.append(more_outputs(array, initial, gives_hidden))
    return widened


def fits(wanted, received, reads_hidden, gives_hidden):
    """Whether shapes differ in channels only, of which more are wanted, of hidden ones a multiple."""
    if len(wanted) != len(received) or wanted[:-2] != received[:-2]:
        return False
    hidden = (reads_hidden, gives_hidden)[-len(wanted) :]  # a bias has but the last axis
    axes = zip(wanted[-2:], received[-2:], hidden, strict=True)
    return all(more >= few and not (inner and more % few) for more, few, inner in axes)


def more_inputs(kernel, count, random):
    """Shares the weights of each input out among its copies; without `random` what is new is read with 0."""
    times, new = count // kernel.shape[2], count - kernel.shape[2]
    if random is None:
        return np.pad(kernel, ((0, 0), (0, 0), (0, new), (0, 0)))
    shares = random.uniform(*SHARES, (times, kernel.shape[2], 1)).astype(np.float32)
    return np.concatenate([kernel * share for share in shares / shares.sum(axis=0)], axis=2)


def more_outputs(array, initial, copies):
    """Copies of all outputs or, of the code, the new ones as they were initialised."""
    count = array.shape[-1]
    if copies:
        return np.concatenate([array] * (initial.shape[-1] // count), axis=-1)
    return np.concatenate([array, initial[..., count:]], axis=-1)


def refused(network, wanted, received, source):
    return InputError(
        f"--config.train.start_from is required to be an ACAI whose {network} can be widened to {wanted}. "
        f"Received: {source} with {received}"
    )
