"""Any picture as 8 bit 4:2:0, upright."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from streamrestore.frames import LUMA_WEIGHTS, Coding, ColorInfo, Frame, FrameBatch, Matrix, PixelFormat
from streamrestore.render.pictures import common_coding, tags_of, upright

TAGS_601 = ColorInfo(6, 1)
LIMITED_601 = Coding(Matrix.BT601, full=False)


def batch_of(planes, format: PixelFormat, color: ColorInfo = TAGS_601, rotation: int = 0) -> FrameBatch:
    """One frame."""
    height, width = planes[0].shape
    return FrameBatch((Frame(tuple(planes), 0),), width, height, format, Fraction(1, 25), color, rotation)


def flat(format: PixelFormat, codes, size=(6, 8)) -> list[np.ndarray]:
    """Planes of one colour."""
    sizes = format.plane_sizes(size[1], size[0])
    return [np.full(shape, code, format.dtype) for shape, code in zip(sizes, codes, strict=True)]


def show(batch: FrameBatch, coding: Coding = LIMITED_601):
    """Its only frame."""
    return upright(batch.frames[0], batch, coding)


def code(rgb, matrix: Matrix, full: bool = False) -> list[int]:
    """8-bit YCbCr of a colour, by H.273."""
    kr, kb = LUMA_WEIGHTS[matrix]
    red, green, blue = rgb
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    scale, offset, chroma = (255, 0, 255) if full else (219, 16, 224)
    return [round(y * scale + offset), round(cb * chroma + 128), round(cr * chroma + 128)]


class TestUpright:
    """One picture."""

    @pytest.mark.parametrize("rotation", [0, 90, 180, 270])
    def test_same_coding_keeps_every_sample(self, rotation):
        """8 bit 4:2:0 is only turned: counterclockwise, as `rotation` says."""
        random = np.random.default_rng(1)
        planes = [random.integers(0, 256, size, np.uint8) for size in ((7, 10), (4, 5), (4, 5))]
        shown = show(batch_of(planes, PixelFormat("yuv", 8, 1, 1), rotation=rotation))
        for plane, stored in zip(shown, planes, strict=True):
            assert (plane == np.rot90(stored, rotation // 90)).all()
        if rotation == 90:
            assert shown[0][0, 0] == planes[0][0, -1]  # the right edge comes up

    @pytest.mark.parametrize("sampling", [(0, 0), (1, 0), (1, 1), (0, 1), (2, 0), (2, 2)])
    @pytest.mark.parametrize("depth", [8, 10, 12])
    @pytest.mark.parametrize("size", [(6, 8), (5, 7)])
    def test_depth_and_sampling(self, sampling, depth, size):
        """A flat colour stays that colour, in planes of the right size."""
        layout = PixelFormat("yuv", depth, *sampling)
        unit = 1 << (depth - 8)
        luma, cb, cr = show(batch_of(flat(layout, (100 * unit, 90 * unit, 200 * unit), size), layout))
        assert luma.shape == size
        assert cb.shape == cr.shape == (-(-size[0] // 2), -(-size[1] // 2))
        assert {plane.dtype for plane in (luma, cb, cr)} == {np.dtype(np.uint8)}
        assert (luma == 100).all()
        assert (cb == 90).all()
        assert (cr == 200).all()

    @pytest.mark.parametrize("matrix", [Matrix.BT601, Matrix.BT709])
    def test_rgb_by_the_matrix(self, matrix):
        """RGB planes become the codes that the standard says."""
        rgb = PixelFormat("rgb", 8)
        shown = show(batch_of(flat(rgb, (255, 128, 0)), rgb), Coding(matrix, full=False))
        assert [int(plane[0, 0]) for plane in shown] == code((1, 128 / 255, 0), matrix)

    def test_other_matrix_and_range(self):
        """A picture in another coding shows the same colour."""
        layout = PixelFormat("yuv", 8, 1, 1)
        colour = (0.8, 0.3, 0.1)
        batch = batch_of(flat(layout, code(colour, Matrix.BT709, full=True)), layout, ColorInfo(1, 2))
        shown = show(batch)
        assert (
            np.abs([int(p[0, 0]) - c for p, c in zip(shown, code(colour, Matrix.BT601), strict=True)]).max()
            <= 1
        )

    def test_grey_has_no_colour(self):
        """One plane is enough."""
        gray = PixelFormat("gray", 10)
        luma, cb, cr = show(batch_of(flat(gray, (400,)), gray))
        assert (luma == 100).all()
        assert (cb == 128).all()
        assert (cr == 128).all()


class TestCoding:
    """The coding that both videos share."""

    def test_rgb_is_shown_in_ycbcr(self):
        """Encoders of the usual kind want YCbCr; its matrix goes by size."""
        rgb = PixelFormat("rgb", 8)
        assert common_coding(batch_of(flat(rgb, (0, 0, 0)), rgb)) == LIMITED_601

    def test_tags_say_what_was_assumed(self):
        """The comparison is larger than its source, so players would assume another matrix."""
        assert tags_of(LIMITED_601, ColorInfo(2, 0, 9, 16)) == ColorInfo(6, 1, 9, 16)
