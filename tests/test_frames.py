"""Frames and colour: data and the few rules in it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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

YUV420 = PixelFormat("yuv", 8, 1, 1)


class TestPixelFormat:
    """How samples are laid out."""

    @pytest.mark.parametrize(
        ("layout", "size", "planes"),
        [
            (YUV420, (64, 48), [(48, 64), (24, 32), (24, 32)]),
            (YUV420, (33, 27), [(27, 33), (14, 17), (14, 17)]),
            (YUV420, (1, 1), [(1, 1), (1, 1), (1, 1)]),
            (PixelFormat("yuv", 10, 1, 0), (33, 27), [(27, 33), (27, 17), (27, 17)]),
            (PixelFormat("yuv", 8, 2, 2), (9, 9), [(9, 9), (3, 3), (3, 3)]),
            (PixelFormat("yuv", 8, 0, 0), (5, 3), [(3, 5)] * 3),
            (PixelFormat("rgb"), (5, 3), [(3, 5)] * 3),
            (PixelFormat("gray"), (5, 3), [(3, 5)]),
        ],
    )
    def test_plane_sizes(
        self, layout: PixelFormat, size: tuple[int, int], planes: list[tuple[int, int]]
    ) -> None:
        """Sizes are (height, width); chroma of odd sizes is rounded up."""
        assert layout.plane_sizes(*size) == planes

    @pytest.mark.parametrize(
        ("depth", "dtype", "peak"), [(8, "u1", 255), (10, "u2", 1023), (16, "u2", 65535)]
    )
    def test_depth(self, depth: int, dtype: str, peak: int) -> None:
        """More than 8 bits stand in the low bits of 16."""
        layout = PixelFormat("gray", depth)

        assert layout.dtype == np.dtype(dtype)
        assert layout.peak == peak


class TestColour:
    """What tags mean, and what is assumed without them."""

    @pytest.mark.parametrize(
        ("size", "matrix"),
        [
            ((640, 480), Matrix.BT601),
            ((720, 576), Matrix.BT601),
            ((1024, 576), Matrix.BT601),
            ((720, 577), Matrix.BT709),
            ((1280, 544), Matrix.BT709),
            ((1920, 1080), Matrix.BT709),
        ],
    )
    def test_untagged(self, size: tuple[int, int], matrix: Matrix) -> None:
        """BT.709 from 1280 wide or above 576 high, BT.601 below; limited range; both are assumptions."""
        assert ColorInfo().coding(YUV420, *size) == Coding(matrix, False, 8, ("matrix", "range"))

    @pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
    def test_tags_are_believed(self, matrix: int) -> None:
        """A known matrix and range count at any size."""
        color = ColorInfo(matrix=matrix, range=Range.FULL)

        assert color.coding(PixelFormat("yuv", 10), 320, 240) == Coding(Matrix(matrix), True, 10)

    @pytest.mark.parametrize("matrix", [0, 2, 3, 8, 10, 14, 200])
    def test_what_cannot_be_computed_is_assumed(self, matrix: int) -> None:
        """Reserved numbers and matrices without constant weights fall back, and it is said."""
        coding = ColorInfo(matrix=matrix, range=Range.LIMITED).coding(YUV420, 320, 240)

        assert coding.matrix == Matrix.BT601
        assert coding.assumed == ("matrix",)

    def test_rgb_has_no_matrix(self) -> None:
        """RGB is full range whatever the tags say, and nothing is assumed."""
        coding = ColorInfo(matrix=1, range=1).coding(PixelFormat("rgb", 12), 1920, 1080)

        assert coding == Coding(Matrix.RGB, True, 12)

    @given(st.sampled_from(sorted(LUMA_WEIGHTS)))
    def test_weights(self, matrix: int) -> None:
        """Red and blue leave the most to green."""
        red, blue = LUMA_WEIGHTS[matrix]

        assert 0 < blue < red < 1 - red - blue < 1


class TestBatch:
    """Frames that belong together."""

    def batch(self, rotation: int = 0, frames: int = 2) -> FrameBatch:
        """Frames of 640 x 360."""
        planes = tuple(np.zeros(size, np.uint8) for size in YUV420.plane_sizes(640, 360))
        pictures = tuple(Frame(planes, 1000 + 40 * n, 40, n) for n in range(frames))
        return FrameBatch(pictures, 640, 360, YUV420, Fraction(1, 1000), rotation=rotation)

    @pytest.mark.parametrize(
        ("rotation", "size"), [(0, (640, 360)), (90, (360, 640)), (180, (640, 360)), (270, (360, 640))]
    )
    def test_displayed_size(self, rotation: int, size: tuple[int, int]) -> None:
        """A quarter turn swaps width and height."""
        assert self.batch(rotation).displayed_size == size

    def test_a_portrait_video_may_be_hd(self) -> None:
        """What is assumed follows from the picture as displayed: 640 high is more than 576."""
        assert self.batch(0).coding.matrix == Matrix.BT601
        assert self.batch(90).coding.matrix == Matrix.BT709

    def test_seconds(self) -> None:
        """Times are ticks times the time base."""
        batch = self.batch()

        assert [batch.seconds(frame) for frame in batch.frames] == [1.0, 1.04]
        assert len(batch) == 2

    def test_frames_are_frozen(self) -> None:
        """Nobody changes a frame that others hold."""
        frame = self.batch().frames[0]
        with pytest.raises(FrozenInstanceError):
            frame.pts = 5  # type: ignore[misc]

    def test_frames_are_compared_by_identity(self) -> None:
        """Arrays have no truth value; a frame equals itself alone, and can be a key."""
        first, second = self.batch().frames

        assert first != second
        assert len({first, second, first}) == 2
