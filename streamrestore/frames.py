"""Pictures as the decoder gives them: planes, times and colour. Data only; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Plane: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | Any
"""One plane of samples, (h, w): a numpy array on the CPU, a tensor on a GPU."""


SMALLEST, LARGEST = 16, 8192
"""Sides of a picture that can be restored, in pixels."""


class Matrix(IntEnum):
    """Matrix coefficients, numbered as in ITU-T H.273 (and FFmpeg)."""

    RGB = 0
    BT709 = 1
    UNSPECIFIED = 2
    FCC = 4
    BT470BG = 5
    BT601 = 6
    SMPTE240M = 7
    BT2020 = 9


class Range(IntEnum):
    """Code range, numbered as in FFmpeg: limited is 16-235 (8 bit), full is 0-255."""

    UNSPECIFIED = 0
    LIMITED = 1
    FULL = 2


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How samples are laid out in planes.

    Attributes:
        model: ``yuv`` (luma and two chroma planes), ``rgb`` (three planes in the order R, G, B)
            or ``gray`` (one plane).
        depth: bits per sample, 8 to 16; more than 8 are stored in the low bits of uint16.
        shift_x, shift_y: log2 of the chroma subsampling; 4:2:0 is (1, 1).
    """

    model: Literal["yuv", "rgb", "gray"]
    depth: int = 8
    shift_x: int = 0
    shift_y: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Sample type of the planes."""
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)

    @property
    def peak(self) -> int:
        """Greatest code: 255, 1023, ..."""
        return (1 << self.depth) - 1

    def plane_sizes(self, width: int, height: int) -> list[tuple[int, int]]:
        """(height, width) of each plane of a picture; chroma of odd sizes is rounded up."""
        if self.model == "gray":
            return [(height, width)]
        chroma = (-(-height >> self.shift_y), -(-width >> self.shift_x))
        return [(height, width), chroma, chroma]


@dataclass(frozen=True, slots=True)
class ColorInfo:
    """Colour tags as the stream carries them, numbered as in ITU-T H.273.

    2 (range: 0) means unspecified; `coding` says what is assumed then.
    """

    matrix: int = Matrix.UNSPECIFIED
    range: int = Range.UNSPECIFIED
    primaries: int = 2
    transfer: int = 2
    chroma_location: int = 0

    def coding(self, format: PixelFormat, width: int, height: int) -> Coding:
        """What the samples of a picture of `width` by `height`, as displayed, mean.

        Untagged colour is BT.709 for pictures at least 1280 wide or more than 576 high and BT.601
        otherwise, limited range; the result says which of it was assumed.
        """
        if format.model == "rgb":
            return Coding(Matrix.RGB, full=True, depth=format.depth)
        assumed: list[str] = []
        matrix = self.matrix
        if matrix not in LUMA_WEIGHTS:
            hd = width >= 1280 or height > 576
            matrix = Matrix.BT709 if hd else Matrix.BT601
            assumed.append("matrix")
        if self.range == Range.UNSPECIFIED:
            assumed.append("range")
        return Coding(Matrix(matrix), self.range == Range.FULL, format.depth, tuple(assumed))


@dataclass(frozen=True, slots=True)
class Coding:
    """What samples mean: the matrix, the code range, the depth, and what of it was assumed."""

    matrix: Matrix
    full: bool
    depth: int = 8
    assumed: tuple[str, ...] = ()


LUMA_WEIGHTS: dict[int, tuple[float, float]] = {
    Matrix.BT709: (0.2126, 0.0722),
    Matrix.FCC: (0.30, 0.11),
    Matrix.BT470BG: (0.299, 0.114),
    Matrix.BT601: (0.299, 0.114),
    Matrix.SMPTE240M: (0.212, 0.087),
    Matrix.BT2020: (0.2627, 0.0593),
}
"""(Kr, Kb) of each matrix (ITU-T H.273, table 4)."""

NOT_YCBCR = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "YDzDx",
    13: "chromaticity-derived",
    14: "ICtCp",
}
"""Codings that are not one linear matrix away from RGB; their pictures are not restored."""


HDR_TRANSFERS = {16: "PQ (SMPTE ST 2084)", 18: "HLG (ARIB STD-B67)"}
"""Transfer characteristics of high dynamic range (ITU-T H.273, table 3)."""


@dataclass(frozen=True, slots=True)
class MasteringDisplay:
    """The display on which a video was graded (SMPTE ST 2086).

    Attributes:
        primaries: x and y of red, green, blue and the white point (CIE 1931).
        luminance: the least and the greatest, in cd/m².
    """

    primaries: tuple[Fraction, ...]
    luminance: tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture.

    Attributes:
        planes: (h, w) views of uint8 or uint16, as `PixelFormat` says; often the decoder's own
            memory, which later frames are predicted from: never write to them.
        pts: presentation time in units of the batch's time base.
        duration: in the same units; 0 if unknown.
        index: position in the stream, counted from 0 in presentation order.
    """

    planes: tuple[Plane, ...]
    pts: int
    duration: int = 0
    index: int = 0
    key: bool = False
    corrupt: bool = False
    interlaced: bool = False
    top_field_first: bool = False
    """Of an interlaced picture: the field with the top line is the earlier one."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Frames of one size, format, time base, colour and orientation.

    Attributes:
        width, height: of the picture as stored, in pixels.
        rotation: degrees counterclockwise to turn the stored picture by for display
            (0, 90, 180 or 270).
        sample_aspect_ratio: width of a pixel over its height.
    """

    frames: tuple[Frame, ...]
    width: int
    height: int
    format: PixelFormat
    time_base: Fraction
    color: ColorInfo = ColorInfo()
    rotation: int = 0
    sample_aspect_ratio: Fraction = Fraction(1)

    def __len__(self) -> int:
        return len(self.frames)

    def seconds(self, frame: Frame) -> float:
        """Presentation time of one of the frames."""
        return float(frame.pts * self.time_base)

    @property
    def displayed_size(self) -> tuple[int, int]:
        """(width, height) after rotation."""
        return (self.height, self.width) if self.rotation % 180 else (self.width, self.height)

    @property
    def coding(self) -> Coding:
        """What the samples mean."""
        return self.color.coding(self.format, *self.displayed_size)
