"""Decoded planes as the RGB pictures that are published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from streamrestore.encode.pictures import Layout, PictureWriter, as_array, ffmpeg_name
from streamrestore.frames import ColorInfo, FrameBatch, PixelFormat, Range


class RgbWriter:
    """Turns pictures into RGB, as displayed; for one thread at a time."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._writers: dict[tuple[PixelFormat, ColorInfo], PictureWriter] = {}

    def write(self, batch: FrameBatch, out: npt.NDArray[np.uint8]) -> None:
        """Write the one picture of a batch into `out`, (H, W, 3), of its displayed size.

        RGB of 8 bits keeps every sample. Other pictures go by their own matrix and range, or by those that
        are assumed (`frames.ColorInfo.coding`); chroma is interpolated.
        """
        frame = batch.frames[0]
        turns = batch.rotation // 90
        if batch.format.model == "rgb" and batch.format.depth == 8:
            for channel, plane in enumerate(frame.planes):
                out[..., channel] = np.rot90(as_array(plane), turns)
            return
        rgb = self._reformatter.reformat(
            self._writer(batch)(frame, batch),
            format="rgb24",
            dst_color_range=int(Range.FULL),
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
            threads=1,
        )
        rows = np.frombuffer(memoryview(rgb.planes[0]), np.uint8).reshape(rgb.height, -1)
        np.copyto(out, np.rot90(rows[:, : rgb.width * 3].reshape(rgb.height, rgb.width, 3), turns))

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
