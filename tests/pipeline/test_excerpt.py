"""A part of a file: its pictures, exactly those, and what belongs to them of everything else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamrestore.engine import Restorer
from streamrestore.errors import Interrupted, UsageError
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.report import JobReport
from streamrestore.render.stills import find_stills
from streamrestore.settings import JobSettings, read_settings
from tests.encode.helpers import add_streams, make_cover, read_times
from tests.media import flip_bytes, random_planes, read_planes, write_pictures, write_video
from tests.pipeline.test_job import exact

FRAMES, RATE = 100, 25
LOSSY = {"preset": "ultrafast", "g": "12", "bf": "2", "crf": "30"}


def camera(path: Path, frames: int = FRAMES, **more: Any) -> None:
    """A file of four seconds with B-frames, a key frame every twelve, and sound."""
    given = {"codec": "libx264", "options": LOSSY, "audio": {"seconds": Fraction(frames, RATE)}} | more
    write_video(path, frames=frames, rate=RATE, pattern="moving", **given)


def run(source: Path | str, target: Path, restorer: Restorer | None, **more: Any) -> JobReport:
    """Restore a part; nothing is touched unless a branch is named."""
    given = {key: more.pop(key) for key in ("on_progress", "stop") if key in more}
    restore = {"branch": more.pop("branch", "none")}
    encode = {"codec": more.pop("codec", "ffv1")}
    settings = read_settings(JobSettings, {"restore": restore, "encode": encode, **more})
    return restore_file(str(source), target, settings, restorer=restorer, **given)


def assert_pictures(source: Path, target: Path, first: int, stop: int) -> None:
    """The target holds these pictures of the source, sample for sample, at their distances."""
    before, after = read_planes(source), read_planes(target)
    assert len(after.planes) == stop - first
    assert all(exact(a, b) for a, b in zip(before.planes[first:stop], after.planes, strict=True))
    gone = [seconds - before.seconds[first] for seconds in before.seconds[first:stop]]
    assert after.seconds == pytest.approx(gone, abs=float(after.time_base + before.time_base))


def offsets(path: Path, first: int = 0) -> dict[bytes, Fraction]:
    """When each sound packet begins, after a picture, by what is in it."""
    times = read_times(path)
    begin = times.video[first]
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    payloads = [p[7:] if p[:2] == b"\xff\xf1" else p for p in packets]  # what AAC has in front in ts
    return dict(zip(payloads, [time - begin for time in times.audio], strict=True))


class TestPictures:
    @pytest.mark.parametrize("extension", [".mp4", ".mkv", ".ts", ".avi"])
    @pytest.mark.parametrize(
        ("start", "end", "first", "stop"),
        [
            (1.2, 2.6, 30, 65),
            (None, 1.0, 0, 25),
            (3.21, None, 81, 100),
            (0.0, 4.5, 0, 100),
            (2, 2.04, 50, 51),
        ],
    )
    def test_exactly_those(
        self, tmp_path: Path, restorer: Restorer, extension: str, start: Any, end: Any, first: int, stop: int
    ) -> None:
        """From the first that is shown at the start or later, to the last before the end."""
        source, target = tmp_path / f"in{extension}", tmp_path / "out.mkv"
        camera(source, **({"codec": None, "options": None, "audio": False} if extension == ".avi" else {}))

        report = run(source, target, restorer, start=start, end=end)

        assert (report.frames, report.copied, report.codec) == (stop - first, False, "ffv1")
        assert_pictures(source, target, first, stop)
        begin, until = report.clips[0].start_seconds, report.clips[-1].stop_seconds
        assert (begin, until) == pytest.approx((first / RATE, stop / RATE), abs=0.002)
        assert not report.losses

    def test_variable_rate(self, tmp_path: Path, restorer: Restorer) -> None:
        """By the time of each picture, to the millisecond."""
        source, times = tmp_path / "in.mp4", [0, 33, 67, 100, 300, 333, 367, 900, 933]
        write_video(
            source, frames=9, times=times, time_base=Fraction(1, 1000), codec="libx264", options=LOSSY
        )

        run(source, tmp_path / "a.mkv", restorer, start=0.067, end=0.367)
        run(source, tmp_path / "b.mkv", restorer, start=0.068, end=0.368)

        assert_pictures(source, tmp_path / "a.mkv", 2, 6)
        assert_pictures(source, tmp_path / "b.mkv", 3, 7)

    def test_numbered_pictures(self, tmp_path: Path, restorer: Restorer) -> None:
        """At 25 a second."""
        write_pictures(tmp_path, "%03d.png", range(20))
        run(tmp_path / "%03d.png", tmp_path / "whole.mkv", restorer, branch="rain")

        report = run(tmp_path / "%03d.png", tmp_path / "out.mkv", restorer, start=0.2, end=0.4, branch="rain")

        assert report.frames == 5
        assert_pictures(tmp_path / "whole.mkv", tmp_path / "out.mkv", 5, 10)

    def test_interlaced(self, tmp_path: Path, restorer: Restorer) -> None:
        """The first picture is deinterlaced with the one before it, as in the whole."""
        source = tmp_path / "in.mkv"
        planes = [random_planes("yuv420p", (64, 48), seed, "moving") for seed in range(40)]
        write_video(source, planes=planes, codec="libx264", options=LOSSY, interlaced=True)
        run(source, tmp_path / "whole.mkv", restorer, branch="rain")

        run(source, tmp_path / "part.mkv", restorer, branch="rain", start=0.8, end=1.2)

        assert_pictures(tmp_path / "whole.mkv", tmp_path / "part.mkv", 20, 30)

    @pytest.mark.parametrize("extension", [".mkv", ".ts"])
    def test_damaged_before_it(self, tmp_path: Path, restorer: Restorer, extension: str) -> None:
        """Damage elsewhere is none of the part's; its pictures are those of the whole."""
        source = tmp_path / f"in{extension}"
        camera(source)
        flip_bytes(source, 6, after=0.1, before=0.4, seed=3)
        run(source, tmp_path / "whole.mkv", restorer, branch="rain")

        report = run(source, tmp_path / "out.mkv", restorer, start=3.2, branch="rain")

        whole, part = (read_planes(tmp_path / name).planes for name in ("whole.mkv", "out.mkv"))
        assert report.frames == len(part) == 20
        assert all(exact(a, b) for a, b in zip(whole[-20:], part, strict=True))

    def test_damaged_in_it(self, tmp_path: Path, restorer: Restorer) -> None:
        """What decodes of it comes out, and the loss is counted."""
        source = tmp_path / "in.mkv"
        camera(source)
        flip_bytes(source, 12, after=0.5, before=0.7, seed=1)
        whole = run(source, tmp_path / "whole.mkv", restorer, branch="rain")

        report = run(source, tmp_path / "out.mkv", restorer, start=1.0, end=3.6, branch="rain")

        assert report.losses == whole.losses != {}
        assert 20 < report.frames <= 65
        assert_pictures(tmp_path / "whole.mkv", tmp_path / "out.mkv", 25, 25 + report.frames)


class TestBeside:
    @pytest.mark.parametrize(
        ("source", "target"),
        [
            ("in.mp4", "out.mp4"),
            ("in.mkv", "out.mkv"),
            ("in.ts", "out.mp4"),
            ("in.mp4", "out.ts"),
            ("in.mkv", "out.avi"),
        ],
    )
    def test_sound(self, tmp_path: Path, restorer: Restorer, source: str, target: str) -> None:
        """The packets that begin in the part, no other, and each as long after the picture as it was."""
        camera(tmp_path / source, options={**LOSSY, "bf": "0"})

        run(tmp_path / source, tmp_path / target, restorer, start=1.2, end=2.6, codec="h264", branch="rain")

        before, after = offsets(tmp_path / source, first=30), offsets(tmp_path / target)
        inside = [name for name, time in before.items() if 0 <= time < Fraction(140, 100)]
        assert list(after) == inside
        tick = 0.04 if target.endswith("avi") else 0.0011
        for name, time in after.items():
            assert float(time - before[name]) == pytest.approx(0, abs=tick)

    def test_up_to_a_time(self, tmp_path: Path, restorer: Restorer) -> None:
        """Without a start, nothing before the first picture is left out."""
        camera(tmp_path / "in.mp4")

        run(tmp_path / "in.mp4", tmp_path / "out.mp4", restorer, end=1.0, codec="h264")

        before, after = offsets(tmp_path / "in.mp4"), offsets(tmp_path / "out.mp4")
        assert list(after) == [name for name, time in before.items() if time < 1]
        assert min(after.values()) == min(before.values()) < 0

    def test_from_a_time_on(self, tmp_path: Path, restorer: Restorer) -> None:
        """Without an end, sound that is longer than the pictures stays."""
        camera(tmp_path / "in.mkv", audio={"seconds": 5})

        run(tmp_path / "in.mkv", tmp_path / "out.mkv", restorer, start=3.0)

        assert max(offsets(tmp_path / "out.mkv").values()) > Fraction(19, 10)

    @pytest.mark.parametrize(("part", "seconds"), [({"start": 3.0, "end": 5.0}, 2), ({"start": 5.0}, 3)])
    def test_clock_set_back(
        self, tmp_path: Path, restorer: Restorer, part: dict[str, float], seconds: int
    ) -> None:
        """Of joined recordings the sound goes on where the pictures do: times count from the first one."""
        camera(tmp_path / "one.ts")
        (tmp_path / "in.ts").write_bytes((tmp_path / "one.ts").read_bytes() * 2)

        report = run(tmp_path / "in.ts", tmp_path / "out.mkv", restorer, **part)

        assert report.frames == seconds * RATE
        sound = [float(time) for time in read_times(tmp_path / "out.mkv").audio]
        assert sound[0] == pytest.approx(0, abs=0.1)
        assert sound[-1] == pytest.approx(seconds, abs=0.1)
        assert max(np.diff(sound)) < 0.1

    def test_subtitles_chapters_cover(self, tmp_path: Path, restorer: Restorer) -> None:
        """What is shown in the part, for as long as it is; the cover and fonts in any case."""
        camera(tmp_path / "base.mkv")
        (tmp_path / "s.srt").write_text(
            "1\n00:00:00,100 --> 00:00:01,000\nbefore\n\n2\n00:00:01,000 --> 00:00:01,500\nover the start\n\n"
            "3\n00:00:02,000 --> 00:00:02,200\ninside\n\n4\n00:00:02,500 --> 00:00:03,500\nover the end\n\n"
            "5\n00:00:03,500 --> 00:00:03,600\nafter\n\n"
        )
        add_streams(
            tmp_path / "base.mkv", tmp_path / "in.mkv", subtitles=tmp_path / "s.srt", cover=make_cover(),
            attachment=b"font" * 9, chapters=True,
        )  # fmt: skip

        report = run(tmp_path / "in.mkv", tmp_path / "out.mkv", restorer, start=0.12, end=2.6)
        assert shown(tmp_path / "out.mkv") == [
            ("before", 0, 880),
            ("over the start", 880, 500),
            ("inside", 1880, 200),
            ("over the end", 2380, 100),
        ]
        assert chapters(tmp_path / "out.mkv") == [("One", 0.0, 0.08), ("Two", 0.08, 0.36)]
        assert [s.outcome for s in report.streams] == ["restored", "copied", "copied", "copied", "copied"]

        later = run(tmp_path / "in.mkv", tmp_path / "later.mkv", restorer, start=1.2, end=2.4)
        assert not any("chapter" in note for note in (*report.notes, *later.notes))
        assert shown(tmp_path / "later.mkv") == [("over the start", 0, 300), ("inside", 800, 200)]
        assert chapters(tmp_path / "later.mkv") == []

    def test_second_video(self, tmp_path: Path, restorer: Restorer) -> None:
        """A camera to the rear is copied: it begins with its first picture that needs no other."""
        camera(tmp_path / "rear.mkv")
        camera(tmp_path / "front.mkv", size=(96, 64))
        with av.open(str(tmp_path / "front.mkv")) as a, av.open(str(tmp_path / "rear.mkv")) as b:
            join(tmp_path / "in.mkv", a, b)

        report = run(tmp_path / "in.mkv", tmp_path / "out.mkv", restorer, start=1.2, end=2.6)

        with av.open(str(tmp_path / "out.mkv")) as container:
            rear = container.streams.video[1]
            times = [float(frame.pts * rear.time_base) for frame in container.decode(rear)]
        assert times[0] == pytest.approx(36 / RATE - 1.2, abs=0.002)
        assert times[:27] == pytest.approx([(36 + i) / RATE - 1.2 for i in range(27)], abs=0.002)
        assert times[-1] <= 1.5
        assert any("begins 0.240 s late, at its first key frame" in note for note in report.notes)

    def test_time_code(self, tmp_path: Path, restorer: Restorer) -> None:
        """One that was true of the first picture is not carried to another."""
        with av.open(str(tmp_path / "in.mov"), "w") as out:
            stream = out.add_stream("libx264", rate=RATE)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.metadata["timecode"] = "10:00:00:00"
            for index in range(30):
                frame = av.VideoFrame(64, 48, "yuv420p")
                frame.pts = index
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))

        report = run(tmp_path / "in.mov", tmp_path / "out.mov", restorer, start=0.4, codec="h264")
        run(tmp_path / "in.mov", tmp_path / "head.mov", restorer, end=0.4, codec="h264")

        (note,) = report.notes
        assert "the time code 10:00:00:00 of the input's start is left out" in note
        for name, expected in (("out.mov", None), ("head.mov", "10:00:00:00")):
            with av.open(str(tmp_path / name)) as container:
                assert container.streams.video[0].metadata.get("timecode") == expected

    @pytest.mark.parametrize(
        ("name", "order"),
        [
            ("in.mkv", "by time"), ("in.mp4", "by time"), ("in.ts", "by time"),
            ("in.mkv", "pictures first"), ("in.mkv", "sound first"), ("in.ts", "sound first"),
        ],
    )  # fmt: skip
    def test_far_into_a_file(self, tmp_path: Path, restorer: Restorer, name: str, order: str) -> None:
        """Where packets are not read from the start, none is missing."""
        source, target, base = tmp_path / name, tmp_path / "out.mkv", tmp_path / "base.mp4"
        options = {**LOSSY, "g": "20"}
        write_video(base, frames=400, rate=8, codec="libx264", options=options, audio=True, size=(32, 32))
        with av.open(str(base)) as container:
            join(source, container, order=order)

        run(source, target, restorer, start=40, end=44, codec="h264")

        before, after = offsets(source, first=320), offsets(target)
        assert list(after) == [packet for packet, time in before.items() if 0 <= time < 4]


def shown(path: Path) -> list[tuple[str, int, int]]:
    """Subtitles: text, time, duration in ms."""
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        return [(bytes(p).decode(), int(p.pts or 0), int(p.duration or 0)) for p in packets]


def chapters(path: Path) -> list[tuple[str, float, float]]:
    """Title, start and end in seconds."""
    with av.open(str(path)) as container:
        found = container.chapters()
    times = [[round(float(c[name] * c["time_base"]), 3) for name in ("start", "end")] for c in found]
    return [(c["metadata"]["title"], begin, end) for c, (begin, end) in zip(found, times, strict=True)]


def join(path: Path, *parts: Any, order: str = "by time") -> None:
    """All streams of files in one."""
    keys: dict[str, Any] = {
        "by time": lambda p: p.dts * p.time_base if p.dts is not None else -1,
        "pictures first": lambda p: p.stream.type != "video",
        "sound first": lambda p: p.stream.type == "video",
    }
    with av.open(str(path), "w", options={"max_interleave_delta": "1"}) as out:
        copies = {stream: out.add_stream_from_template(stream) for part in parts for stream in part.streams}
        packets = [packet for part in parts for packet in part.demux() if packet.size]
        for packet in sorted(packets, key=keys[order]):
            packet.stream = copies[packet.stream]
            out.mux(packet)


CUTS = {"clip_seconds": 0.4, "segment_seconds": 0.4}


class TestWork:
    def test_resumed(self, tmp_path: Path, restorer: Restorer) -> None:
        """A run that was stopped goes on, and the result is the same; another part is another job."""
        camera(tmp_path / "in.mkv")
        part: dict[str, Any] = {"start": 1.0, "end": 3.0, "branch": "rain", "windows": CUTS}
        run(tmp_path / "in.mkv", tmp_path / "whole.mkv", restorer, **part)

        def stop() -> bool:
            return len(list(tmp_path.glob(".*.streamrestore/*.packets"))) >= 2

        with pytest.raises(Interrupted, match="segments are kept"):
            run(tmp_path / "in.mkv", tmp_path / "out.mkv", restorer, stop=stop, **part)
        report = run(tmp_path / "in.mkv", tmp_path / "out.mkv", restorer, **part)
        assert any("segments were there" in note for note in report.notes)
        assert_pictures(tmp_path / "whole.mkv", tmp_path / "out.mkv", 0, 50)

        with pytest.raises(Interrupted):
            run(tmp_path / "in.mkv", tmp_path / "next.mkv", restorer, stop=stop, **part)
        report = run(tmp_path / "in.mkv", tmp_path / "next.mkv", restorer, **{**part, "start": 1.04})
        assert any("the settings are others" in note for note in report.notes)

    def test_is_what_the_whole_would_be(self, tmp_path: Path, restorer: Restorer) -> None:
        """With one branch for all, restored pictures are those of the whole file."""
        camera(tmp_path / "in.mp4")
        run(tmp_path / "in.mp4", tmp_path / "whole.mkv", restorer, branch="rain")

        report = run(tmp_path / "in.mp4", tmp_path / "out.mkv", restorer, branch="rain", start=1.0, end=2.0)

        assert report.frames_restored == 25
        assert_pictures(tmp_path / "whole.mkv", tmp_path / "out.mkv", 25, 50)

    def test_plan_file(self, tmp_path: Path, restorer: Restorer) -> None:
        """Its times count from the start of the file, not of the part; what lies outside does not matter."""
        camera(tmp_path / "in.mkv")
        (tmp_path / "p.yaml").write_text(
            "entries: [{start: 1.2, end: 1.4, branch: rain}, {start: 2, end: 9}]"
        )
        settings = read_settings(
            JobSettings,
            {"start": 1.0, "end": 2.0, "restore": {"branch": "none", "plan": str(tmp_path / "p.yaml")}},
        )

        report = restore_file(str(tmp_path / "in.mkv"), tmp_path / "out.mkv", settings, restorer=restorer)

        assert [(c.start_frame, c.stop_frame) for c in report.clips if c.branch == "rain"] == [(5, 10)]

    def test_stills(self, tmp_path: Path, restorer: Restorer) -> None:
        """Pictures in the report are of the same moment in input and output."""
        grey = np.full((24, 32), 128, np.uint8)
        pictures = [[np.full((48, 64), 40 + index, np.uint8), grey, grey] for index in range(100)]
        write_video(tmp_path / "in.mkv", planes=pictures)

        report = run(tmp_path / "in.mkv", tmp_path / "out.mkv", restorer, start=2.0, end=3.0, branch="rain")
        found = find_stills(report)

        assert found
        assert all(2.0 <= still.seconds < 3.0 for still in found)
        assert [still.seconds for still in found] == pytest.approx([2 + still.frame / 25 for still in found])


class TestRefused:
    @pytest.mark.parametrize(
        ("start", "end", "said"),
        [
            (4.0, None, "there is no picture from 0:00:04.000 on; it lasts 0:00:04.000"),
            (100.0, 200.0, "there is no picture from 0:01:40.000 on and before 0:03:20.000"),
            (1.0, 5.1, "0:00:05.100, lies behind that of the video, 0:00:04.000"),
            (1.001, 1.002, "there is no picture from 0:00:01.001 on and before 0:00:01.002"),
        ],
    )
    def test_outside(self, tmp_path: Path, restorer: Restorer, start: Any, end: Any, said: str) -> None:
        """One line that says where the video ends, and nothing is written."""
        camera(tmp_path / "in.mp4", audio=False)

        with pytest.raises(UsageError, match=r"in\.mp4: ") as refused:
            run(tmp_path / "in.mp4", tmp_path / "out.mp4", restorer, start=start, end=end)

        assert said in str(refused.value)
        assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]

    @pytest.mark.parametrize(("start", "end"), [(2.0, 1.0), (1.0, 1.0), (None, 0.0), (1.0, 1.0004)])
    def test_backwards(self, start: Any, end: Any) -> None:
        """Found in the settings alone."""
        with pytest.raises(UsageError, match="does not come after the start"):
            read_settings(JobSettings, {"start": start, "end": end})
