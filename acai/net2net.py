"""Initialises an ACAI with the weights of a smaller one, so that it computes the same pictures with more channels.

Net2WiderNet (Chen, Goodfellow and Shlens 2016, arXiv 1511.05641): each hidden channel becomes several copies. The
weights that read it are divided among the copies in random shares, so that training can tell the copies apart. New
latent channels keep the encoder's initial weights, and the decoder reads them with weights of 0 at first.
"""

import numpy as np

from common.errors import InputError

NETWORKS = ("encoder", "decoder", "critic")  # those whose weights are copied
SHARES = (0.5, 1.5)  # range of the copies' shares before they are divided by their sum


def copy_widened(model, weights, source, seed=0):
    """Assigns the widened weights of a release to the networks of an ACAI and to their averages.

    Args:
        model: acai.model.ACAI, not trained yet.
        weights: {name: array} of the release, named as by `ACAI.release_state`.
        source: what an error message calls the release.
        seed: of the shares.

    Raises:
        InputError: when the release cannot be widened to the model, which is then unchanged.
    """
    state, widened = model.state(), {}
    for network in NETWORKS:
        names, received = ([n for n in held if n.startswith(f"{network}/")] for held in (state, weights))
        if names and received:
            if names != received:
                raise widening_error(network, f"{len(names)} arrays", len(received), source)
            initial = [np.asarray(state[name]) for name in names]
            arrays = widen(network, initial, [weights[name] for name in names], source, seed)
            widened |= zip(names, arrays, strict=True)
    for name, value in widened.items():
        state[name].assign(value)
        if f"trained_{name}" in state:
            state[f"trained_{name}"].assign(value)


def widen(network, initial, arrays, source="", seed=0):
    """Arrays with the shapes of `initial` that compute the same as `arrays`.

    Args:
        network: one of NETWORKS.
        initial: initial weights of the wider network in the order of its layers: kernels [h, w, in, out] and
            biases [out].
        arrays: weights of the narrower network in the same order.
        source, seed: see `copy_widened`.
    """
    random, kernels = np.random.default_rng(seed), [k for k, array in enumerate(initial) if array.ndim == 4]
    widened = []
    for k, (wide, array) in enumerate(zip(initial, arrays, strict=True)):
        reads_hidden, returns_hidden = k > kernels[0], k < kernels[-1] or network == "critic"
        if not can_widen(array.shape, wide.shape, reads_hidden, returns_hidden):
            raise widening_error(network, wide.shape, array.shape, source)
        array = np.asarray(array, np.float32)
        if array.ndim == 4:
            array = widen_inputs(array, wide.shape[2], random if reads_hidden else None)
        widened.append(widen_outputs(array, wide, returns_hidden))
    return widened


def can_widen(shape, wide_shape, reads_hidden, returns_hidden):
    """Whether a shape can be widened: only channels are added, and hidden channels are multiplied."""
    if len(wide_shape) != len(shape) or wide_shape[:-2] != shape[:-2]:
        return False
    hidden = (reads_hidden, returns_hidden)[-len(shape) :]  # a bias only has the last axis
    axes = zip(wide_shape[-2:], shape[-2:], hidden, strict=True)
    return all(wide >= narrow and not (is_hidden and wide % narrow) for wide, narrow, is_hidden in axes)


def widen_inputs(kernel, count, random):
    """Divides the weights of each input among its copies. Without `random` new inputs get weights of 0."""
    times = count // kernel.shape[2]
    if random is None:
        return np.pad(kernel, ((0, 0), (0, 0), (0, count - kernel.shape[2]), (0, 0)))
    shares = random.uniform(*SHARES, (times, kernel.shape[2], 1)).astype(np.float32)
    return np.concatenate([kernel * share for share in shares / shares.sum(axis=0)], axis=2)


def widen_outputs(array, initial, copies):
    """Appends copies of all outputs or, for latents, the new outputs of the initial array."""
    count = array.shape[-1]
    if copies:
        return np.concatenate([array] * (initial.shape[-1] // count), axis=-1)
    return np.concatenate([array, initial[..., count:]], axis=-1)


def widening_error(network, wanted, received, source):
    return InputError(
        f"--config.train.start_from must be an ACAI whose {network} can be widened to {wanted}. "
        f"Received: {source} with {received}"
    )
