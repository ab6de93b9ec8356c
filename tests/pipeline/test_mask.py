"""What is masked stays as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.engine import Restorer
from streamrestore.errors import InputNotFound, UsageError
from streamrestore.frames import FrameBatch, PixelFormat
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.mask import read_mask
from streamrestore.settings import JobSettings, read_settings
from tests.media import read_planes, write_video
from tests.restore.test_branch import FORMATS, make_batch


def changed(batch: FrameBatch) -> FrameBatch:
    """Every sample another one."""
    frames = tuple(replace(f, planes=tuple(np.asarray(p) ^ 1 for p in f.planes)) for f in batch.frames)
    return replace(batch, frames=frames)


class TestKeep:
    """On planes of every kind."""

    @pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
    def test_inside_and_outside(self, format: PixelFormat) -> None:
        """Inside every sample is the old one, outside the new one; chroma goes with any of its luma."""
        before = make_batch(format, (33, 47), frames=2)
        mask = read_mask(["5,7,10,9", "40,30,100,100"], 47, 33)
        assert mask is not None

        after = mask.keep(before, changed(before))

        for old, new in zip(before.frames, after.frames, strict=True):
            luma = np.asarray(old.planes[0]) == np.asarray(new.planes[0])
            expected = np.zeros((33, 47), bool)
            expected[7:16, 5:15] = expected[30:, 40:] = True
            np.testing.assert_array_equal(luma, expected)
            for a, b in zip(old.planes[1:], new.planes[1:], strict=True):
                same = np.asarray(a) == np.asarray(b)
                whole = np.kron(same, np.ones((1 << format.shift_y, 1 << format.shift_x), bool))[:33, :47]
                assert whole[expected].all()
                assert same.mean() < expected.mean() + 0.15

    @given(st.sampled_from([0, 90, 180, 270]), st.integers(0, 40), st.integers(0, 28))
    def test_as_displayed(self, rotation: int, x: int, y: int) -> None:
        """Coordinates are those of the upright picture."""
        before = make_batch(PixelFormat("yuv", 8, 1, 1), (32, 48), rotation=rotation)
        height, width = (48, 32) if rotation % 180 else (32, 48)
        x, y = min(x, width - 4), min(y, height - 4)
        mask = read_mask([f"{x},{y},4,4"], width, height)
        assert mask is not None

        after = mask.keep(before, changed(before))

        same = np.asarray(before.frames[0].planes[0]) == np.asarray(after.frames[0].planes[0])
        upright = np.rot90(same, rotation // 90)
        expected = np.zeros((height, width), bool)
        expected[y : y + 4, x : x + 4] = True
        np.testing.assert_array_equal(upright, expected)


class TestRead:
    """What users write."""

    def test_nothing(self) -> None:
        """No spec, no mask."""
        assert read_mask([], 10, 10) is None

    @pytest.mark.parametrize("spec", ["64,0,5,5", "0,0,0,5", "3,48,1,1"])
    def test_covers_nothing(self, spec: str) -> None:
        """A rectangle beside the picture is a mistake."""
        with pytest.raises(UsageError, match="covers nothing of a picture of 64x48"):
            read_mask([spec], 64, 48)

    def test_a_picture(self, tmp_path: Path) -> None:
        """White is kept; its size must be the video's."""
        white = np.zeros((48, 64, 3), np.uint8)
        white[10:20, 30:50] = 255
        av.VideoFrame.from_ndarray(white, format="rgb24").save(tmp_path / "mask.png")

        mask = read_mask([str(tmp_path / "mask.png")], 64, 48)

        assert mask is not None
        np.testing.assert_array_equal(mask.region, white[..., 0] > 0)
        with pytest.raises(UsageError, match="its picture is 64x48, the video's 48x64"):
            read_mask([str(tmp_path / "mask.png")], 48, 64)
        with pytest.raises(InputNotFound, match=r"mask .*: there is no such picture, and x,y,w,h it is not"):
            read_mask([str(tmp_path / "no.png")], 64, 48)


def test_in_a_file(tmp_path: Path, restorer: Restorer) -> None:
    """The part is as it was, sample for sample, and the rest is restored."""
    write_video(tmp_path / "in.mkv", frames=6)
    values = {"restore": {"branch": "rain", "mask": ["8,8,16,8"]}, "encode": {"codec": "ffv1"}}

    restore_file(
        str(tmp_path / "in.mkv"), tmp_path / "out.mkv", read_settings(JobSettings, values), restorer=restorer
    )

    old, new = (read_planes(tmp_path / name).planes for name in ("in.mkv", "out.mkv"))
    for a, b in zip(old, new, strict=True):
        np.testing.assert_array_equal(a[0][8:16, 8:24], b[0][8:16, 8:24])
        np.testing.assert_array_equal(a[1][4:8, 4:12], b[1][4:8, 4:12])
        assert not np.array_equal(a[0], b[0])
