"""Planes into FFmpeg's frames: exact where the codec takes the format, else a stated conversion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter

from streamrestore.encode.codecs import CodecSpec
from streamrestore.errors import UnsupportedOutput
from streamrestore.frames import ColorInfo, Frame, FrameBatch, Matrix, PixelFormat, Plane, Range

_SAMPLING = {(0, 0): "444", (1, 0): "422", (1, 1): "420", (0, 1): "440", (2, 0): "411", (2, 2): "410"}


def ffmpeg_name(format: PixelFormat) -> str:
    """FFmpeg's planar pixel format of `format`, such as ``yuv420p10le``.

    Raises:
        UnsupportedOutput: FFmpeg has none.
    """
    name = _name(format)
    try:
        av.VideoFormat(name)
    except ValueError as error:
        raise UnsupportedOutput(f"FFmpeg has no pixel format for {format}") from error
    return name


def _name(format: PixelFormat) -> str:
    if format.model == "yuv":
        base = f"yuv{_SAMPLING.get((format.shift_x, format.shift_y), '?')}p"
    else:
        base = {"rgb": "gbrp", "gray": "gray"}[format.model]
    return base + (f"{format.depth}le" if format.depth > 8 else "")


@dataclass(frozen=True, slots=True)
class Layout:
    """How pictures of one format reach an encoder.

    Attributes:
        source: FFmpeg's format of the planes as they come; for grey that becomes YCbCr, with chroma.
        target: the encoder's.
        color: the tags of what is encoded.
        note: what the conversion changes, for the user; None if nothing.
    """

    source: str
    target: str
    color: ColorInfo
    note: str | None = None


def plan_layout(codec: CodecSpec, format: PixelFormat, color: ColorInfo, width: int, height: int) -> Layout:
    """The nearest pixel format that the codec takes, exact if there is one.

    Args:
        width, height: of the picture as stored.

    Raises:
        UnsupportedOutput: the codec takes nothing near enough.
    """
    source = ffmpeg_name(format)
    rgb = replace(color, matrix=int(Matrix.RGB), range=int(Range.FULL))
    if format.model == "rgb" and format.depth == 8 and "bgr0" in codec.formats:
        return Layout(source, "bgr0", rgb)  # another order of the same samples
    if _fits(codec, source, format, width, height):
        return Layout(source, source, rgb if format.model == "rgb" else color)
    for near in _neighbours(format):
        target = _name(near)
        if _fits(codec, target, near, width, height):
            if near.model == "rgb":
                color = rgb
            elif format.model == "rgb":
                matrix = Matrix.BT709 if width >= 1280 or height > 576 else Matrix.BT601
                color = replace(color, matrix=int(matrix), range=int(Range.LIMITED))
            why = f"{codec.name} does not take {source}"
            if near == replace(format, shift_x=near.shift_x, shift_y=near.shift_y):
                why += f" of {width}x{height}" if source in codec.formats else ""
            note = f"pictures are converted from {source} to {target}: {why}"
            if format.model == "gray":  # FFmpeg takes grey for full range, whatever it is tagged
                source = _name(replace(near, depth=format.depth))
            return Layout(source, target, color, note)
    raise UnsupportedOutput(
        f"{codec.name} takes neither {source} nor anything near it at {width}x{height}; try --codec ffv1"
    )


def _neighbours(format: PixelFormat) -> list[PixelFormat]:
    """Formats to fall back to, the least loss first."""
    depths = sorted(range(8, 17), key=lambda depth: (depth < format.depth, abs(depth - format.depth)))
    if format.model == "gray":
        return [PixelFormat("yuv", depth, *shift) for shift in ((1, 1), (0, 0)) for depth in depths]
    rgb = [replace(format, depth=depth) for depth in depths if format.model == "rgb"]
    shifts = [(format.shift_x, format.shift_y), (1, 0), (0, 0), (1, 1)]  # chroma is only reduced at last
    shifts = [s for s in shifts if s[0] <= format.shift_x and s[1] <= format.shift_y] + [(1, 1)]
    return rgb + [PixelFormat("yuv", depth, *shift) for shift in dict.fromkeys(shifts) for depth in depths]


def _fits(codec: CodecSpec, name: str, format: PixelFormat, width: int, height: int) -> bool:
    odd = (width & ((1 << format.shift_x) - 1)) or (height & ((1 << format.shift_y) - 1))
    # FFmpeg's FFV1 loses the last column of 4:1:1 and 4:1:0 if the width is no multiple of 4.
    return name in codec.formats and not (odd and (codec.even or format.shift_x == 2))


class PictureWriter:
    """Turns frames of one layout into FFmpeg's.

    Args:
        layout: from `plan_layout`.
        color: the tags of the frames as they come.
    """

    def __init__(self, layout: Layout, color: ColorInfo) -> None:
        if layout.source.startswith("gbr"):  # whatever it is tagged
            color = replace(color, matrix=int(Matrix.RGB), range=int(Range.FULL))
        self._layout, self._color = layout, color
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Frame, batch: FrameBatch) -> av.VideoFrame:
        """A frame with copies of the planes, tagged; without timestamps."""
        picture = av.VideoFrame(batch.width, batch.height, self._layout.source)
        planes = frame.planes
        if batch.format.model == "rgb":
            planes = (planes[1], planes[2], planes[0])  # FFmpeg's order is G, B, R
        sizes = batch.format.plane_sizes(batch.width, batch.height)
        targets = [_samples(plane, batch.format) for plane in picture.planes]
        for target, plane, (height, width) in zip(targets, planes, sizes, strict=False):
            target[:height, :width] = as_array(plane)
        for chroma in targets[len(planes) :]:
            chroma[:] = 1 << (batch.format.depth - 1)
        tag(picture, self._color)
        if self._layout.target != self._layout.source:
            picture = self._convert(picture)
            tag(picture, self._layout.color)
        return picture

    def _convert(self, picture: av.VideoFrame) -> av.VideoFrame:
        after = self._layout.color
        new_matrix = self._layout.source.startswith("gbr") and self._layout.target.startswith("yuv")
        target_range = after.range or int(Range.LIMITED)
        return self._reformatter.reformat(
            picture,
            format=self._layout.target,
            dst_colorspace=after.matrix if new_matrix else None,
            src_color_range=int(Range.FULL) if new_matrix else target_range,
            dst_color_range=target_range,
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
            threads=1,
        )


def _samples(plane: VideoPlane, format: PixelFormat) -> npt.NDArray[Any]:
    """The memory of FFmpeg's plane, padding included: (h, w or more)."""
    line = plane.line_size // format.dtype.itemsize
    return np.frombuffer(memoryview(plane), format.dtype).reshape(-1, line)


def as_array(plane: Plane) -> npt.NDArray[Any]:
    """A numpy view of a plane; planes on a GPU are copied.

    Args:
        plane: (h, w) numpy array, CPU or GPU tensor, or anything with ``__dlpack__``.
    """
    if isinstance(plane, np.ndarray):
        return plane
    if hasattr(plane, "cpu"):
        plane = plane.cpu()
    if hasattr(plane, "__array__"):
        return np.asarray(plane)
    return np.from_dlpack(plane)


def tag(target: Any, color: ColorInfo) -> None:
    """Set the colour tags of a frame or of an encoder's context."""
    target.colorspace, target.color_range = color.matrix, color.range
    target.color_primaries, target.color_trc = color.primaries, color.transfer
