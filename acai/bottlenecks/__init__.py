"""Bottlenecks: what stands between encoder and decoder.

The paper (Berthelot et al., arXiv 1807.07543, section 4) compares ACAI with five autoencoders that differ only in
their bottleneck. Each is a class here, and `ACAI` trains all of them with the same step. Each has one parameter,
its `strength`. The docstrings name the value in the official code (brain-research/acai: `dropout.py`,
`denoising.py`, `vae.py`, `aae.py`, `vqvae.py`), which was read there and not checked against the paper.

`encoded` [B, h, w, channels] are the encoder's outputs, `prepared` what `prepare` makes of them (the same, but for
`ProjectedQuantised`), and `latents` [B, h, w, c] the decoder's inputs. Seeds are int64 [2], for stateless random
numbers. After training, encoding and decoding are not random.
"""

from acai.bottlenecks.base import Bottleneck
from acai.bottlenecks.continuous import Adversarial, Denoising, Dropout, Variational
from acai.bottlenecks.discrete import ProjectedQuantised, Quantised

KINDS = {
    "plain": Bottleneck,
    "dropout": Dropout,
    "denoising": Denoising,
    "vae": Variational,
    "aae": Adversarial,
    "vqvae": Quantised,
    "projected_vqvae": ProjectedQuantised,
}


def make_bottleneck(kind, *arguments):
    """A bottleneck by its key in KINDS; `arguments` are those of `Bottleneck`. ValueError for another key."""
    if kind not in KINDS:
        raise ValueError(f"bottleneck must be one of {', '.join(KINDS)}. Received: {kind!r}.")
    return KINDS[kind](*arguments)
