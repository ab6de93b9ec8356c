"""What the containers can hold, by the file's extension. Data, and the look-up.

Measured with FFmpeg 8.1 (the av 18.1 wheel); `tests/encode` holds the table against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from streamrestore.encode.codecs import CODECS, CodecSpec
from streamrestore.errors import UnsupportedOutput, UsageError
from streamrestore.frames import PixelFormat
from streamrestore.settings import EncodeSettings

_MEANING = ("stereo 3D", "spherical projection")


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One kind of container.

    Attributes:
        name: what users call it.
        format: FFmpeg's name of the muxer.
        codecs: video codecs that it holds; `auto` takes the first one that keeps the samples.
        options: of the muxer.
        b_frames: False where reordered frames would move the timestamps.
        rotation: holds a display matrix.
        variable_rate: holds frames at any time; otherwise every frame lasts one tick.
        edit_lists: frames before time zero stay hidden; elsewhere they would be shown.
        colors: stores colour tags by itself; otherwise the codec has to.
        time_code: holds a time code beside the video.
        beside: what is held beside the video even if the coded pictures do not say it.
        cover: holds a picture beside the video.
        attachments: holds files, such as fonts; cover art is one of them.
        offsets: its streams may begin at different times; otherwise all begin at 0.
    """

    name: str
    format: str
    codecs: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    b_frames: bool = True
    rotation: bool = True
    variable_rate: bool = True
    edit_lists: bool = False
    colors: bool = True
    time_code: bool = True
    beside: tuple[str, ...] = _MEANING
    cover: bool = False
    attachments: bool = False
    offsets: bool = True


# Without the movie time scale an edit list rounds the start to 1/1000 s; Dolby Vision, stereo 3D and
# spherical projections are "unofficial".
_MOV = {"movflags": "+faststart", "movie_timescale": "90000", "strict": "unofficial"}
_MP4 = ContainerSpec(
    "mp4",
    "mp4",
    ("h264", "hevc", "av1", "ffv1"),
    _MOV,
    edit_lists=True,
    beside=(*_MEANING, "Dolby Vision"),
    cover=True,
)
_MOV_SPEC = ContainerSpec("mov", "mov", ("h264", "hevc"), _MOV, edit_lists=True)
_TS = ContainerSpec(
    "ts",
    "mpegts",
    ("h264", "hevc"),
    b_frames=False,
    rotation=False,
    colors=False,
    time_code=False,
    beside=(),
)

CONTAINERS: Mapping[str, ContainerSpec] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": _MOV_SPEC,
    ".mkv": ContainerSpec(
        "mkv",
        "matroska",
        ("h264", "hevc", "av1", "ffv1"),
        beside=(*_MEANING, "Dolby Vision"),
        cover=True,
        attachments=True,
    ),
    ".webm": ContainerSpec("webm", "webm", ("vp9", "av1")),
    ".avi": ContainerSpec(
        "avi",
        "avi",
        ("h264", "ffv1"),
        b_frames=False,
        rotation=False,
        variable_rate=False,
        colors=False,
        time_code=False,
        beside=(),
        offsets=False,
    ),
    ".ts": _TS,
    ".m2ts": replace(_TS, name="m2ts", options={"mpegts_m2ts_mode": "1"}),
}
"""Every container that is written, by extension."""


def find_container(path: Path) -> ContainerSpec:
    """The container that the extension of `path` names.

    Raises:
        UsageError: there is no such; the message lists those known.
    """
    spec = CONTAINERS.get(path.suffix.lower())
    if spec is None:
        what = f"extension {path.suffix!r}" if path.suffix else "a name without an extension"
        raise UsageError(f"{path}: {what} names no container; known are {', '.join(CONTAINERS)}")
    return spec


def find_codec(spec: ContainerSpec, settings: EncodeSettings, format: PixelFormat) -> CodecSpec:
    """The codec that the settings name, or for `auto` the container's own.

    Webm means VP9, and AV1 for more than 8 bits, which this libvpx does not take.

    Raises:
        UnsupportedOutput: the container does not hold the codec; the message lists what it holds.
    """
    if settings.codec == "auto":
        if spec.codecs[0] == "vp9" and format.depth > 8:
            return CODECS["av1"]
        return CODECS[spec.codecs[0]]
    if settings.codec not in spec.codecs:
        others = [s.name for s in CONTAINERS.values() if settings.codec in s.codecs]
        raise UnsupportedOutput(
            f"--codec {settings.codec}: {spec.name} does not hold it (it holds {', '.join(spec.codecs)}); "
            f"{settings.codec} goes into {', '.join(dict.fromkeys(others))}"
        )
    return CODECS[settings.codec]
