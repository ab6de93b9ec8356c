"""Comparison videos."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamrestore.errors import Interrupted, OutputExists, UsageError
from streamrestore.frames import Coding, Matrix
from streamrestore.render.comparison import Label, Layout, compare_files
from streamrestore.settings import EncodeSettings
from tests.encode.helpers import packet_hashes, read_times
from tests.media import Read, read_planes, write_video

LOSSLESS = EncodeSettings(codec="ffv1")


def grey(level: int, size=(64, 48), frames: int = 4):
    """Pictures of one grey."""
    width, height = size
    half = (-(-height // 2), -(-width // 2))
    chroma = [np.full(half, 128, np.uint8)] * 2
    return [[np.full((height, width), level, np.uint8), *chroma] for _ in range(frames)]


def compare(folder: Path, *, settings: EncodeSettings = LOSSLESS, name: str = "c.mkv", **more) -> Read:
    """Compare a.mkv with b.mkv."""
    report = compare_files(str(folder / "a.mkv"), str(folder / "b.mkv"), folder / name, settings, **more)
    read = read_planes(folder / name)
    assert report.frames == len(read.planes)
    return read


class TestSide:
    """Side by side."""

    @pytest.mark.parametrize("size", [(64, 48), (63, 47)])
    def test_both_are_there_sample_for_sample(self, tmp_path, size):
        """Each half is its video exactly, where no label lies."""
        a = write_video(tmp_path / "a.mkv", frames=3, size=size, seed=1)
        b = write_video(tmp_path / "b.mkv", frames=3, size=size, seed=9)
        read = compare(tmp_path, labels=("", ""))
        width = size[0]
        layout = Layout.of(size, "side")
        assert read.size == layout.canvas == (130, 48)
        for picture, first, second in zip(read.planes, a, b, strict=True):
            for index, (plane, left, right) in enumerate(zip(picture, first, second, strict=True)):
                half = int(index > 0)
                rows, columns = left.shape
                start = layout.second >> half
                assert (plane[:rows, :columns] == left).all()
                assert (plane[:rows, start : start + columns] == right).all()
        assert (read.planes[0][0][:, width : layout.second] == 16).all()

    def test_labels_lie_in_their_own_halves(self, tmp_path):
        """The words stand at the top left of each half, and the rest is untouched."""
        write_video(tmp_path / "a.mkv", planes=grey(200, (160, 90)))
        write_video(tmp_path / "b.mkv", planes=grey(100, (160, 90)))
        luma = compare(tmp_path).planes[0][0].astype(int)
        changed = np.argwhere(luma != np.where(np.arange(luma.shape[1]) < 160, 200, 100))
        changed = changed[(changed[:, 1] < 160) | (changed[:, 1] >= 162)]
        assert changed[:, 0].max() < 40
        left, right = changed[changed[:, 1] < 160][:, 1], changed[changed[:, 1] > 160][:, 1] - 162
        assert (left.min(), right.min()) == (4, 4)
        assert left.max() < 80
        assert luma[:40, :80].max() > 225


class TestWipe:
    """A moving line."""

    def test_line_parts_the_two(self, tmp_path):
        """Left of the line is the first, right of it the second."""
        write_video(tmp_path / "a.mkv", planes=grey(200, frames=75), rate=25)
        write_video(tmp_path / "b.mkv", planes=grey(100, frames=75), rate=25)
        read = compare(tmp_path, mode="wipe", labels=("", ""))
        lines = []
        for picture in read.planes:
            row = picture[0][30].astype(int)
            line = int(np.flatnonzero(row == 235)[0])
            assert set(row[:line]) <= {200}
            assert set(row[line + 2 :]) == {100}
            lines.append(line)
        assert lines == sorted(lines)
        assert lines[0] < 10
        assert lines[-1] > 54

    def test_line_moves_to_and_fro(self):
        """It comes back, and stays within the picture."""
        layout = Layout.of((640, 360), "wipe")
        places = [layout.line(seconds) for seconds in np.linspace(0, 6, 61)]
        assert places[0] == places[-1]
        assert max(places) == places[30]
        assert all(0 < place < 640 and place % 2 == 0 for place in places)


class TestAlike:
    """Videos that differ in what does not matter."""

    def test_rotation_is_taken_out(self, tmp_path):
        """A sideways video with a tag beside an upright one: both are shown upright."""
        stored = write_video(tmp_path / "a.mkv", frames=2, size=(64, 48), rotation=90)
        upright = [[np.rot90(plane) for plane in planes] for planes in stored]
        write_video(tmp_path / "b.mkv", planes=upright)
        read = compare(tmp_path, labels=("", ""))
        assert read.rotation == 0
        second = Layout.of((48, 64), "side").second
        for luma, _, _ in read.planes:
            assert (luma[:64, :48] == luma[:64, second : second + 48]).all()

    @pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv444p", "bgr0", "gray"])
    def test_other_formats_beside_8_bit(self, tmp_path, pix_fmt):
        """Depth, sampling and RGB do not matter."""
        write_video(tmp_path / "a.mkv", frames=2, size=(64, 48))
        write_video(tmp_path / "b.mkv", frames=2, size=(64, 48), pix_fmt=pix_fmt, codec="ffv1")
        assert compare(tmp_path).pix_fmt == "yuv420p"

    def test_colour_is_tagged(self, tmp_path):
        """What was assumed for the sources is written down: the canvas is of another size."""
        for name in ("a.mkv", "b.mkv"):
            write_video(tmp_path / name, frames=2, size=(720, 40))
        assert compare(tmp_path).tags[:2] == (6, 1)

    def test_timing_and_sound_are_the_firsts(self, tmp_path):
        """Uneven times stay, and audio packets are the same."""
        times = [0, 40, 120, 133]
        write_video(
            tmp_path / "a.mkv", times=times, frames=4, time_base=Fraction(1, 1000), size=(64, 48), audio=True
        )
        write_video(tmp_path / "b.mkv", frames=4, size=(64, 48))
        compare(tmp_path)
        first = read_times(tmp_path / "a.mkv")
        assert read_times(tmp_path / "c.mkv").video == first.video
        assert packet_hashes(tmp_path / "c.mkv") == packet_hashes(tmp_path / "a.mkv")


class TestRefused:
    """What cannot be compared."""

    @pytest.mark.parametrize(
        ("other", "said"),
        [
            ({"size": (48, 64)}, "48x64 as displayed"),
            ({"frames": 3}, "has 3 frames"),
            ({"frames": 5}, "has 4 frames"),
        ],
    )
    def test_unlike_videos(self, tmp_path, other, said):
        """Another size or number of frames is named, and nothing is left."""
        write_video(tmp_path / "a.mkv", frames=4, size=(64, 48))
        write_video(tmp_path / "b.mkv", **({"frames": 4, "size": (64, 48)} | other))
        with pytest.raises(UsageError, match=said):
            compare(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "b.mkv"]

    def test_stop(self, tmp_path):
        """Interrupted in the middle, it leaves nothing."""
        for name in ("a.mkv", "b.mkv"):
            write_video(tmp_path / name, frames=4, size=(64, 48))
        done: list[int] = []
        with pytest.raises(Interrupted):
            compare(tmp_path, on_frames=lambda count, *_: done.append(count), stop=lambda: len(done) == 2)
        assert done == [1, 2]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "b.mkv"]

    def test_output_that_is_there(self, tmp_path):
        """Nothing is replaced unasked."""
        for name in ("a.mkv", "b.mkv", "c.mkv"):
            write_video(tmp_path / name, frames=2, size=(64, 48))
        with pytest.raises(OutputExists):
            compare(tmp_path)


class TestLabel:
    """Words in pictures."""

    @pytest.mark.parametrize("size", [(16, 16), (33, 17), (360, 640), (1920, 1080)])
    @pytest.mark.parametrize("right", [False, True])
    def test_any_size(self, size, right):
        """A word is drawn as far as it fits, and never outside."""
        width, height = size
        half = (-(-height // 2), -(-width // 2))
        planes = (
            np.full((height, width), 150, np.uint8),
            np.full(half, 90, np.uint8),
            np.full(half, 160, np.uint8),
        )
        Label("a rather long label", size, Coding(Matrix.BT709, full=False), right=right)(planes)
        assert planes[0].max() <= 235
        assert (planes[0] != 150).any()

    def test_ground_is_dark_and_grey(self):
        """Bright, colourful pictures do not drown the word."""
        planes = (
            np.full((360, 640), 235, np.uint8),
            np.full((180, 320), 60, np.uint8),
            np.full((180, 320), 220, np.uint8),
        )
        Label("before", (640, 360), Coding(Matrix.BT709, full=False))(planes)
        assert planes[0][10, 10] < 110
        assert abs(int(planes[2][5, 5]) - 128) < 40
