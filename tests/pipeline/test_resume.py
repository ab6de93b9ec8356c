"""What is done stays done: runs that are stopped, killed or tampered with, and several workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamrestore.engine import Restorer
from streamrestore.errors import Interrupted, OutputError, UsageError
from streamrestore.pipeline import making, resume
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.making import Task
from streamrestore.pipeline.manifest import JobFact, Manifest
from streamrestore.pipeline.report import JobReport, Progress
from streamrestore.pipeline.runner import Tally
from streamrestore.pipeline.workplace import Workplace
from streamrestore.settings import JobSettings, read_settings
from tests.media import Pattern, Planes, read_planes, truncate, write_video
from tests.networks.nets import small_expertnet
from tests.restorers import small_restorer, without_weights

FRAMES = 75
CUTS = {"clip_seconds": 0.6, "segment_seconds": 0.6}
SEGMENTS = 5


def job_settings(**more: Any) -> JobSettings:
    """Lossless, in segments of fifteen frames."""
    values = {"restore": {"branch": "rain"}, "encode": {"codec": "ffv1"}, "windows": CUTS, **more}
    return read_settings(JobSettings, values)


def run(folder: Path, restorer: Restorer | None, *, name: str = "out.mkv", **more: Any) -> JobReport:
    """Restore the folder's video; `more` are settings, or what `restore_file` takes."""
    given = {key: more.pop(key) for key in ("on_progress", "stop") if key in more}
    settings = job_settings(**more)
    return restore_file(str(folder / "in.mkv"), folder / name, settings, restorer=restorer, **given)


def stop_after(segments: int, folder: Path) -> Callable[[], bool]:
    """Stop once so many segments are there."""
    return lambda: len(list(folder.glob(".*.streamrestore/*.packets"))) >= segments


def left(folder: Path) -> list[str]:
    """Names in a job's folder."""
    return sorted(path.name for path in (folder / ".out.mkv.streamrestore").iterdir())


def planes(path: Path) -> list[Planes]:
    """All pictures."""
    return read_planes(path).planes


def equal(a: list[Planes], b: list[Planes]) -> bool:
    """Picture for picture, sample for sample."""
    return len(a) == len(b) and all(
        np.array_equal(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True)
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the segments that this process completes."""
    numbers: list[int] = []
    whole = making.SegmentSink.finish

    def finish(sink: making.SegmentSink) -> Any:
        report = whole(sink)
        assert report.path is not None
        numbers.append(int(report.path.name.split(".")[0]))
        return report

    monkeypatch.setattr(making.SegmentSink, "finish", finish)
    return numbers


@pytest.fixture
def place(tmp_path: Path, restorer: Restorer) -> Path:
    """A folder with a video, and what an undisturbed run makes of it: ``whole.mkv``."""
    write_video(tmp_path / "in.mkv", frames=FRAMES)
    run(tmp_path, restorer, name="whole.mkv")
    return tmp_path


class TestStopped:
    """A run that ends early, and the next one."""

    def test_goes_on(self, place: Path, restorer: Restorer, made: list[int]) -> None:
        """The next run makes what is missing, and the result is the same."""
        with pytest.raises(Interrupted, match=r"\d finished segments are kept in .*; run again to go on"):
            run(place, restorer, stop=stop_after(2, place))
        assert not (place / "out.mkv").exists()
        first, made[:] = list(made), []
        seen: list[Progress] = []

        report = run(place, restorer, on_progress=seen.append)

        assert [*first, *made] == list(range(SEGMENTS))
        assert equal(planes(place / "out.mkv"), planes(place / "whole.mkv"))
        assert f"{len(first)} of {SEGMENTS} segments were there from an earlier run" in report.notes
        assert report.frames == report.frames_restored == FRAMES
        assert min(p.frames for p in seen if p.phase == "restore") >= 15 * len(first)
        assert sorted(path.name for path in place.iterdir()) == ["in.mkv", "out.mkv", "whole.mkv"]

    def test_starts_afresh_if_asked(self, place: Path, restorer: Restorer, made: list[int]) -> None:
        """Without `resume` nothing old is used."""
        with pytest.raises(Interrupted):
            run(place, restorer, stop=stop_after(2, place))
        made.clear()

        run(place, restorer, resume=False)

        assert made == list(range(SEGMENTS))

    def test_weights_are_known_before_the_first_segment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A branch that the user names is a file of weights, too: other weights make another job."""
        begun: list[JobFact] = []
        monkeypatch.setattr(Manifest, "begin", lambda _, job: begun.append(job))
        write_video(tmp_path / "in.mkv", frames=3)

        with pytest.raises(Interrupted):
            run(tmp_path, None, stop=lambda: bool(begun))

        assert begun[0].weights

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"restore": {"branch": "rain", "strength": 0.5}}, "the settings are others"),
            ({"input": 60}, "the input is another file"),
        ],
    )
    def test_another_job(
        self, place: Path, restorer: Restorer, made: list[int], change: dict[str, Any], words: str
    ) -> None:
        """Work for other settings, or of another input, is given up with a word."""
        with pytest.raises(Interrupted):
            run(place, restorer, stop=stop_after(2, place))
        made.clear()
        frames = change.pop("input", FRAMES)
        if frames != FRAMES:
            write_video(place / "in.mkv", frames=frames)

        report = run(place, restorer, **change)

        assert made == list(range(frames // 15))
        assert any(words in note for note in report.notes)

    def test_what_does_not_matter(self, place: Path, restorer: Restorer, made: list[int]) -> None:
        """Settings that decide nothing about the result do not cost the work."""
        with pytest.raises(Interrupted):
            run(place, restorer, stop=stop_after(2, place))
        kept = len(made)

        run(place, restorer, strict=True, encode={"codec": "ffv1", "overwrite": True, "force_encode": True})

        assert made == list(range(SEGMENTS))
        assert kept >= 2


TAMPER: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda folder: (folder / "00000.packets").unlink(), "00000.packets is missing"),
    "short": (lambda folder: truncate(folder / "00000.packets", 0.5), "bytes, not"),
    "altered": (
        lambda folder: (folder / "00000.packets").write_bytes(
            (folder / "00000.packets").read_bytes()[:-1] + b"?"
        ),
        "was altered",
    ),
    "torn manifest": (lambda folder: truncate(folder / "manifest.jsonl", 0.95), "not written to its end"),
    "no manifest": (lambda folder: (folder / "manifest.jsonl").unlink(), ""),
}


@pytest.mark.parametrize("kind", TAMPER)
def test_damaged_state(place: Path, restorer: Restorer, made: list[int], kind: str) -> None:
    """It is found, told, and made anew, and the result is the same."""
    tamper, words = TAMPER[kind]
    with pytest.raises(Interrupted):
        run(place, restorer, stop=stop_after(3, place))
    made.clear()
    tamper(place / ".out.mkv.streamrestore")

    report = run(place, restorer)

    assert 0 in made or kind == "torn manifest"
    assert any(words in note for note in report.notes) or not words
    assert equal(planes(place / "out.mkv"), planes(place / "whole.mkv"))


class TestErrors:
    """Runs that fail."""

    def test_a_full_disk(self, place: Path, restorer: Restorer, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is finished stays, and the error says so."""
        adopt = Workplace.adopt

        def full(self: Workplace, number: int, partial: Path) -> Path:
            if number == 2:
                raise OutputError("the disk is full")
            return adopt(self, number, partial)

        with monkeypatch.context() as patch:
            patch.setattr(Workplace, "adopt", full)
            with pytest.raises(OutputError, match="the disk is full") as caught:
                run(place, restorer)

        assert any("2 finished segments are kept" in note for note in caught.value.__notes__)
        run(place, restorer)
        assert equal(planes(place / "out.mkv"), planes(place / "whole.mkv"))

    def test_too_small_a_disk(self, place: Path, restorer: Restorer, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is said before the first segment, and nothing is left."""
        monkeypatch.setattr(resume, "needed_bytes", lambda *_, **__: 10**15)

        with pytest.raises(OutputError, match="are needed there"):
            run(place, restorer)

        assert sorted(path.name for path in place.iterdir()) == ["in.mkv", "whole.mkv"]

    def test_two_runs(self, place: Path, restorer: Restorer) -> None:
        """The second is told who holds the job."""
        with (
            Workplace(place / "out.mkv"),
            pytest.raises(OutputError, match=f"being made by another run \\(process {os.getpid()}"),
        ):
            run(place, restorer)

    def test_restorer_and_workers(self, place: Path, restorer: Restorer) -> None:
        """A restorer cannot be sent to worker processes."""
        with pytest.raises(UsageError, match="give workers or a restorer"):
            run(place, restorer, workers=2)


def small(task: Task, segments: dict[int, Any]) -> Any:
    """What `making._prepare` does, with small networks."""
    patch = pytest.MonkeyPatch()
    without_weights(patch)
    patch.setattr(making, "make_restorer", lambda _: small_restorer())
    return making._prepare(task, segments)


def killed_halfway(folder: Path) -> None:
    """Begin to restore, in a process that dies after two segments as if the power had failed."""
    patch = pytest.MonkeyPatch()
    without_weights(patch)

    def look(_: Progress) -> None:
        if stop_after(2, folder)():
            os.kill(os.getpid(), signal.SIGKILL)

    run(folder, small_restorer(), on_progress=look)


class TestProcesses:
    """Several workers, and processes that die."""

    def test_workers(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same file as one process makes."""
        monkeypatch.setattr("streamrestore.pipeline.job.make_restorer", lambda _: small_restorer())
        monkeypatch.setattr(making, "_prepare", small)
        seen: list[Progress] = []

        report = run(place, None, workers=2, on_progress=seen.append)

        assert equal(planes(place / "out.mkv"), planes(place / "whole.mkv"))
        assert report.stage_seconds["restore"] > 0
        assert max(p.frames for p in seen if p.phase == "restore") == FRAMES

    def test_killed(self, place: Path, restorer: Restorer, made: list[int]) -> None:
        """After kill -9 the next run goes on, and leaves nothing behind."""
        process = multiprocessing.get_context("spawn").Process(target=killed_halfway, args=(place,))
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
        assert left(place)[0] == "00000.packets"
        made.clear()

        run(place, restorer)

        assert 0 not in made
        assert 1 not in made
        assert equal(planes(place / "out.mkv"), planes(place / "whole.mkv"))
        assert sorted(path.name for path in place.iterdir()) == ["in.mkv", "out.mkv", "whole.mkv"]


@pytest.mark.parametrize("scenes", [1, 2])
def test_networks_that_look_back(tmp_path: Path, restorer: Restorer, scenes: int) -> None:
    """Segments begin with the past that a run without segments would have."""
    restorer._networks["weather"] = small_expertnet(temporal_radius=2)
    patterns: tuple[Pattern, ...] = ("moving", "flat")[:scenes]
    shots = [write_video(tmp_path / "in.mkv", frames=FRAMES, pattern=pattern) for pattern in patterns]
    write_video(tmp_path / "in.mkv", planes=[planes for shot in shots for planes in shot])
    whole = {"clip_seconds": 0.6, "segment_seconds": 100.0}

    cut_up = run(tmp_path, restorer, name="a.mkv")
    run(tmp_path, restorer, name="b.mkv", windows=whole)

    assert equal(planes(tmp_path / "a.mkv"), planes(tmp_path / "b.mkv"))
    assert len(cut_up.clips) >= SEGMENTS * scenes


def test_tallies_add_up() -> None:
    """Of segments, in whatever process."""
    a = Tally(3, 2, "rain", {"decode": 1.0, "restore": 2.0, "encode": 3.0})

    assert a + Tally() == a
    assert (a + a).frames == 6
    assert (a + a).busy["encode"] == 6.0
