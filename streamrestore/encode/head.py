"""What a whole video is encoded with: it follows from the first batch, and encoders of its parts share it."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.codec.context import ThreadType
from av.container import OutputContainer
from av.video.stream import VideoStream

from streamrestore.encode.bitrate import Aim
from streamrestore.encode.check import OutputPlan
from streamrestore.encode.codecs import CodecSpec, encoder_options
from streamrestore.encode.containers import ContainerSpec
from streamrestore.encode.pictures import Layout, plan_layout, tag
from streamrestore.encode.rates import nominal_rate, sane_rate
from streamrestore.encode.span import Span
from streamrestore.encode.tags import color_notes, display_notes
from streamrestore.encode.times import choose_shift
from streamrestore.frames import ColorInfo, FrameBatch, MasteringDisplay, PixelFormat
from streamrestore.seams import SourceInfo
from streamrestore.settings import EncodeSettings

_COARSE, _FINEST = Fraction(1, 10), Fraction(1, 1_000_000)
_AV1_MAX_RATE = Fraction(240)  # SVT-AV1 refuses more
_CHROMA_LOCATIONS = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")


@dataclass(frozen=True, slots=True)
class VideoHead:
    """What all pictures of a video share, and how its clock runs.

    Attributes:
        width, height: as stored, in pixels.
        rotation: degrees counterclockwise to turn the stored picture by for display.
        sample_aspect_ratio: width of a pixel over its height.
        rate: pictures per second, for headers and rate control.
        tick: of the encoder's clock, in seconds.
        shift: seconds by which all times of the source are moved, those of copied streams included.
        display_matrix: FFmpeg's nine numbers, if the source has them: `rotation`, and mirrored or not.
        side_data, mastering, light_level: as in `SourceInfo`.
        span: the part of the source that is written; None for the whole.
        aim: at the greatest bit rate of all parts, if sizes are given instead of a quality.
    """

    width: int
    height: int
    format: PixelFormat
    color: ColorInfo
    rotation: int
    sample_aspect_ratio: Fraction
    rate: Fraction
    tick: Fraction
    shift: Fraction
    display_matrix: tuple[int, ...] = ()
    side_data: tuple[str, ...] = ()
    mastering: MasteringDisplay | None = None
    light_level: tuple[int, int] | None = None
    span: Span | None = None
    aim: Aim | None = None


def video_head(
    first: FrameBatch,
    info: SourceInfo,
    container: ContainerSpec,
    *,
    alone: bool = False,
    span: Span | None = None,
) -> VideoHead:
    """What a video that begins with `first` is encoded with.

    Args:
        info: of the source.
        alone: no other stream is copied beside the video.
        span: the part of the source that is written. If that begins later than the source does, time
            begins there.
    """
    duration = first.frames[0].duration * first.time_base
    rate = (sane_rate if container.variable_rate else nominal_rate)(info.rate, duration)
    start = first.frames[0].pts * first.time_base
    return VideoHead(
        width=first.width,
        height=first.height,
        format=first.format,
        color=first.color,
        rotation=first.rotation,
        sample_aspect_ratio=first.sample_aspect_ratio,
        rate=rate,
        tick=_sane_tick(first.time_base) if container.variable_rate else 1 / rate,
        shift=choose_shift(
            info, container, start, alone=alone or (span is not None and span.begin is not None)
        ),
        display_matrix=info.display_matrix,
        side_data=info.side_data,
        mastering=info.mastering,
        light_level=info.light_level,
        span=span,
    )


def layout_of(head: VideoHead, plan: OutputPlan) -> Layout:
    """How its pictures reach the encoder."""
    return plan_layout(plan.codec, head.format, head.color, head.width, head.height)


def head_notes(head: VideoHead, plan: OutputPlan) -> list[str]:
    """What of the pictures the codec and the container change or lose, in words."""
    layout = layout_of(head, plan)
    container, codec = plan.container, plan.codec.name
    notes = [layout.note] if layout.note else []
    if head.shift and not container.offsets:
        notes.append(
            f"times begin at 0 in {container.name}; those of the input, at {float(-head.shift):.3f} s"
        )
    notes += display_notes(container, codec, head.rotation, head.display_matrix, head.sample_aspect_ratio)
    notes += color_notes(container, codec, layout.color)
    return notes + _side_data_notes(head, plan.codec)


def _side_data_notes(head: VideoHead, codec: CodecSpec) -> list[str]:
    """What pictures carry beside their samples, and new ones do not."""
    told = {"mastering display": head.mastering, "content light level": head.light_level}
    left = [word for word in head.side_data if codec.hdr is None or told.get(word) is None]
    return [f"{', '.join(left)}: cannot be written with {codec.name}; lost"] if left else []


def add_video(
    output: OutputContainer, head: VideoHead, plan: OutputPlan, settings: EncodeSettings
) -> VideoStream:
    """Add the video to an output whose header is not written yet; its encoder is not open yet."""
    container, codec = plan.container, plan.codec
    layout = layout_of(head, plan)
    options = encoder_options(codec, settings, head.mastering, head.light_level)
    if head.aim is not None:
        options = head.aim.over(options, codec.name)
    if codec.name == "av1":
        os.environ.setdefault("SVT_LOG", "1")  # it writes to stderr by itself: errors only
    if 0 < head.color.chroma_location < len(_CHROMA_LOCATIONS):
        options["chroma_sample_location"] = _CHROMA_LOCATIONS[head.color.chroma_location]
    rate = min(head.rate, _AV1_MAX_RATE) if codec.name == "av1" else head.rate
    stream = output.add_stream(codec.encoder, rate=rate, options=_repeatable(options, codec, head.width))
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = head.width, head.height, layout.target
    context.time_base = head.tick
    context.sample_aspect_ratio = head.sample_aspect_ratio
    context.thread_count = settings.threads
    context.thread_type = ThreadType.AUTO if codec.name == "ffv1" else ThreadType.FRAME
    tag(context, layout.color)
    if not container.b_frames:
        context.max_b_frames = 0
    if codec.name == "hevc" and container.edit_lists:
        context.codec_tag = "hvc1"  # what players of Apple ask for
    if head.display_matrix and container.rotation:
        stream.set_display_matrix(head.display_matrix)
    elif head.rotation and container.rotation:
        stream.set_display_rotation(head.rotation)
    return stream


def _repeatable(options: dict[str, str], codec: CodecSpec, width: int) -> dict[str, str]:
    """Options with which the encoder gives the same packets for the same pictures every time.

    x264's code for AVX-512 reads memory that was never written unless the width in macroblocks is a
    multiple of eight (core 165, macroblock tree); its code for AVX2 takes 8 % longer.
    """
    if codec.encoder != "libx264" or not math.ceil(width / 16) % 8 or not _has_avx512():
        return options
    told = options.get("x264-params")
    return options | {"x264-params": ":".join(filter(None, (told, "asm=avx2")))}


@functools.cache
def _has_avx512() -> bool:
    with contextlib.suppress(OSError):
        return "avx512" in Path("/proc/cpuinfo").read_text()
    return False


def _sane_tick(base: Fraction) -> Fraction:
    """The clock of the source, unless encoders or mp4 (32 bits for a duration) cannot count in it.

    Coarse ticks are divided, which is exact; finer ones than a microsecond are rounded to it.
    """
    if base > _COARSE:
        return base / math.ceil(base * 1000)
    return max(base, _FINEST)
