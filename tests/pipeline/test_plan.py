"""The first pass: clips, weather, decisions, times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streamrestore.engine import Restorer
from streamrestore.errors import Interrupted
from streamrestore.pipeline.look import LOOK_EVERY
from streamrestore.pipeline.plan import Plan, plan_file
from streamrestore.pipeline.progress import progress
from streamrestore.settings import JobSettings, read_settings
from streamrestore.weather import Weather
from tests.media import write_video
from tests.pipeline.test_job import scene
from tests.restorers import CLEAN_LEVEL, HAZE_LEVEL, RAIN_LEVEL, SNOW_LEVEL


def plan(path: Path, restorer: Restorer, branch: str = "auto", **more: Any) -> Plan:
    """Plan a file."""
    settings = read_settings(JobSettings, {"restore": {"branch": branch, "strength": 0.8}})
    return plan_file(str(path), settings, restorer=restorer, **more)


def test_clips_and_decisions(tmp_path: Path, restorer: Restorer) -> None:
    """One decision per clip; together the clips are the video."""
    write_video(tmp_path / "a.mkv", planes=scene(RAIN_LEVEL, 1, 130) + scene(SNOW_LEVEL, 2, 60))

    made = plan(tmp_path / "a.mkv", restorer)

    assert len(made.windows) == len(made.decisions) == len(made.clips) > 2
    assert made.windows[0].start == 0
    assert made.windows[-1].stop == made.frames == 190
    for before, after in zip(made.windows, made.windows[1:], strict=False):
        assert before.stop == after.start
    reasons = {d.label: d.reason for d in made.decisions}
    assert reasons == {"rain": "classified", "none": "unsure"}
    assert {d.strength for d in made.decisions} == {0.8}
    assert not made.bypass
    report = made.clips[0]
    assert (report.start_frame, report.branch, report.strength) == (0, "rain", 0.8)
    assert set(report.probabilities) == {*map(str, Weather), "clean", "unknown"}
    assert set(report.severity) == set(map(str, Weather))


def test_all_clean_is_bypass(tmp_path: Path, restorer: Restorer) -> None:
    """Nothing to do."""
    write_video(tmp_path / "a.mkv", planes=scene(CLEAN_LEVEL, 1, 20))

    assert plan(tmp_path / "a.mkv", restorer).bypass


@pytest.mark.parametrize("branch", ["haze", "none"])
def test_forced(tmp_path: Path, restorer: Restorer, branch: str) -> None:
    """Nothing is classified."""
    restorer._router = None
    write_video(tmp_path / "a.mkv", planes=scene(RAIN_LEVEL, 1, 20))

    made = plan(tmp_path / "a.mkv", restorer, branch)

    assert {(d.label, d.reason, d.estimate) for d in made.decisions} == {(branch, "forced", None)}
    assert made.clips[0].probabilities == {}


def test_short_clips_between_looks(tmp_path: Path, restorer: Restorer) -> None:
    """A scene shorter than the stride of the looks is classified, too."""
    short = LOOK_EVERY - 1
    video = scene(RAIN_LEVEL, 1, 2 * LOOK_EVERY + 1) + scene(CLEAN_LEVEL, 2, short) + scene(HAZE_LEVEL, 3, 40)
    write_video(tmp_path / "a.mkv", planes=video)

    made = plan(tmp_path / "a.mkv", restorer)

    assert made.decisions[0].label == "rain"
    assert made.decisions[-1].label == "haze"
    assert all(d.estimate is not None for d in made.decisions)


def test_a_single_picture(tmp_path: Path, restorer: Restorer) -> None:
    """Is a video."""
    write_video(tmp_path / "a.mkv", planes=scene(RAIN_LEVEL, 1, 1))

    made = plan(tmp_path / "a.mkv", restorer)

    assert [d.label for d in made.decisions] == ["rain"]
    assert made.timing.max_ms == made.timing.min_ms == made.timing.mean_ms == 0
    assert not made.timing.variable


def test_timing(tmp_path: Path, restorer: Restorer) -> None:
    """When pictures are shown: constant or variable, shortest, longest, mean, start."""
    write_video(tmp_path / "a.mp4", frames=10, rate=Fraction(25))
    write_video(tmp_path / "b.mp4", frames=5, times=[0, 4, 8, 20, 24], time_base=Fraction(1, 100), start=100)

    constant, variable = (plan(tmp_path / name, restorer, "none").timing for name in ("a.mp4", "b.mp4"))

    assert (constant.variable, variable.variable) == (False, True)
    assert (constant.min_ms, constant.max_ms, constant.mean_ms) == pytest.approx((40, 40, 40))
    assert (variable.min_ms, variable.max_ms, variable.mean_ms) == pytest.approx((40, 120, 60))
    assert constant.rate == "25"
    assert variable.start_seconds == pytest.approx(1.0, abs=0.001)


def test_stop(tmp_path: Path, restorer: Restorer) -> None:
    """Asked while it goes through the file."""
    write_video(tmp_path / "a.mkv", frames=30)
    asked = []

    with pytest.raises(Interrupted, match=r"a\.mkv: stopped"):
        plan(tmp_path / "a.mkv", restorer, stop=lambda: len(asked) >= 2, on_progress=asked.append)
    assert [p.frames for p in asked] == [8, 16]


@pytest.mark.parametrize(
    ("frames", "total", "seconds", "fps", "eta"),
    [(0, 100, 0.0, 0, None), (50, 100, 2.0, 25, 2.0), (50, None, 2.0, 25, None), (120, 100, 2.0, 60, 0.0)],
)
def test_progress(frames: int, total: int | None, seconds: float, fps: float, eta: float | None) -> None:
    """Frames per second and what is left, where that can be said."""
    made = progress("restore", frames, total, seconds)

    assert made.fps == fps
    assert made.eta_seconds == eta
