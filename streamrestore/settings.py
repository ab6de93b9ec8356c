"""Every setting, with its default, in one place.

The same frozen structs are filled from YAML, the command line and Python. Unknown keys are refused
with the nearest known name.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec

from streamrestore.errors import UsageError
from streamrestore.instants import format_time, to_millis

Strength = Annotated[float, msgspec.Meta(ge=0.0, le=1.5)]
Positive = Annotated[float, msgspec.Meta(gt=0.0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0)]

DEFAULT_STRENGTH = 1.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all settings."""


class WindowSettings(Settings, frozen=True):
    """How a file is cut into clips."""

    clip_seconds: Positive = 2.0
    """Aimed length of a clip."""
    cut_threshold: Positive = 0.12
    """Change of the small luma picture, 0 to 1, that ends a scene."""
    gap_frames: Positive = 4.0
    """Frame durations without a frame that end a clip."""
    segment_seconds: Annotated[float, msgspec.Meta(gt=0.0)] = 15.0
    """Aimed length of a segment: what a crash costs at most, and how often there is a key frame."""


Cost = Annotated[float, msgspec.Meta(ge=0.0)]


class WrongBranchSettings(Settings, frozen=True):
    """What a branch is taken to cost where its weather is not, in dB (fitted: `training.fit_policy`)."""

    rain: Cost = 8.4
    haze: Cost = 6.7
    raindrop: Cost = 4.9
    noise: Cost = 3.5


class PolicySettings(Settings, frozen=True):
    """From estimates to decisions."""

    min_gain_db: float = 0.3
    """Predicted gain below which a clip is left alone."""
    wrong_branch_db: WrongBranchSettings = WrongBranchSettings()
    confident: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.5
    """Probability from which a weather speaks against an unknown damage."""
    unknown: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.5
    """Probability of an unknown damage from which a clip without a confident weather is unsure."""
    switch_cost_db: Annotated[float, msgspec.Meta(ge=0.0)] = 2.0
    """Gain that a change of branch between neighbouring clips must bring."""
    max_passes: Literal[1, 2] = 1
    """Branches that one clip may pass through."""


class RestoreSettings(Settings, frozen=True):
    """Which networks run, where, and how strongly."""

    tier: str = "fast"
    branch: Literal["auto", "none", "rain", "haze", "raindrop", "noise"] = "auto"
    strength: Strength = DEFAULT_STRENGTH
    gates: tuple[Annotated[float, msgspec.Meta(ge=0.0)], ...] | None = None
    """Multipliers of the denoiser's gates, one per level."""
    plan: str | None = None
    """A plan file: what is to be done with which part of the video, instead of what the weather calls for."""
    mask: tuple[str, ...] = ()
    """What of the picture stays as it is: ``x,y,w,h`` as displayed, or a picture that is white there."""
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: Count = 1
    """Threads of torch on the CPU; decoder and encoder threads work beside them."""
    decoder_threads: Count = 1
    hdr: Literal["refuse", "pass"] = "refuse"
    """HDR pictures (PQ, HLG) that need restoring: refuse them, or treat their codes as if they were SDR."""
    interlaced: Literal["auto", "keep", "bwdif"] = "auto"
    """Deinterlace pictures marked as interlaced if some are restored, never, or if the video is encoded."""
    policy: PolicySettings = PolicySettings()


class EncodeSettings(Settings, frozen=True):
    """How the result is written."""

    codec: Literal["auto", "h264", "hevc", "av1", "ffv1"] = "auto"
    crf: Annotated[float, msgspec.Meta(ge=0, le=63)] | None = None
    """Constant quality, smaller is better; None takes the codec's value from `encode.codecs`."""
    size_like_input: bool = False
    """Aim at the size that the pictures have in the input, instead of at a quality."""
    preset: str | None = None
    threads: Count = 2
    force_encode: bool = False
    """Encode even if no frame was restored."""
    drop_unsupported: bool = False
    """Leave out streams that the container cannot hold, and say so, instead of stopping before the start."""
    overwrite: bool = False


class JobSettings(Settings, frozen=True):
    """One run over one file."""

    start: Seconds | None = None
    """In seconds from the first picture of the input: what is shown before is left out."""
    end: Seconds | None = None
    """What is shown from then on is left out."""
    preview: Positive | None = None
    """Seconds of a sample from the worst moment; None for all of it."""
    series: bool = False
    """Inputs are one recording, in their order."""
    restore: RestoreSettings = RestoreSettings()
    windows: WindowSettings = WindowSettings()
    encode: EncodeSettings = EncodeSettings()
    strict: bool = False
    """Refuse damaged input instead of restoring what decodes."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Processes that restore segments of a file at the same time."""
    resume: bool = True
    """Go on with what an earlier run has left."""

    def __post_init__(self) -> None:
        if self.end is not None and to_millis(self.end) <= to_millis(self.start or 0.0):
            begin, end = format_time(self.start or 0.0), format_time(self.end)
            raise ValueError(f"the end, {end}, does not come after the start, {begin}")
        if self.series and (self.is_part or self.preview is not None or self.restore.plan is not None):
            raise ValueError("a series is restored as a whole: without --start, --end, --preview and --plan")

    @property
    def is_part(self) -> bool:
        """True if a part of the input is wanted."""
        return self.start is not None or self.end is not None

    @property
    def digest(self) -> str:
        """`settings_hash` of what decides how the result looks, and of nothing else."""
        permissions = {"overwrite": False, "force_encode": False, "drop_unsupported": False}
        encode = msgspec.structs.replace(self.encode, **permissions)
        # HDR may be let through, too; of a plan, what it says counts, not its name.
        restore = msgspec.structs.replace(self.restore, hdr="refuse", plan=None)
        return settings_hash(
            msgspec.structs.replace(
                self, restore=restore, encode=encode, strict=False, workers=1, resume=True
            )
        )


S = TypeVar("S", bound=Settings)


def read_settings(kind: type[S], values: Mapping[str, Any]) -> S:
    """Build settings from plain values, nested mappings included.

    Raises:
        UsageError: no mapping, an unknown key (with the nearest known one), or a value out of range.
    """
    if not isinstance(values, Mapping):
        raise UsageError(f"settings: they must be named values, not {values!r}")
    _refuse_unknown(kind, values, "")
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"settings: {error}") from error


def settings_hash(settings: Settings) -> str:
    """Twelve hexadecimal digits that change with any setting."""
    encoded = msgspec.json.encode(settings, order="sorted")
    return hashlib.sha256(encoded).hexdigest()[:12]


def _refuse_unknown(kind: type[Settings], values: Mapping[str, Any], where: str) -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(fields))}"
            raise UsageError(f"settings: there is no {f'{where}{key}'!r}; {hint}")
        nested = fields[key]
        if isinstance(value, Mapping) and isinstance(nested, type) and issubclass(nested, Settings):
            _refuse_unknown(nested, value, f"{where}{key}.")
        elif isinstance(value, list) and get_origin(nested) is tuple:
            (kind, *_) = get_args(nested)
            for index, item in enumerate(value):
                if isinstance(item, Mapping) and isinstance(kind, type) and issubclass(kind, Settings):
                    _refuse_unknown(kind, item, f"{where}{key}[{index}].")
