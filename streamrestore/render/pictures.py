"""Pictures of any format as people see them: upright, 8 bit, 4:2:0, in one common coding."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from streamrestore.frames import (
    LUMA_WEIGHTS,
    Coding,
    ColorInfo,
    Frame,
    FrameBatch,
    Matrix,
    PixelFormat,
    Range,
)

Planes: TypeAlias = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""Luma (h, w) and two chroma planes of half the size, odd sizes rounded up."""

_Floats: TypeAlias = npt.NDArray[np.floating[Any]]

EIGHT_BIT = PixelFormat("yuv", 8, 1, 1)


def common_coding(batch: FrameBatch) -> Coding:
    """The coding in which pictures like those of `batch` are shown: its own, 8 bit, YCbCr."""
    coding = batch.coding
    if coding.matrix != Matrix.RGB:
        return Coding(coding.matrix, coding.full)
    width, height = batch.displayed_size
    return Coding(Matrix.BT709 if width >= 1280 or height > 576 else Matrix.BT601, full=False)


def tags_of(coding: Coding, source: ColorInfo) -> ColorInfo:
    """Tags of pictures in `coding`: explicit, because players guess from a size that is another now."""
    return ColorInfo(
        int(coding.matrix), Range.FULL if coding.full else Range.LIMITED, source.primaries, source.transfer
    )


def upright(frame: Frame, batch: FrameBatch, coding: Coding) -> Planes:
    """A picture as displayed, 8 bit 4:2:0.

    Args:
        coding: of the result; its depth is 8.
    """
    own = batch.coding
    if batch.format == EIGHT_BIT and (own.matrix, own.full) == (coding.matrix, coding.full):
        planes = [np.asarray(plane) for plane in frame.planes]
    else:
        planes = _converted(frame, batch, coding)
    turns = batch.rotation // 90
    luma, cb, cr = (np.rot90(plane, turns) for plane in planes)
    return luma, cb, cr


def _converted(frame: Frame, batch: FrameBatch, coding: Coding) -> list[npt.NDArray[Any]]:
    """Planes in another coding, depth or subsampling, not turned."""
    own, layout = batch.coding, batch.format
    planes = [np.asarray(plane, np.float32) for plane in frame.planes]
    if layout.model == "gray":
        empty = np.zeros((-(-batch.height // 2), -(-batch.width // 2)), np.float32)
        return _codes((_luma(planes[0], own), empty, empty), coding)
    if layout.model == "rgb":
        signals = _from_rgb([plane / layout.peak for plane in planes], coding.matrix)
        shifts = (0, 0)
    else:
        signals = (_luma(planes[0], own), _chroma(planes[1], own), _chroma(planes[2], own))
        shifts = (layout.shift_x, layout.shift_y)
        if own.matrix != coding.matrix:
            enlarged = [_enlarge(plane, shifts, signals[0].shape) for plane in signals[1:]]
            signals = _from_rgb(_to_rgb(signals[0], enlarged[0], enlarged[1], own.matrix), coding.matrix)
            shifts = (0, 0)
    luma, cb, cr = signals
    return _codes((luma, _to_half(cb, shifts, luma.shape), _to_half(cr, shifts, luma.shape)), coding)


def _luma(plane: _Floats, coding: Coding) -> _Floats:
    """Codes to 0 (black) .. 1 (white)."""
    unit = 1 << (coding.depth - 8)
    return plane / (256 * unit - 1) if coding.full else (plane - 16 * unit) / (219 * unit)


def _chroma(plane: _Floats, coding: Coding) -> _Floats:
    """Codes to -0.5 .. 0.5."""
    unit = 1 << (coding.depth - 8)
    return (plane - 128 * unit) / ((256 * unit - 1) if coding.full else 224 * unit)


def _codes(signals: tuple[_Floats, _Floats, _Floats], coding: Coding) -> list[npt.NDArray[Any]]:
    """The inverse of `_luma` and `_chroma`, at 8 bit."""
    luma, *chroma = signals
    codes = [luma * 255 if coding.full else luma * 219 + 16]
    codes += [plane * (255 if coding.full else 224) + 128 for plane in chroma]
    return [np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in codes]


def _from_rgb(rgb: list[_Floats], matrix: Matrix) -> tuple[_Floats, _Floats, _Floats]:
    """Y = Kr R + Kg G + Kb B, Cb = (B - Y) / 2(1 - Kb), Cr = (R - Y) / 2(1 - Kr) (H.273)."""
    kr, kb = LUMA_WEIGHTS[matrix]
    red, green, blue = rgb
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    return luma, (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))


def _to_rgb(luma: _Floats, cb: _Floats, cr: _Floats, matrix: Matrix) -> list[_Floats]:
    kr, kb = LUMA_WEIGHTS[matrix]
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    return [red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue]


def _enlarge(plane: _Floats, shifts: tuple[int, int], shape: tuple[int, ...]) -> _Floats:
    """Chroma repeated to the size of luma."""
    enlarged = plane.repeat(1 << shifts[1], axis=0).repeat(1 << shifts[0], axis=1)
    return enlarged[: shape[0], : shape[1]]


def _to_half(plane: _Floats, shifts: tuple[int, int], shape: tuple[int, ...]) -> _Floats:
    """Chroma of any subsampling at half the size of luma, by means or by repetition."""
    for axis, shift in ((1, shifts[0]), (0, shifts[1])):
        size = -(-shape[axis] // 2)
        if shift == 0:
            if plane.shape[axis] % 2:  # the last one stands alone
                plane = np.concatenate((plane, plane.take([-1], axis)), axis)
            plane = (plane.take(range(0, 2 * size, 2), axis) + plane.take(range(1, 2 * size, 2), axis)) / 2
        elif shift > 1:
            plane = plane.repeat(1 << (shift - 1), axis).take(range(size), axis)
    return plane
