"""Interlaced files in a job: what is decided, what is done, and what is told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.engine import Restorer
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.plan import plan_file
from streamrestore.pipeline.report import JobReport
from streamrestore.pipeline.scan import Scan, describe_scan, field_rate, why_kept
from streamrestore.settings import JobSettings, read_settings
from tests.decode.test_interlace import woven
from tests.media import Read, read_planes, write_video

X264 = {"codec": "libx264", "options": {"qp": "0", "preset": "ultrafast", "g": "6", "bf": "2"}}
LOSSLESS = {"codec": "ffv1", "force_encode": True}


def run(
    source: Path,
    target: Path,
    restorer: Restorer,
    *,
    encode: dict[str, Any] | None = None,
    windows: dict[str, float] | None = None,
    **restore: Any,
) -> JobReport:
    """Restore one file into another."""
    values = {
        "restore": {"branch": "rain", "strength": 0.01, **restore},
        "encode": encode or LOSSLESS,
        "windows": windows or {},
    }
    return restore_file(str(source), target, read_settings(JobSettings, values), restorer=restorer)


def write(path: Path, count: int = 12, order: Any = "top", **more: Any) -> None:
    """A bar that moves through interlaced pictures."""
    write_video(path, planes=woven(count, order=order), interlaced=order, **(X264 | more))


def combs(read: Read) -> float:
    """The strongest comb of all pictures but the first, which is made of one field."""
    lines = [picture[0].astype(float) for picture in read.planes[1:]]
    return max(float(np.abs(x[1:-1] - (x[:-2] + x[2:]) / 2).max()) for x in lines)


class TestJob:
    @pytest.mark.parametrize("codec", ["ffv1", "h264"])
    @pytest.mark.parametrize("order", ["top", "bottom"])
    def test_auto(self, tmp_path: Path, restorer: Restorer, order: str, codec: str) -> None:
        """Restored, so deinterlaced: count and times stay, combs go, and the report says so."""
        write(tmp_path / "a.mkv", order=order)

        report = run(tmp_path / "a.mkv", tmp_path / "b.mkv", restorer, encode={"codec": codec})

        before, after = read_planes(tmp_path / "a.mkv"), read_planes(tmp_path / "b.mkv")
        assert f"interlaced (50 fields/s, {order} field first): deinterlaced with bwdif" in report.notes
        assert not any("not marked as interlaced" in note for note in report.notes)
        assert after.seconds == pytest.approx(before.seconds, abs=0.001)
        assert len(after.planes) == len(before.planes) == report.frames_restored
        assert not any(after.interlaced)
        assert combs(after) < 30 < combs(before)

    def test_keep(self, tmp_path: Path, restorer: Restorer) -> None:
        """Fields stay where they are; nothing in the file says so, and that is told."""
        write(tmp_path / "a.mkv")

        report = run(tmp_path / "a.mkv", tmp_path / "b.mkv", restorer, interlaced="keep")

        assert any("field first): kept, since that was asked for" in note for note in report.notes)
        assert any("not marked as interlaced" in note for note in report.notes)
        assert combs(read_planes(tmp_path / "b.mkv")) > 60

    def test_progressive(self, tmp_path: Path, restorer: Restorer) -> None:
        """Not a word about fields, unless bwdif was asked for."""
        write_video(tmp_path / "a.mkv", planes=woven(6), **X264)

        silent = run(tmp_path / "a.mkv", tmp_path / "b.mkv", restorer)
        asked = run(tmp_path / "a.mkv", tmp_path / "c.mkv", restorer, interlaced="bwdif")

        assert not any("interlaced" in note for note in silent.notes)
        assert "--interlaced bwdif did nothing: no picture is marked as interlaced" in asked.notes

    def test_single_fields(self, tmp_path: Path, restorer: Restorer) -> None:
        """HEVC stores fields as pictures of their own: nothing is to be made whole."""
        options = {"x265-params": "log-level=none:interlace=tff", "preset": "ultrafast"}
        write_video(tmp_path / "a.mkv", planes=woven(6), codec="libx265", options=options, rate=50)
        assert all(read_planes(tmp_path / "a.mkv").interlaced)

        report = run(tmp_path / "a.mkv", tmp_path / "b.mkv", restorer)

        assert "interlaced (50 fields/s): kept, since each picture is a single field" in report.notes

    @pytest.mark.parametrize("wanted", ["auto", "bwdif"])
    def test_copy_is_a_copy(self, tmp_path: Path, restorer: Restorer, wanted: str) -> None:
        """Where nothing is restored, fields are copied with the packets."""
        write(tmp_path / "a.mkv")

        report = run(
            tmp_path / "a.mkv", tmp_path / "b.mkv", restorer,
            branch="none", interlaced=wanted, encode={"codec": "auto"},
        )  # fmt: skip

        assert report.copied
        assert all(read_planes(tmp_path / "b.mkv").interlaced)
        assert any("field first): copied as it is" in note for note in report.notes)
        assert any("--force-encode deinterlaces" in note for note in report.notes) == (wanted == "bwdif")

    @pytest.mark.parametrize("wanted", ["auto", "bwdif"])
    def test_only_encoded(self, tmp_path: Path, restorer: Restorer, wanted: str) -> None:
        """Untouched is exact, unless bwdif was asked for by name."""
        write(tmp_path / "a.mkv")

        report = run(tmp_path / "a.mkv", tmp_path / "b.mkv", restorer, branch="none", interlaced=wanted)

        before, after = read_planes(tmp_path / "a.mkv"), read_planes(tmp_path / "b.mkv")
        pairs = zip(before.planes, after.planes, strict=True)
        exact = all(np.array_equal(x, y) for a, b in pairs for x, y in zip(a, b, strict=True))
        assert exact == (wanted == "auto")
        assert (combs(after) < 30) == (wanted == "bwdif")
        assert any("nothing is restored" in note for note in report.notes) == (wanted == "auto")

    @pytest.mark.parametrize("extension", [".mkv", ".mp4", ".ts"])
    def test_segments(self, tmp_path: Path, restorer: Restorer, extension: str) -> None:
        """In many segments, by seeking, what one segment gives."""
        source = tmp_path / f"a{extension}"
        write(source, 40, rate=5)  # seeking begins a second early, which is before a key frame here
        cut = {"clip_seconds": 1.0, "segment_seconds": 1.0}

        one = run(source, tmp_path / "one.mkv", restorer, windows={"clip_seconds": 1.0})
        many = run(source, tmp_path / "many.mkv", restorer, windows=cut)

        assert len(many.clips) >= 7
        assert one.frames == many.frames == 40
        whole, joined = read_planes(tmp_path / "one.mkv"), read_planes(tmp_path / "many.mkv")
        assert sum(joined.keys) >= 7
        for a, b in zip(whole.planes, joined.planes, strict=True):
            assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))

    def test_each_segment_alone(self, tmp_path: Path, restorer: Restorer) -> None:
        """As workers make them, each with a decoder of its own."""
        from streamrestore.decode import open_source
        from streamrestore.pipeline.segments import cut_segments

        write(tmp_path / "a.mp4", 40, rate=5)
        values = {"restore": {"branch": "rain"}, "windows": {"clip_seconds": 1.0}}
        plan = plan_file(str(tmp_path / "a.mp4"), read_settings(JobSettings, values), restorer=restorer)
        assert (plan.deinterlace, plan.is_sound) == (True, True)
        with open_source(tmp_path / "a.mp4", deinterlace=True) as source:
            whole = [frame for batch in source for frame in batch.frames]
        for segment in cut_segments(plan.windows, 1.0):
            start = round(segment.start_seconds / plan.info.time_base) if segment.first_frame else None
            with open_source(
                tmp_path / "a.mp4", deinterlace=True, start=start, start_index=segment.first_frame
            ) as source:
                frame = next(iter(source)).frames[0]
            expected = whole[segment.first_frame]
            assert frame.pts == expected.pts
            assert all(np.array_equal(x, y) for x, y in zip(frame.planes, expected.planes, strict=True))

    def test_deep_colour_survives(self, tmp_path: Path, restorer: Restorer) -> None:
        """10 bit, tags, rotation and pixel shape."""
        tags = {"matrix": 5, "range": 1, "primaries": 5, "transfer": 6}
        write_video(
            tmp_path / "a.mkv", planes=woven(6, "yuv422p10le"), pix_fmt="yuv422p10le", interlaced="top",
            sample_aspect_ratio=Fraction(16, 15), rotation=90, **tags, **X264,
        )  # fmt: skip

        run(tmp_path / "a.mkv", tmp_path / "b.mkv", restorer, encode={"codec": "h264"})

        after = read_planes(tmp_path / "b.mkv")
        assert (after.pix_fmt, after.tags) == ("yuv422p10le", (5, 1, 5, 6))
        assert (after.sample_aspect_ratio, after.rotation) == (Fraction(16, 15), 90)


class TestWhyKept:
    @pytest.mark.parametrize(
        ("scan", "wanted", "more", "word"),
        [
            (Scan(100, 100, 100), "auto", {}, ""),
            (Scan(100, 30, 30), "auto", {}, ""),
            (Scan(100, 3, 3), "auto", {}, "too few"),
            (Scan(100, 3, 3), "bwdif", {}, ""),
            (Scan(100, 100, 0), "keep", {}, "asked"),
            (Scan(100, 0, 0), "bwdif", {}, "no picture"),
            (Scan(0, 0, 0), "auto", {}, "no picture"),
            (Scan(100, 100, 0), "auto", {"restored": False}, "nothing is restored"),
            (Scan(100, 100, 0), "bwdif", {"restored": False}, ""),
            (Scan(100, 100, 50), "bwdif", {"codec": "hevc"}, "single field"),
            (Scan(100, 100, 0), "bwdif", {"taken": False}, "does not take"),
        ],
    )
    def test_cases(self, scan: Scan, wanted: str, more: dict[str, Any], word: str) -> None:
        """Marks of pictures, the setting, and what bwdif can do."""
        found = why_kept(scan, wanted, **({"restored": True} | more))
        assert word in found
        assert bool(word) == bool(found)

    @given(st.integers(1, 1000), st.data())
    def test_more_marks_never_speak_against(self, pictures: int, data: st.DataObject) -> None:
        """If so many are enough, more are too."""
        fewer = data.draw(st.integers(0, pictures))
        more = data.draw(st.integers(fewer, pictures))
        if not why_kept(Scan(pictures, fewer), "auto", restored=True):
            assert not why_kept(Scan(pictures, more), "auto", restored=True)


class TestWords:
    @pytest.mark.parametrize(
        ("scan", "rate", "words"),
        [
            (Scan(10, 10, 10), Fraction(50), "interlaced (50 fields/s, top field first)"),
            (
                Scan(10, 10, 0),
                Fraction(60000, 1001),
                "interlaced (59.94 fields/s, bottom field first)",
            ),
            (
                Scan(10, 4, 2),
                Fraction(50),
                "partly interlaced (4 of 10 pictures, 50 fields/s)",
            ),
            (Scan(1, 1, 1), Fraction(0), "interlaced (top field first)"),
        ],
    )
    def test_scan(self, scan: Scan, rate: Fraction, words: str) -> None:
        """Rate and order of fields."""
        assert describe_scan(scan, rate) == words

    @pytest.mark.parametrize(
        ("nominal", "mean_ms", "codec", "rate"),
        [
            (Fraction(25), 40.1, "h264", Fraction(50)),
            (Fraction(50), 40.0, "h264", Fraction(50)),  # some containers count fields
            (None, 40.0, "mpeg2video", Fraction(50)),
            (Fraction(25), 0.0, "h264", Fraction(50)),
            (None, 0.0, "h264", Fraction(0)),
            (Fraction(50), 20.0, "hevc", Fraction(50)),  # each picture is a field
        ],
    )
    def test_rate(self, nominal: Fraction | None, mean_ms: float, codec: str, rate: Fraction) -> None:
        """The header's if it is borne out."""
        assert field_rate(nominal, mean_ms, codec=codec) == rate
