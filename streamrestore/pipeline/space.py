"""How much room a job needs on the disk, and whether it is there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from streamrestore.encode.codecs import CodecSpec
from streamrestore.encode.head import VideoHead
from streamrestore.encode.partial import translated
from streamrestore.errors import OutputError

_BITS_PER_PIXEL: Mapping[str, float] = {"h264": 0.2, "hevc": 0.14, "av1": 0.11, "vp9": 0.15}
"""Of usual, clean footage at the default quality, measured; noise takes ten times as much."""
_HALVING: Mapping[str, float] = {"h264": 6.0, "hevc": 6.0, "av1": 12.0, "vp9": 12.0}
"""Steps of constant quality that halve the size."""
_LOSSLESS = 0.25
"""Of the size of the samples."""


def video_bytes(head: VideoHead, codec: CodecSpec, crf: float | None, frames: int) -> int:
    """About how large a video gets.

    Args:
        crf: constant quality; None for the codec's default.
    """
    if codec.crf is None:
        samples = sum(h * w for h, w in head.format.plane_sizes(head.width, head.height))
        return round(frames * samples * head.format.depth / 8 * _LOSSLESS)
    steps = codec.crf - (codec.crf if crf is None else crf)
    bits = _BITS_PER_PIXEL[codec.name] * 2 ** (steps / _HALVING[codec.name])
    return round(frames * head.width * head.height * bits / 8)


def needed_bytes(
    head: VideoHead,
    codec: CodecSpec,
    crf: float | None,
    frames: int,
    *,
    done: int = 0,
    others: int = 0,
    known: int | None = None,
) -> int:
    """About how much room a job still needs: for its segments, and for the file that they are joined to.

    It is low rather than high: a disk that turns out to be too small costs a second run, which goes
    on where the first one stopped, but a wrong refusal costs the whole.

    Args:
        frames: of the video.
        done: of these, those in segments that are there already.
        others: bytes of the streams that are copied.
        known: bytes that the video will take, if that is known.
    """
    if known is not None:
        return known * (frames - done) // frames + known + others
    return video_bytes(head, codec, crf, frames - done) + video_bytes(head, codec, crf, frames) + others


def check_space(folder: Path, needed: int) -> None:
    """Refuse to begin what would not fit.

    Raises:
        OutputError: less than `needed` bytes are free in `folder`, or the system does not tell.
    """
    with translated(folder, "look at"):
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{folder}: about {_readable(needed)} are needed there, for segments and the file they are "
            f"joined to, and {_readable(free)} are free; free some, or name an output on another disk"
        )


def _readable(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
