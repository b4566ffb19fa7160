"""Requests: what one call of generate.py shall make, as frozen dataclasses, one for each action.

A request is checked when it is constructed. Its fields are plain values that the manifest stores.
"""

import dataclasses
import typing

from common.errors import InputError
from pegasus.search_config import Search
from pictures.request_checks import CHECKS, check_count, check_effects

MAX_PIXEL_CELLS = 2**17  # bounds the number of pictures times their squared enlargement
DEFAULT_STRIPS, DEFAULT_DIAGRAMS = 8, 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What all requests have: a source, which is a bundled model's name, a run directory or a release folder."""

    action: typing.ClassVar[str]
    source: str = "pegasus"

    def __post_init__(self):
        for field in dataclasses.fields(self):
            CHECKS[field.name](field.name, getattr(self, field.name))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PictureRequest(Request):
    """A request whose pictures are written with a manifest.

    Args:
        count: number of pictures, strips or diagrams.
        seed: picture k depends on `seed` and k, and not on `count`.
        scale: factor of enlargement.
        resample: how pictures are enlarged, a key of `common.images.RESAMPLING`.
    """

    count: int = 64
    seed: int = 0
    scale: int = 4
    resample: str = "bicubic"

    def __post_init__(self):
        super().__post_init__()
        check_count(self)
        cells = self.count * self.cells_per_picture()
        limit = MAX_PIXEL_CELLS // max(4, self.scale) ** 2
        if cells > limit:
            raise InputError(
                f"--count times --strip must be at most {limit} with --scale={self.scale}. Received: {cells}"
            )

    def cells_per_picture(self):
        return 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairRequest(PictureRequest):
    """A picture between two endpoints.

    Args:
        mix: share of the second endpoint, in [0, 1].
        strip: number of pictures on the path of each pair, both endpoints included; 0: no strips.
    """

    mix: float = 0.5
    strip: int = 0

    def __post_init__(self):
        super().__post_init__()
        if self.strip == 1:
            raise InputError("--strip must be 0 or at least 2. Received: 1")

    def cells_per_picture(self):
        return max(1, self.strip)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blend(PairRequest):
    """ACAI: blends of two classes.

    Args:
        first, second: classes of the parents; None: see `pictures.parent_classes.choose_classes`.
        path: how latents are interpolated, of PATHS.
        mask: where the second parent weighs more, of `pegasus.general.masks.KINDS`; None: the same mix everywhere.
        first_image, second_image: picture files to blend instead of images in the latent bank.
        first_placement, second_placement: where these are placed before they are encoded, see
            `pegasus.placement.parse_placement`. With one of them or a `second_mask`, the second image is blended
            in only where it covers the first.
        second_mask: picture file that is white where the second image covers the first; it is placed like that
            image. None: the second image's foreground above the back line of the first image's.
        search: what to keep of many candidates; None: no search. A search draws its own mixes and masks.
    """

    action = "blend"
    first: str | None = None
    second: str | None = None
    path: str = "slerp"
    mask: str | None = None
    first_image: str | None = None
    second_image: str | None = None
    first_placement: str | None = None
    second_placement: str | None = None
    second_mask: str | None = None
    search: Search | None = None

    def __post_init__(self):
        super().__post_init__()
        images = [name for name in ("first_image", "second_image") if getattr(self, name) is not None]
        if len(images) == 1:
            raise InputError(f"--first_image and --second_image must be given together. Received: --{images[0]}")
        if images and self.count != 1:
            raise InputError(f"--first_image makes one picture: --count must be 1. Received: {self.count}")
        if placing := self.placing_fields():
            if not images or self.path != "slerp" or self.mix != PairRequest.mix:
                raise InputError(
                    f"--{placing[0]} needs --first_image and --second_image and cannot be combined with --path "
                    "or --mix."
                )
        if not self.mask and not self.search:
            return
        flag = "--candidates" if self.search else "--mask"
        if self.path != "slerp" or images:
            other = "--first_image" if images else f"--path={self.path}"
            raise InputError(f"{flag} cannot be combined with {other}: it blends latents of the bank by slerp.")
        if self.search and self.mix != PairRequest.mix:
            raise InputError(f"{flag} cannot be combined with --mix={self.mix}: a search draws its own mixes.")
        if self.search and self.mask:
            raise InputError("The mask of a search must be a field of the search. Received: one of the request")
        if not 0 < self.mix < 1:
            raise InputError(f"--mix must be above 0 and below 1 with --mask. Received: {self.mix}")

    def placing_fields(self):
        """Names of the fields that place the second image on the first and have a value."""
        names = ("first_placement", "second_placement", "second_mask")
        return [name for name in names if getattr(self, name) is not None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlendClasses(PairRequest):
    """GAN: the same noise on the way from one class to another; classes as of `Blend`."""

    action = "blend"
    first: str | None = None
    second: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstruct(PictureRequest):
    """ACAI: images of both classes, encoded and decoded."""

    action = "reconstruct"
    first: str | None = None
    second: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class InterpolateNoise(PictureRequest):
    """GAN: strips or diagrams between noises.

    Args:
        first: class of all pictures; None: each class in turn.
        strip: length of a strip, or of a diagram's side.
        layout: of LAYOUTS.
    """

    action = "interpolate"
    count: int = DEFAULT_STRIPS
    first: str | None = None
    strip: int = 9
    layout: str = "strip"

    def __post_init__(self):
        super().__post_init__()
        if self.strip < 2:
            raise InputError(f"--strip must be at least 2 with --interpolate. Received: {self.strip}")
        if self.layout == "mine" and (self.strip < 3 or self.strip % 2 == 0):
            raise InputError(f"--strip must be odd and at least 3 with --layout=mine. Received: {self.strip}")

    def cells_per_picture(self):
        return self.strip if self.layout == "strip" else self.strip**2

    def anchors(self):
        """(anchors along a diagram's side, steps from one to the next): corners, or every second cell."""
        return (2, self.strip - 1) if self.layout == "j" else ((self.strip + 1) // 2, 2)

    def endpoints_per_picture(self):
        """Number of latents or noises that a strip or diagram is made of."""
        side, _ = self.anchors()
        return {"strip": 2, "j": 3, "mine": side * side}[self.layout]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interpolate(InterpolateNoise):
    """ACAI: strips or diagrams between images of any of two classes.

    Args:
        first, second: the classes; None: as of `Blend`.
        path: how latents are interpolated, of PATHS; diagrams cannot be cross-fades.
    """

    second: str | None = None
    path: str = "slerp"

    def __post_init__(self):
        super().__post_init__()
        if self.layout != "strip" and self.path == "pixel":
            raise InputError(f"--layout={self.layout} cannot be combined with --path=pixel.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleNoise(PictureRequest):
    """GAN: pictures of random noise.

    Args:
        first: class of all pictures; None: each class in turn.
        search: what to keep of many candidates, the most like winged horses; None: no search.
        latents: a file of noises, see `pictures.latents.read`; None: they are drawn.
    """

    action = "sample"
    first: str | None = None
    search: Search | None = None
    latents: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample(PictureRequest):
    """ACAI: decoded draws from a Gaussian kernel density estimate over the latents of both classes.

    Args:
        bandwidth: width of a kernel in standard deviations of the latents.
        latents: a file of latents, see `pictures.latents.read`, to decode instead of draws.
    """

    action = "sample"
    first: str | None = None
    second: str | None = None
    bandwidth: float = 0.3
    latents: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explore(Request):
    """ACAI: a page of HTML that blends any two images of two classes."""

    action = "explore"
    first: str | None = None
    second: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Diagram(Request):
    """A drawing of the networks and their losses."""

    action = "diagram"


REQUESTS = {  # {family: classes}
    "acai": (Blend, Reconstruct, Interpolate, Sample, Explore, Diagram),
    "gan": (BlendClasses, InterpolateNoise, SampleNoise, Diagram),
    "classifier": (Diagram,),
    "wing_classifier": (Diagram,),
}


def request_class(family, action, source):
    """The class of requests for an action with a model of a family; InputError where there is none."""
    if family not in REQUESTS:
        raise InputError(
            f"--source must be of the family {' or '.join(REQUESTS)}. Received: {source} of the family {family}"
        )
    classes = {kind.action: kind for kind in REQUESTS[family]}
    if action not in classes:
        makes = f"model of the family {family} makes" if len(classes) > 1 else "classifier can only be drawn:"
        raise InputError(f"A {makes} --{' or --'.join(classes)}. Received: --{action} of {source}")
    return classes[action]


def from_flags(kind, values):
    """A request of class `kind`.

    Args:
        values: {field: value} of the flags that the user has set.

    Raises:
        InputError: for a field that `kind` lacks or a value that does not fit.
    """
    for name in sorted(set(values) - {field.name for field in dataclasses.fields(kind)}):
        flag = f"--candidates={values[name].candidates}" if name == "search" else f"--{name}={values[name]}"
        raise InputError(f"--{kind.action} of this model cannot be combined with {flag}.")
    check_effects(values)
    if values.get("first_image") is not None:
        values = values | {"count": 1}
    elif values.get("layout", "strip") != "strip":
        values = {"count": DEFAULT_DIAGRAMS} | values
    return kind(**values)
