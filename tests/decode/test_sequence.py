"""Numbered still pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamrestore.decode import losses as kinds
from streamrestore.decode import open_source
from streamrestore.decode.sequence import find_numbers, runs
from streamrestore.errors import InputNotFound
from streamrestore.frames import PixelFormat, Range
from tests.media import random_planes, write_pictures


class TestSequence:
    """A pattern in place of a file."""

    def test_pictures_are_exact(self, tmp_path: Path) -> None:
        """PNG pictures come out sample by sample, at 25 pictures per second, whatever the first number is."""
        write_pictures(tmp_path, "%03d.png", [7, 8, 9])

        with open_source(tmp_path / "%03d.png") as source:
            (batch,) = source

        assert source.info.format == PixelFormat("rgb")
        assert source.info.rate == 25
        assert [batch.seconds(frame) for frame in batch.frames] == [0, 0.04, 0.08]
        for number, frame in zip([7, 8, 9], batch.frames, strict=True):
            (packed,) = random_planes("rgb24", (32, 24), seed=number, pattern="smooth")
            assert all(np.array_equal(plane, packed[:, c::3]) for c, plane in enumerate(frame.planes))

    def test_gaps_are_losses(self, tmp_path: Path) -> None:
        """Missing numbers are counted, and the others keep their place in time."""
        write_pictures(tmp_path, "in_%d.jpg", [1, 2, 3, 6, 9, 10])

        with open_source(tmp_path / "in_%d.jpg", rate=10) as source:
            frames = [frame for batch in source for frame in batch.frames]

        assert [frame.pts * source.info.time_base * 10 for frame in frames] == [0, 1, 2, 5, 8, 9]
        assert [frame.index for frame in frames] == list(range(6))
        assert source.status.losses == {kinds.NO_FILE: 4}

    def test_rate(self, tmp_path: Path) -> None:
        """Any rate may be given."""
        write_pictures(tmp_path, "%02d.bmp", [0, 1])

        with open_source(tmp_path / "%02d.bmp", rate=Fraction(30000, 1001)) as source:
            assert source.info.rate == Fraction(30000, 1001)
            (batch,) = source

        assert batch.frames[1].pts * batch.time_base == Fraction(1001, 30000)

    def test_full_range(self, tmp_path: Path) -> None:
        """JPEG is full range."""
        write_pictures(tmp_path, "%d.jpg", [1])

        with open_source(tmp_path / "%d.jpg") as source:
            assert source.info.color.range == Range.FULL

    def test_sizes_may_differ(self, tmp_path: Path) -> None:
        """A picture of another size begins a batch, if they are asked for; else it is a loss."""
        write_pictures(tmp_path, "%d.png", [1, 2])
        write_pictures(tmp_path, "%d.png", [3], size=(16, 16))

        with open_source(tmp_path / "%d.png") as source:
            assert [(batch.width, len(batch)) for batch in source] == [(32, 2)]
        assert source.status.losses.total() == 1
        with open_source(tmp_path / "%d.png", one_kind=False) as source:
            assert [(batch.width, len(batch)) for batch in source] == [(32, 2), (16, 1)]

    def test_a_picture_that_is_broken(self, tmp_path: Path) -> None:
        """One bad file among good ones is counted and left out."""
        write_pictures(tmp_path, "%d.png", [1, 2, 3, 4])
        (tmp_path / "3.png").write_bytes(b"no picture")

        with open_source(tmp_path / "%d.png") as source:
            count = sum(len(batch) for batch in source)

        assert count == 3
        assert source.status.losses

    def test_a_single_picture(self, tmp_path: Path) -> None:
        """A picture by name is a video of one frame."""
        write_pictures(tmp_path, "%d.png", [5])

        with open_source(tmp_path / "5.png") as source:
            assert [len(batch) for batch in source] == [1]

    def test_nothing_fits(self, tmp_path: Path) -> None:
        """A pattern without a file is refused in one line."""
        write_pictures(tmp_path, "%d.png", [5])

        with pytest.raises(InputNotFound, match="no file fits"):
            open_source(tmp_path / "%04d.png")
        with pytest.raises(InputNotFound, match="no file fits"):
            open_source(tmp_path / "nowhere" / "%04d.png")

    def test_odd_folders(self, tmp_path: Path) -> None:
        """The folder's name may hold percent signs."""
        folder = tmp_path / "100%d done"
        folder.mkdir()
        write_pictures(folder, "%02d.png", [3, 4])

        with open_source(folder / "%02d.png") as source:
            assert sum(len(batch) for batch in source) == 2

    def test_numbers(self, tmp_path: Path) -> None:
        """Only names that the pattern itself would make count."""
        for name in ("a001.png", "a1.png", "a0002.png", "b003.png", "a004.png.tmp", "a-05.png", "a1000.png"):
            (tmp_path / name).touch()

        assert find_numbers(tmp_path / "a%03d.png") == [1, 1000]
        assert find_numbers(tmp_path / "a%d.png") == [1, 1000]
        assert runs([1, 2, 3, 7, 9, 10]) == [(1, 3), (7, 7), (9, 10)]
        assert runs([]) == []
