"""Interlaced files, made whole by bwdif: as many pictures at the same times, and no combs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamrestore.decode import can_deinterlace, open_source
from streamrestore.decode.formats import layout_of
from streamrestore.decode.interlace import UNMARKED, Deinterlacer, deinterlace
from streamrestore.errors import UnsupportedVideo
from streamrestore.frames import Frame, FrameBatch
from tests.media import (
    Planes,
    field_marks,
    flip_bytes,
    from_frame,
    plane_shapes,
    random_planes,
    read_planes,
    sample_type,
    to_frame,
    write_video,
)

SIZE = (96, 64)
X264 = {"codec": "libx264", "options": {"qp": "0", "preset": "ultrafast", "g": "6", "bf": "2"}}
MPEG2 = {"codec": "mpeg2video", "options": {"qscale": "2", "g": "6"}}
FILES: dict[str, dict[str, Any]] = {"a.mp4": X264, "a.mkv": X264, "a.ts": X264, "b.ts": MPEG2, "b.mkv": MPEG2}


def bar(time: float, pix_fmt: str) -> Planes:
    """A white bar that moves to the right, on grey with a soft pattern."""
    (rows, samples), *chroma = plane_shapes(pix_fmt, SIZE)
    unit = 1 << (av.VideoFormat(pix_fmt).components[0].bits - 8)
    kind = sample_type(pix_fmt)
    y, x = np.mgrid[0:rows, 0:samples]
    luma = 70 + 20 * np.sin(x / 9) + 15 * np.cos(y / 11)
    left = 8 + time
    luma[:, (x[0] >= left) & (x[0] < left + 12)] = 210
    return [np.rint(luma * unit).astype(kind), *(np.full(shape, 128 * unit, kind) for shape in chroma)]


def woven(count: int, pix_fmt: str = "yuv420p", order: str = "top", speed: int = 4) -> list[Planes]:
    """Frames of which the later field shows the bar half a frame later."""
    later = 1 if order == "top" else 0
    frames = []
    for number in range(count):
        early, late = bar(speed * number, pix_fmt), bar(speed * (number + 0.5), pix_fmt)
        for a, b in zip(early, late, strict=True):
            a[later::2] = b[later::2]
        frames.append(early)
    return frames


def read(path: Path, **options: Any) -> tuple[list[Frame], list[FrameBatch]]:
    """All frames of a file, and the batches that they came in."""
    with open_source(path, **options) as source:
        batches = list(source)
    return [frame for batch in batches for frame in batch.frames], batches


def combs(frame: Frame) -> float:
    """How much neighbouring lines differ, against lines of the same field."""
    luma = frame.planes[0].astype(float)
    return float(np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) / 2).max())


def same(a: Frame, b: Frame) -> bool:
    """Sample by sample."""
    return all(np.array_equal(x, y) for x, y in zip(a.planes, b.planes, strict=True))


class TestPictures:
    @pytest.mark.parametrize("order", ["top", "bottom"])
    @pytest.mark.parametrize("name", FILES)
    def test_no_combs(self, tmp_path: Path, name: str, order: Any) -> None:
        """Count, times, durations, keys stay; the bar has straight edges, where the earlier field has it."""
        write_video(tmp_path / name, planes=woven(13, order=order), interlaced=order, **FILES[name])
        before, _ = read(tmp_path / name)
        assert all(frame.interlaced and frame.top_field_first == (order == "top") for frame in before)
        assert all(combs(frame) > 60 for frame in before)

        after, _ = read(tmp_path / name, deinterlace=True)

        for one in ("pts", "duration", "index", "key", "corrupt"):
            assert [getattr(f, one) for f in after] == [getattr(f, one) for f in before]
        assert not any(frame.interlaced for frame in after)
        # lossy MPEG-2 blurs edges from line to line a little
        assert max(combs(frame) for frame in after[1:]) < (12 if name[0] == "a" else 30)
        for number, frame in enumerate(after):
            wanted = bar(4 * number, "yuv420p")[0].astype(float)
            assert np.abs(frame.planes[0] - wanted).mean() < 3

    @pytest.mark.parametrize(
        "pix_fmt",
        ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv422p12le", "gray"],
    )
    def test_formats(self, tmp_path: Path, pix_fmt: str) -> None:
        """Deep and wide chroma too; what goes in as 10 bit comes out as 10 bit."""
        planes = woven(6, pix_fmt)
        write_video(tmp_path / "a.mkv", planes=planes, pix_fmt=pix_fmt, interlaced="top")
        raw, (batch, *_) = read(tmp_path / "a.mkv")
        assert raw[0].interlaced

        after, (made, *_) = read(tmp_path / "a.mkv", deinterlace=True)

        unit = 1 << (batch.format.depth - 8)
        assert made.format == batch.format
        assert max(combs(frame) for frame in after) < 12 * unit < min(combs(frame) for frame in raw)

    @pytest.mark.parametrize("pix_fmt", ["nv12", "uyvy422", "yuyv422", "bgr0", "yuv420p10be"])
    def test_packed_formats(self, pix_fmt: str) -> None:
        """Planes come out, with the very samples where nothing moves."""
        picture = to_frame(random_planes(pix_fmt, SIZE, pattern="flat", seed=3), pix_fmt, SIZE)
        planar = layout_of(pix_fmt).repack
        marks = field_marks(pix_fmt, SIZE, "top")

        def frames() -> Iterator[av.VideoFrame]:
            for number in range(3):
                picture.pts, picture.time_base = number, Fraction(1, 25)
                marks.push(picture)
                yield marks.vpull()

        after = list(deinterlace(frames()))

        assert [frame.pts for frame in after] == [0, 1, 2]
        assert not any(frame.interlaced_frame for frame in after)
        wanted = from_frame(picture.reformat(format=planar))
        for frame in after:
            assert frame.format.name == planar
            assert all(np.array_equal(a, b) for a, b in zip(from_frame(frame), wanted, strict=True))

    def test_without_movement(self, tmp_path: Path) -> None:
        """A still picture stays nearly what it was, its fine vertical detail too."""
        still = random_planes("yuv420p", SIZE, pattern="smooth")
        still[0][20:40:2, 30:60] //= 2  # one line on, one line off
        write_video(tmp_path / "a.mkv", planes=[still] * 7, interlaced="top")

        after, _ = read(tmp_path / "a.mkv", deinterlace=True)

        assert len(after) == 7
        for frame in after[2:-2]:
            for plane, wanted in zip(frame.planes, still, strict=True):
                assert np.abs(plane.astype(int) - wanted).max() <= 2

    def test_progressive_pictures_between_stay(self, tmp_path: Path) -> None:
        """What is not marked is not touched, bit by bit."""
        write_video(tmp_path / "a.mkv", planes=woven(5))  # combed, but not marked

        plain, _ = read(tmp_path / "a.mkv")
        after, _ = read(tmp_path / "a.mkv", deinterlace=True)

        assert not any(frame.interlaced for frame in plain)
        assert all(same(a, b) for a, b in zip(plain, after, strict=True))

    def test_change_on_the_way(self) -> None:
        """Size, format or tags change: every frame still comes out, in order, as what it was."""
        kinds = [("yuv420p", SIZE, 1), ("yuv420p", (64, 48), 1), ("gray10le", SIZE, 1), ("yuv422p", SIZE, 6)]

        def frames() -> Iterator[av.VideoFrame]:
            for number, (pix_fmt, size, matrix) in enumerate(kind for kind in kinds for _ in range(3)):
                marks = field_marks(pix_fmt, size, "top")
                marks.push(to_frame(random_planes(pix_fmt, size, seed=number), pix_fmt, size))
                frame = marks.vpull()
                frame.pts, frame.colorspace = (None if number == 1 else number), matrix
                yield frame

        after = list(deinterlace(frames()))

        assert [frame.pts for frame in after] == [0, None, *range(2, 12)]
        found = [(frame.format.name, (frame.width, frame.height), int(frame.colorspace)) for frame in after]
        assert found == [kind for kind in kinds for _ in range(3)]

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_short(self, tmp_path: Path, count: int) -> None:
        """No picture is lost at the end, however few there are."""
        write_video(tmp_path / "a.mkv", planes=woven(count), interlaced="top")
        assert len(read(tmp_path / "a.mkv", deinterlace=True)[0]) == count

    def test_what_it_does_not_take_stays(self, tmp_path: Path) -> None:
        """Deep grey: given out as it is."""
        write_video(tmp_path / "a.mkv", planes=woven(3, "gray10le"), pix_fmt="gray10le", interlaced="top")

        plain, _ = read(tmp_path / "a.mkv")
        after, _ = read(tmp_path / "a.mkv", deinterlace=True)

        assert all(same(a, b) for a, b in zip(plain, after, strict=True))
        assert all(frame.interlaced for frame in after)


class TestTags:
    def test_survive(self, tmp_path: Path) -> None:
        """Colour, shape of the pixels and rotation belong to the batch, and stay."""
        write_video(
            tmp_path / "a.mp4", planes=woven(5), interlaced="top", matrix=5, range=1, primaries=5, transfer=6,
            rotation=90, sample_aspect_ratio=Fraction(16, 15), **X264,
        )  # fmt: skip

        _, (plain,) = read(tmp_path / "a.mp4")
        _, (after,) = read(tmp_path / "a.mp4", deinterlace=True)

        assert plain.color.matrix == 5
        assert plain.rotation == 90
        for field in fields(FrameBatch):
            if field.name != "frames":
                assert getattr(after, field.name) == getattr(plain, field.name)

    @pytest.mark.parametrize("matrix", [0, 1, 2, 6, 9, 14])
    def test_any_matrix(self, tmp_path: Path, matrix: int) -> None:
        """The filter does not ask what samples mean."""
        write_video(
            tmp_path / "a.mkv", planes=woven(3, "yuv444p"), pix_fmt="yuv444p", interlaced="top", matrix=matrix
        )
        _, (after,) = read(tmp_path / "a.mkv", deinterlace=True)
        assert after.color.matrix == read_planes(tmp_path / "a.mkv").tags[0]


class TestInTheMiddle:
    @pytest.mark.parametrize("seek", [True, False])
    @pytest.mark.parametrize("name", FILES)
    def test_same_as_from_the_beginning(self, tmp_path: Path, name: str, seek: bool) -> None:
        """From any picture on, a key picture too: bit by bit what a pass over the whole gives."""
        rate = 25 if name[0] == "b" else 3  # seeking begins a second before
        write_video(tmp_path / name, planes=woven(14), interlaced="top", rate=rate, **FILES[name])
        whole, _ = read(tmp_path / name, deinterlace=True)
        assert sum(frame.key for frame in whole) > 1

        for frame in whole:
            part, _ = read(
                tmp_path / name, deinterlace=True, start=frame.pts, start_index=frame.index, seek=seek
            )
            assert [f.index for f in part] == list(range(frame.index, len(whole)))
            assert [f.pts for f in part] == [f.pts for f in whole[frame.index :]]
            assert all(same(a, b) for a, b in zip(part, whole[frame.index :], strict=True))

    def test_threads_change_nothing(self, tmp_path: Path) -> None:
        """The filter works on lines."""
        write_video(tmp_path / "a.mkv", planes=woven(6), interlaced="top", **X264)
        one, _ = read(tmp_path / "a.mkv", deinterlace=True)
        two, _ = read(tmp_path / "a.mkv", deinterlace=True, threads=2)
        assert all(same(a, b) for a, b in zip(one, two, strict=True))


class TestDamage:
    @pytest.mark.parametrize("name", ["a.ts", "b.ts", "a.mp4"])
    def test_counted_alike(self, tmp_path: Path, name: str) -> None:
        """What is lost, and which pictures are damaged, does not depend on the filter."""
        write_video(tmp_path / name, planes=woven(40), interlaced="top", **FILES[name])
        flip_bytes(tmp_path / name, 30)

        found = []
        for deinterlaced in (False, True):
            with open_source(tmp_path / name, deinterlace=deinterlaced) as source:
                frames = [frame for batch in source for frame in batch.frames]
                marks = [(frame.pts, frame.duration, frame.corrupt) for frame in frames]
                found.append((marks, dict(source.status.losses), source.status.notes))

        assert found[0] == found[1]
        assert found[0][1]


class TestCanDeinterlace:
    @pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "nv12", "uyvy422", "gbrp", "yuv420p10be"])
    def test_yes(self, name: str) -> None:
        """What cameras and recorders write."""
        assert can_deinterlace(name, 720, 576)

    @pytest.mark.parametrize(
        ("name", "size"), [("gray10le", SIZE), ("pal8", SIZE), ("yuv440p10le", SIZE), ("yuv420p", (4, 64))]
    )
    def test_no(self, name: str, size: tuple[int, int]) -> None:
        """What the filter would convert, or refuse."""
        assert not can_deinterlace(name, *size)

    def test_refused(self) -> None:
        """What is not decoded at all."""
        with pytest.raises(UnsupportedVideo):
            can_deinterlace("yuva420p", *SIZE)


class Camera:
    """Frames one by one, marked as interlaced or not.

    Attributes:
        given: how many were asked for.
    """

    def __init__(self, *runs: tuple[int, bool]) -> None:
        self.runs, self.given = runs, 0

    def __iter__(self) -> Iterator[av.VideoFrame]:
        marks = field_marks("yuv420p", SIZE, "top")
        for marked in [marked for count, marked in self.runs for _ in range(count)]:
            frame = to_frame(woven(self.given + 1)[-1], "yuv420p", SIZE)
            if marked:
                marks.push(frame)
                frame = marks.vpull()
            frame.pts = self.given
            self.given += 1
            yield frame


def late(camera: Camera, made: Deinterlacer) -> list[int]:
    """How many frames had been asked for after each picture when it came, in their order."""
    waited = []
    for number, frame in enumerate(made.through(camera)):
        assert frame.pts == number
        waited.append(camera.given - 1 - number)
        assert made.active == (waited[-1] > 0)
    return waited


class TestLive:
    """Pictures of cameras: nothing waits without need."""

    def test_progressive_pictures_do_not_wait(self) -> None:
        """They are the decoder's own."""
        frames = list(Camera((5, False)))

        assert all(a is b for a, b in zip(frames, Deinterlacer("lazily").through(frames), strict=True))

    def test_marks_that_come_and_go(self) -> None:
        """From the first one on, a picture waits for the next; long after the last one, none does."""
        camera = Camera((3, False), (2, True), (UNMARKED + 2, False))

        waited = late(camera, Deinterlacer("lazily"))

        assert waited == [0] * 3 + [1] * (2 + UNMARKED - 1) + [0] * 3

    def test_pictures_without_marks(self, tmp_path: Path) -> None:
        """Some encoders forget them; told to, bwdif takes all pictures."""
        write_video(tmp_path / "a.mkv", planes=woven(6))

        after, _ = read(tmp_path / "a.mkv", deinterlace="all")

        assert max(combs(frame) for frame in after[1:]) < 12
