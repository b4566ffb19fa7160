"""What a search looks for. Imports no TensorFlow: commands check it before they do."""

import dataclasses

from common.errors import InputError
from common.validation import check_choice, check_integer
from pegasus.general import masks

MAX_CANDIDATES = 10**9  # months of work


@dataclasses.dataclass(frozen=True)
class Search:
    """A search for winged horses: of placed parents, see `pegasus.search`, or of a GAN, see `pictures.gan_search`.

    Args:
        candidates: number of pictures to draw and score.
        keep: number of pictures to keep, at most `candidates`.

    Raises:
        InputError: for a value out of range.
    """

    candidates: int
    keep: int = 64

    def __post_init__(self):
        check_integer("candidates", self.candidates, 1, MAX_CANDIDATES)
        check_integer("keep", self.keep, 1)
        if self.candidates < self.keep:
            raise InputError(
                f"--candidates must be at least --keep. Received: --candidates={self.candidates}, "
                f"--keep={self.keep}"
            )


@dataclasses.dataclass(frozen=True)
class MaskSearch(Search):
    """A search for blends of any two classes with masks, see `pegasus.general.search`.

    Args:
        candidates, keep: see `Search`.
        mask: kind of mask, of `pegasus.general.masks.KINDS`; None draws from all kinds.
    """

    mask: str | None = None

    def __post_init__(self):
        super().__post_init__()
        check_choice("mask", self.mask, (None, *masks.KINDS))
