"""Payloads as RGB pictures."""

from __future__ import annotations

from typing import Any, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter

from streamrestore.errors import WireError
from streamrestore.frames import Range
from streamrestore.wire import Message

Image: TypeAlias = npt.NDArray[np.uint8]


class Pictures:
    """Turns payloads into pictures; for one thread at a time."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def rgb(self, message: Message) -> Image:
        """The picture of a frame, uint8 (H, W, 3), read-only; of rgb24 it is the payload itself.

        Raises:
            WireError: a JPEG that is none, or of another size than its header says.
        """
        header = message.header
        if header.pixel_format == "rgb24":
            image = np.frombuffer(message.payload, np.uint8).reshape(header.height, header.width, 3)
        else:
            image = self._convert(_nv12(message) if header.pixel_format == "nv12" else _jpeg(message))
        image.flags.writeable = False
        return image

    def _convert(self, frame: av.VideoFrame) -> Image:
        """By the frame's own matrix and range."""
        rgb = self._reformatter.reformat(
            frame,
            format="rgb24",
            dst_color_range=int(Range.FULL),
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
            threads=1,
        )
        return _rows(rgb.planes[0])[:, : rgb.width * 3].reshape(rgb.height, rgb.width, 3)


def _nv12(message: Message) -> av.VideoFrame:
    header = message.header
    width, height = header.width, header.height
    frame = av.VideoFrame(width, height, "nv12")
    frame.colorspace, frame.color_range = header.color.matrix, header.color.range
    samples = np.frombuffer(message.payload, np.uint8)
    luma, chroma = _rows(frame.planes[0]), _rows(frame.planes[1])
    luma[:height, :width] = samples[: width * height].reshape(height, width)
    pairs = samples[width * height :].reshape(-(-height // 2), -1)  # (h / 2, w): Cb and Cr by turns
    chroma[: pairs.shape[0], : pairs.shape[1]] = pairs
    return frame


def _jpeg(message: Message) -> av.VideoFrame:
    header = message.header
    decoder = CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    # A JPEG has a size of its own: FFmpeg refuses a larger one before it allocates. It counts in blocks
    # and whole lines of its memory.
    decoder.options = {"max_pixels": str((header.width + 127 & ~127) * (header.height + 31 & ~31))}
    where = f"stream {header.stream!r}, message {header.sequence}"
    try:
        packet = av.Packet(message.payload)  # type: ignore[arg-type]  # any buffer will do
        frames = decoder.decode(packet)
    except FFmpegError as error:
        raise WireError(f"{where}: the payload is no JPEG of {header.width}x{header.height}") from error
    if [(frame.width, frame.height) for frame in frames] != [(header.width, header.height)]:
        raise WireError(f"{where}: the payload is not one JPEG of {header.width}x{header.height}")
    return frames[0]


def _rows(plane: VideoPlane) -> npt.NDArray[Any]:
    """The memory of FFmpeg's plane, padding included: (h, w or more)."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
