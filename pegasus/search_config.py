"""What a search for blends looks for. Imports no TensorFlow: commands check it before they do."""

import dataclasses

from common.errors import InputError
from common.validation import check_choice, check_integer, check_number, check_text
from pegasus import masks

DEFAULT_TERM_WEIGHTS = {  # see pegasus.scores
    "recognised": 1.0,
    "above": 0.0,
    "wings": 0.0,
    "realism": 0.5,
    "critic": 0.0,
    "sharpness": 0.2,
    "typical": 0.2,
    "unlike": 0.5,
    "together": 2.0,
}
MAX_TERM_WEIGHT = 1000


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """A search: draw candidates, score them, keep the best and refine their latents.

    Args:
        candidates: number of blends to draw and score.
        keep: number of blends to keep, at most `candidates`.
        refine: steps of gradient ascent on the latents of the kept blends; 0 leaves them as they were blended.
        mask: kind of mask, of `pegasus.masks.KINDS`; None draws from all kinds.
        lower_first: pixels by which first parents are moved down, which makes room above them.
        first_like, second_like: comma-separated traits by which parents are chosen: classes, or "light" for
            bright in the middle. None: no trait.
        term_weights: {term: weight in the score}, with a weight for each term of DEFAULT_TERM_WEIGHTS.

    Raises:
        InputError: for a value out of range.
    """

    candidates: int
    keep: int = 64
    refine: int = 0
    mask: str | None = None
    lower_first: int = 0
    first_like: str | None = None
    second_like: str | None = None
    term_weights: dict = dataclasses.field(default_factory=lambda: dict(DEFAULT_TERM_WEIGHTS))

    def __post_init__(self):
        check_integer("candidates", self.candidates, 1)
        check_integer("keep", self.keep, 1)
        check_integer("refine", self.refine, 0)
        check_choice("mask", self.mask, (None, *masks.KINDS))
        check_integer("lower_first", self.lower_first, 0, masks.MAX_LOWERING)
        check_text("first_like", self.first_like, optional=True)
        check_text("second_like", self.second_like, optional=True)
        if not isinstance(self.term_weights, dict) or self.term_weights.keys() != DEFAULT_TERM_WEIGHTS.keys():
            raise InputError(f"A search's term_weights must be of the terms {', '.join(DEFAULT_TERM_WEIGHTS)}.")
        for term, weight in self.term_weights.items():
            check_number(f"{term}_weight", weight, -MAX_TERM_WEIGHT, MAX_TERM_WEIGHT)
        if self.candidates < self.keep:
            raise InputError(
                f"--candidates must be at least --keep. Received: --candidates={self.candidates}, "
                f"--keep={self.keep}"
            )

    def check_classes(self, class_names):
        """Raises InputError unless the search classifiers know every class that parents shall be like."""
        known = (masks.LIGHT, *class_names)
        for name in ("first_like", "second_like"):
            value = getattr(self, name)
            if not set(masks.split_traits(value)) <= {*known}:
                raise InputError(
                    f"--{name} must be one or more of {', '.join(known)}, separated by commas. Received: {value}"
                )
