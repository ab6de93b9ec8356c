"""Decoded planes as the pictures that are published: upright, 8 bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter

from streamrestore.encode.pictures import Layout, PictureWriter, as_array, ffmpeg_name
from streamrestore.frames import Coding, ColorInfo, FrameBatch, Matrix, PixelFormat, Range
from streamrestore.render.pictures import EIGHT_BIT

Samples = npt.NDArray[np.uint8]

_GOOD = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class Converter:
    """Turns pictures into RGB and into 4:2:0, as displayed; for one thread at a time.

    Colour goes by the picture's own matrix and range, or by those that are assumed (`ColorInfo.coding`).
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._writers: dict[tuple[PixelFormat, ColorInfo], PictureWriter] = {}

    def rgb(self, batch: FrameBatch, out: Samples) -> None:
        """Write the one picture of a batch into `out`, (H, W, 3), of its displayed size.

        RGB of 8 bits keeps every sample; chroma is interpolated.
        """
        frame = batch.frames[0]
        turns = batch.rotation // 90
        if batch.format.model == "rgb" and batch.format.depth == 8:
            for channel, plane in enumerate(frame.planes):
                out[..., channel] = np.rot90(as_array(plane), turns)
            return
        rgb = self._rgb(batch, batch.width, batch.height, _GOOD)
        np.copyto(out, np.rot90(rgb, turns))

    def small(self, batch: FrameBatch, longest: int) -> Samples:
        """The one picture of a batch as displayed, (H, W, 3), its sides at most `longest`."""
        scale = min(1.0, longest / max(batch.width, batch.height))
        width, height = (max(1, round(side * scale)) for side in (batch.width, batch.height))
        rgb = self._rgb(batch, width, height, Interpolation.AREA)
        return np.ascontiguousarray(np.rot90(rgb, batch.rotation // 90))

    def planes(self, batch: FrameBatch, coding: Coding) -> tuple[Samples, Samples, Samples]:
        """Luma (H, W) and two chroma planes of half the size of the one picture of a batch.

        Pictures of 8 bits 4:2:0 in this coding keep every sample.

        Args:
            coding: of the result.
        """
        frame, own = batch.frames[0], batch.coding
        if batch.format == EIGHT_BIT and (own.matrix, own.full) == (coding.matrix, coding.full):
            planes = [as_array(plane) for plane in frame.planes]
        else:
            picture = self._writer(batch)(frame, batch)
            # BT.601 has two numbers, of which PyAV knows the first.
            matrix = Matrix.BT470BG if coding.matrix == Matrix.BT601 else coding.matrix
            if own.matrix not in (coding.matrix, Matrix.RGB):  # FFmpeg does it by way of RGB only
                picture = self._convert(picture, "rgb24", dst_color_range=int(Range.FULL))
            converted = self._convert(
                picture,
                "yuv420p",
                dst_colorspace=int(matrix),
                dst_color_range=int(Range.FULL if coding.full else Range.LIMITED),
            )
            sizes = EIGHT_BIT.plane_sizes(batch.width, batch.height)
            planes = [
                plane_rows(plane)[:rows, :columns]
                for plane, (rows, columns) in zip(converted.planes, sizes, strict=True)
            ]
        luma, cb, cr = (np.rot90(plane, batch.rotation // 90).copy() for plane in planes)
        return luma, cb, cr

    def _rgb(self, batch: FrameBatch, width: int, height: int, interpolation: int) -> Samples:
        """A view of a picture as stored, (height, width, 3)."""
        picture = self._writer(batch)(batch.frames[0], batch)
        size = {"width": width, "height": height}
        rgb = self._convert(picture, "rgb24", interpolation, dst_color_range=int(Range.FULL), **size)
        return plane_rows(rgb.planes[0])[:, : width * 3].reshape(height, width, 3)

    def _convert(
        self, picture: av.VideoFrame, format: str, interpolation: int = _GOOD, **target: int
    ) -> av.VideoFrame:
        return self._reformatter.reformat(
            picture, format=format, interpolation=interpolation, threads=1, **target
        )

    def _writer(self, batch: FrameBatch) -> PictureWriter:
        coding = batch.coding
        color = replace(
            batch.color,
            matrix=int(coding.matrix),
            range=int(Range.FULL if coding.full else Range.LIMITED),
        )
        key = (batch.format, color)
        if key not in self._writers:
            stored = batch.format
            if stored.model == "gray":  # which FFmpeg takes for full range, whatever it is tagged
                stored = PixelFormat("yuv", stored.depth, 1, 1)
            name = ffmpeg_name(stored)
            self._writers[key] = PictureWriter(Layout(name, name, color), color)
        return self._writers[key]


def rgb_view(memory: memoryview, batch: FrameBatch) -> npt.NDArray[Any]:
    """Memory of a payload as a picture, (H, W, 3)."""
    width, height = batch.displayed_size
    return np.frombuffer(memory, np.uint8).reshape(height, width, 3)


def plane_rows(plane: VideoPlane) -> npt.NDArray[Any]:
    """The memory of FFmpeg's plane, padding included: (h, w or more)."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
