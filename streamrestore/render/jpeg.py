"""Frames as small JPEG pictures: upright, with square pixels, in the colours that they have on a screen."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from streamrestore.frames import Coding, Frame, FrameBatch, Matrix
from streamrestore.render.pictures import Planes, upright

LONGEST_SIDE = 960

JFIF = Coding(Matrix.BT601, full=True)
"""The only coding that JPEG files know."""

_QUALITY = "3"
"""FFmpeg's scale: 2 is the best, 31 the worst."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """A picture at the size at which it is shown, 8 bit 4:2:0 in `JFIF`."""

    frame: VideoFrame

    @property
    def luma(self) -> npt.NDArray[np.uint8]:
        """A view of it, (h, w)."""
        return _plane(self.frame, 0)


def reduced(frame: Frame, batch: FrameBatch, longest: int = LONGEST_SIDE) -> Reduced:
    """A frame as displayed: turned upright, pixels made square, its sides at most `longest`."""
    planes = upright(frame, batch, JFIF)
    ratio = float(1 / batch.sample_aspect_ratio if batch.rotation % 180 else batch.sample_aspect_ratio)
    height, width = planes[0].shape
    scale = min(1.0, longest / max(width * ratio, height))
    size = max(1, round(width * ratio * scale)), max(1, round(height * scale))
    whole = _filled(planes)
    if size == (width, height):
        return Reduced(whole)
    shrunk = VideoReformatter().reformat(
        whole, width=size[0], height=size[1], interpolation=Interpolation.AREA
    )
    return Reduced(shrunk)


def encode_jpeg(picture: Reduced) -> bytes:
    """The bytes of a JPEG file."""
    context = VideoCodecContext.create("mjpeg", "w")
    context.width, context.height = picture.frame.width, picture.frame.height
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 25)
    context.options = {"qmin": _QUALITY, "qmax": _QUALITY}
    packets = [*context.encode(picture.frame), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def _filled(planes: Planes) -> VideoFrame:
    """FFmpeg's frame with these planes copied in."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, "yuvj420p")
    for index, plane in enumerate(planes):
        _plane(frame, index)[...] = plane
    return frame


def _plane(frame: VideoFrame, index: int) -> npt.NDArray[Any]:
    """A view (h, w) of one of a frame's planes."""
    plane = frame.planes[index]
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    return lines[: plane.height, : plane.width]  # type: ignore[no-any-return]
