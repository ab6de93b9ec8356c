"""From PyAV's objects to plain data: streams, colour, rotation, what the container claims."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamrestore.decode.formats import layout_of, transparency
from streamrestore.errors import NoVideo, UnsupportedVideo
from streamrestore.frames import ColorInfo, MasteringDisplay, Range
from streamrestore.seams import SourceInfo, StreamInfo

_NO_PICTURES = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
_SIDE_DATA = {
    SideData.MASTERING_DISPLAY_METADATA: "mastering display",
    SideData.CONTENT_LIGHT_LEVEL: "content light level",
    SideData.DYNAMIC_HDR_PLUS: "HDR10+",
    SideData.DOVI_METADATA: "Dolby Vision",
    SideData.DYNAMIC_HDR_VIVID: "HDR Vivid",
    SideData.AMBIENT_VIEWING_ENVIRONMENT: "ambient viewing environment",
    SideData.A53_CC: "closed captions",
    SideData.STEREO3D: "stereo 3D",
    SideData.SPHERICAL: "spherical projection",
    SideData.S12M_TIMECODE: "time code of pictures",
    SideData.GOP_TIMECODE: "time code of pictures",
}
_MATRIX = struct.Struct("=9i")
_MASTERING = struct.Struct("=22i")  # AVMasteringDisplayMetadata: ten fractions, two flags
_LIGHT_LEVEL = struct.Struct("=2I")
_BRIGHTEST = 10_000  # cd/m²: PQ goes no further
_INEXACT = 0.1
_LIVE = ("rtsp", "rtp", "sdp", "rtmp", "whip")


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The video that is restored: FFmpeg's choice among those that are not cover art.

    Raises:
        NoVideo: there is none.
        UnsupportedVideo: FFmpeg has no decoder for any of them.
    """
    if not container.streams.video:
        kinds = ", ".join(sorted({str(stream.type) for stream in container.streams})) or "no streams"
        raise NoVideo(f"{name}: there is no video in it, only {kinds}; name a file with pictures")
    moving = [stream for stream in container.streams.video if not stream.disposition & _NO_PICTURES]
    if not moving:
        raise NoVideo(f"{name}: there is no video in it, only cover art; name a file with moving pictures")
    known = [stream for stream in moving if stream.codec_context is not None]
    if not known:
        raise UnsupportedVideo(
            f"{name}: FFmpeg {av.ffmpeg_version_info} has no decoder for its video; convert it to H.264 first"
        )
    best = container.streams.best("video")
    return next((stream for stream in known if best is not None and stream.index == best.index), known[0])


def stream_info(stream: Stream) -> StreamInfo:
    """What a stream says about itself."""
    base = stream.time_base
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=codec_name(stream),
        time_base=base,
        start=_seconds(stream.start_time, base),
        duration=_seconds(stream.duration, base),
        metadata=dict(stream.metadata),
    )


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of a stream's codec, empty if it knows none."""
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else ""


def source_info(
    container: InputContainer, stream: VideoStream, first: VideoFrame, name: str, rate: Fraction | None = None
) -> SourceInfo:
    """What is known once the first picture is decoded: size, colour and rotation are the picture's.

    Raises:
        UnsupportedVideo: the pixel format is refused.
    """
    try:
        layout = layout_of(first.format.name)
    except UnsupportedVideo as error:
        raise UnsupportedVideo(f"{name}: {error}") from None
    video = stream_info(stream)
    if "1" in _tags(stream.metadata, "ALPHA_MODE"):  # WebM's VP8 and VP9: the decoder leaves it out
        raise UnsupportedVideo(f"{name}: its {video.codec} pictures are stored beside {transparency()}")
    return SourceInfo(
        name=name,
        container=container.format.name,
        streams=tuple(stream_info(each) for each in container.streams),
        video=video,
        width=first.width,
        height=first.height,
        format=layout.format,
        pixel_format=first.format.name,
        color=color_of(first, full=layout.full),
        time_base=time_base_of(stream),
        rate=rate or frame_rate(stream),
        rotation=rotation_of(first)[0],
        sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
        interlaced=first.interlaced_frame or stream.codec_context.field_order > 1,
        duration=video.duration or _until(claimed_end(container, stream), video.start),
        frame_count=stream.frames or None,
        created=stream.metadata.get("creation_time") or container.metadata.get("creation_time", ""),
        is_live=any(word in container.format.name.split(",") for word in _LIVE),
        side_data=tuple(dict.fromkeys(word for kind, word in _SIDE_DATA.items() if kind in first.side_data)),
        mastering=mastering_of(first),
        light_level=_unpacked(first, SideData.CONTENT_LIGHT_LEVEL, _LIGHT_LEVEL),  # type: ignore[arg-type]
        display_matrix=display_matrix(first),
    )


def time_base_of(stream: VideoStream) -> Fraction:
    """Seconds per tick; microseconds if the container has no unit."""
    return stream.time_base or Fraction(1, 1_000_000)


def frame_rate(stream: VideoStream) -> Fraction | None:
    """Average pictures per second, or the nominal rate where no average is known.

    Where nothing was measured, FFmpeg guesses by the fields of H.264: the decoder's rate is that of pictures.
    """
    nominal = stream.codec_context.framerate
    for rate in (stream.average_rate, nominal, stream.guessed_rate, stream.base_rate):
        if rate is not None and 0 < rate <= 1000:
            return Fraction(rate)
    return None


def color_of(frame: VideoFrame, *, full: bool = False) -> ColorInfo:
    """Colour tags of a frame; `full` if the pixel format's name already says so."""
    return ColorInfo(
        matrix=int(frame.colorspace),
        range=Range.FULL if full else int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
    )


def display_matrix(frame: VideoFrame) -> tuple[int, ...]:
    """FFmpeg's nine numbers; empty if the frame has none."""
    return _unpacked(frame, SideData.DISPLAYMATRIX, _MATRIX) or ()


def rotation_of(frame: VideoFrame) -> tuple[int, bool]:
    """Degrees counterclockwise to turn the picture by for display, and whether that is exact.

    Of a mirrored picture, so that its lower edge comes to lie below: rain falls down in a mirror.
    """
    matrix = display_matrix(frame)
    if not matrix:
        return 0, True
    degrees = math.degrees(math.atan2(matrix[3], matrix[4]))  # where the y axis points
    turns = round(degrees / 90)
    return turns % 4 * 90, abs(degrees - 90 * turns) < _INEXACT


def mastering_of(frame: VideoFrame) -> MasteringDisplay | None:
    """What a frame says about the display that it was graded on; None if it is not all there."""
    numbers = _unpacked(frame, SideData.MASTERING_DISPLAY_METADATA, _MASTERING)
    if numbers is None or not all(numbers[20:]) or not all(numbers[1:20:2]):
        return None
    values = [Fraction(*numbers[at : at + 2]) for at in range(0, 20, 2)]
    least, most = values[8:]
    if not (all(0 <= value <= 1 for value in values[:8]) and 0 <= least < most <= _BRIGHTEST):
        return None
    return MasteringDisplay(tuple(values[:8]), (least, most))


def _unpacked(frame: VideoFrame, kind: SideData, layout: struct.Struct) -> tuple[int, ...] | None:
    return layout.unpack_from(bytes(frame.side_data[kind])) if kind in frame.side_data else None


def claimed_end(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """When the last picture ends by the headers, in seconds, if they say so."""
    video = stream_info(stream)
    if video.duration is not None:
        return video.duration + (video.start or 0)
    tagged = tagged_duration(stream.metadata)  # FFmpeg writes the end there
    if tagged is None and container.duration and len(container.streams) == 1:
        return Fraction(container.duration + (container.start_time or 0), av.time_base)
    return tagged


def tagged_duration(metadata: Mapping[str, str]) -> Fraction | None:
    """Seconds from Matroska's statistics tag ``DURATION`` (``00:01:02.345000000``), if it is there."""
    for text in _tags(metadata, "DURATION"):
        try:
            hours, minutes, seconds = text.split(":")
            total = int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
        except ValueError:
            continue
        if total > 0:
            return total
    return None


def tagged_count(metadata: Mapping[str, str]) -> int | None:
    """Pictures from mkvmerge's statistics tag ``NUMBER_OF_FRAMES``, if it is there."""
    return next((int(text) for text in _tags(metadata, "NUMBER_OF_FRAMES") if text.isdecimal()), None)


def _tags(metadata: Mapping[str, str], name: str) -> Iterator[str]:
    for key, value in metadata.items():
        if key.upper() == name or key.upper().startswith(f"{name}-"):  # DURATION-eng
            yield value.strip()


def _until(end: Fraction | None, start: Fraction | None) -> Fraction | None:
    return end - (start or 0) if end is not None and end > (start or 0) else None


def _seconds(ticks: Any, base: Fraction | None) -> Fraction | None:
    return ticks * base if ticks is not None and base is not None else None
