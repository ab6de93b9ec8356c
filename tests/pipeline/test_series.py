"""Which files of a recording go on where another ended, and what follows for their clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.engine import Restorer
from streamrestore.errors import UsageError
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.look import look_at
from streamrestore.pipeline.plan import plan_file, plan_series
from streamrestore.pipeline.series import LONGEST_PAUSE, Chunk, goes_on, read_created, scene_starts
from streamrestore.settings import JobSettings, read_settings
from streamrestore.weather import WeatherEstimate
from tests.media import read_planes, write_video
from tests.networks.nets import small_expertnet
from tests.pipeline.test_job import scene
from tests.restorers import CLEAN_LEVEL, DROPS, HAZE, NOISE, RAIN, RAIN_LEVEL, ByBrightness

MINUTE = 60.0


class TestGoesOn:
    def test_nothing_known(self) -> None:
        """Clocks that begin anew, and no date: one recording."""
        assert goes_on(Chunk(0, 60), Chunk(0, 60))

    @given(st.floats(0.1, 600), st.floats(0.1, 600), st.floats(0, 3), st.sampled_from(["start", "end"]))
    def test_dates_of_a_camera(self, first: float, second: float, pause: float, stamp: str) -> None:
        """Stamped when a file begins, or when it ends, to the second."""
        begins = [1000.0, 1000.0 + first + pause]
        dates = begins if stamp == "start" else [begins[0] + first, begins[1] + second]
        chunks = [
            Chunk(0, length, float(int(date))) for length, date in zip((first, second), dates, strict=True)
        ]

        assert goes_on(*chunks)

    @pytest.mark.parametrize("step", [-1.0, -86_400.0, 2 * MINUTE, 86_400.0])
    def test_dates_far_apart(self, step: float) -> None:
        """Parked in between, or the order of time is another."""
        assert not goes_on(Chunk(0, MINUTE, 1e9), Chunk(0, MINUTE, 1e9 + step))

    @given(st.floats(0, 1e5), st.floats(1, 600), st.floats(-1, 20))
    def test_clock_that_runs_through(self, start: float, length: float, pause: float) -> None:
        """It is believed, whatever dates say."""
        before = Chunk(start, start + length, 0.0)
        after = Chunk(start + length + pause, start + 2 * length, 1e9)

        if after.start > start + length / 2:
            assert goes_on(before, after) == (after.start - before.stop <= LONGEST_PAUSE)

    def test_another_kind_of_picture(self) -> None:
        """The other camera's."""
        assert not goes_on(Chunk(0, 60, kind=(1920, 1080)), Chunk(0, 60, kind=(1280, 720)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00.000000Z", 60.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("", None),
        ("yesterday", None),
        ("9999-99-99", None),
    ],
)
def test_created(text: str, seconds: float | None) -> None:
    """A tag that tells no time is as if it were not there."""
    assert read_created(text) == seconds


@pytest.fixture
def doubtful(monkeypatch: pytest.MonkeyPatch, restorer: Restorer) -> Restorer:
    """A restorer that is not sure of rain: it gains less than a change of branch costs."""

    def estimate(_router: ByBrightness, views: Any) -> WeatherEstimate:
        rain = float(views[-1].thumbnail.mean()) > 0.2
        share = {RAIN: 0.7 if rain else 0.0, HAZE: 0.0, DROPS: 0.0, NOISE: 0.0}
        return WeatherEstimate(share, 0.0, dict.fromkeys(share, 0.5))

    monkeypatch.setattr(ByBrightness, "estimate", estimate)
    return restorer


def chunks(folder: Path, *dates: str) -> list[Path]:
    """A clear chunk and one in which it may rain, of two seconds each."""
    paths = [folder / "a.mkv", folder / "b.mkv"]
    for path, level, date in zip(paths, (CLEAN_LEVEL, RAIN_LEVEL), dates, strict=True):
        write_video(path, planes=scene(level, 1, 50), metadata={"creation_time": date} if date else {})
    return paths


SETTINGS = read_settings(JobSettings, {"series": True})


class TestPlans:
    def planned(self, paths: list[Path], restorer: Restorer) -> list[list[str]]:
        """Branches of the clips of each file."""
        surveys = [look_at(str(path), SETTINGS, restorer) for path in paths]
        return [[d.label for d in plan.decisions] for plan in plan_series(surveys, SETTINGS, restorer)]

    def test_smoothing_crosses_files(self, tmp_path: Path, doubtful: Restorer) -> None:
        """A doubtful chunk after a clear one is left alone; by itself it is not."""
        paths = chunks(tmp_path, "", "")

        alone = plan_file(str(paths[1]), SETTINGS, restorer=doubtful)

        assert [decision.label for decision in alone.decisions] == ["rain"]
        assert self.planned(paths, doubtful) == [["none"], ["none"]]

    @pytest.mark.parametrize(
        ("later", "expected"), [("2025-03-01T10:00:03Z", "none"), ("2025-03-01T12:00:00Z", "rain")]
    )
    def test_a_break_in_time(self, tmp_path: Path, doubtful: Restorer, later: str, expected: str) -> None:
        """After a pause a file is on its own."""
        paths = chunks(tmp_path, "2025-03-01T10:00:00Z", later)

        assert self.planned(paths, doubtful) == [["none"], [expected]]

    def test_one_file_is_as_ever(self, tmp_path: Path, doubtful: Restorer) -> None:
        """A series of one has nothing to follow."""
        (path, _) = chunks(tmp_path, "", "")
        survey = look_at(str(path), SETTINGS, doubtful)

        (plan,) = plan_series([survey], SETTINGS, doubtful)

        assert replace(plan, seconds=0.0) == replace(
            plan_file(str(path), SETTINGS, restorer=doubtful), seconds=0.0
        )

    def test_forced(self, tmp_path: Path, restorer: Restorer) -> None:
        """Every clip of every file."""
        settings = read_settings(JobSettings, {"series": True, "restore": {"branch": "haze"}})
        surveys = [look_at(str(path), settings, restorer) for path in chunks(tmp_path, "", "")]

        plans = plan_series(surveys, settings, restorer)

        assert {d.label for plan in plans for d in plan.decisions} == {"haze"}

    def test_scenes(self, tmp_path: Path, restorer: Restorer) -> None:
        """Cuts within a file are cuts; a file's first clip begins a scene only if it follows nothing."""
        write_video(tmp_path / "a.mkv", planes=scene(CLEAN_LEVEL, 1, 30) + scene(RAIN_LEVEL, 2, 30))
        survey = look_at(str(tmp_path / "a.mkv"), SETTINGS, restorer)

        assert scene_starts([survey, survey]) == [[True, True], [False, True]]


@pytest.mark.parametrize(
    ("later", "goes_on"), [("2025-03-01T10:00:01Z", True), ("2025-03-01T12:00:00Z", False)]
)
def test_networks_look_back_into_the_file_before(
    tmp_path: Path, restorer: Restorer, later: str, goes_on: bool
) -> None:
    """The first pictures of a chunk have the past that they would have in one file, unless time passed."""
    restorer._networks["weather"] = small_expertnet(temporal_radius=2)
    forced = {"restore": {"branch": "rain"}, "windows": {"clip_seconds": 0.2, "segment_seconds": 0.4}}
    settings = read_settings(JobSettings, {"series": True, "encode": {"codec": "ffv1"}, **forced})
    pictures = write_video(tmp_path / "whole.mkv", frames=40, pattern="moving")
    for name, part, date in (("a", pictures[:25], "2025-03-01T10:00:00Z"), ("b", pictures[25:], later)):
        write_video(tmp_path / f"{name}.mkv", planes=part, metadata={"creation_time": date})
    paths = [str(tmp_path / name) for name in ("a.mkv", "b.mkv")]

    plans = plan_series([look_at(path, settings, restorer) for path in paths], settings, restorer)
    restore_file(paths[1], tmp_path / "series.mkv", settings, plan=plans[1], restorer=restorer)
    restore_file(str(tmp_path / "whole.mkv"), tmp_path / "one.mkv", settings, restorer=restorer)

    chunk, one = read_planes(tmp_path / "series.mkv").planes, read_planes(tmp_path / "one.mkv").planes[25:]
    same = [
        all(np.array_equal(a, b) for a, b in zip(x, y, strict=True)) for x, y in zip(chunk, one, strict=True)
    ]
    assert same == [goes_on] * 2 + [True] * 13


@pytest.mark.parametrize(
    "more", [{"start": 1.0}, {"end": 1.0}, {"preview": 2.0}, {"restore": {"plan": "p.yaml"}}]
)
def test_as_a_whole(more: Any) -> None:
    """What is for one file cannot be for a series."""
    with pytest.raises(UsageError, match="a series is restored as a whole"):
        read_settings(JobSettings, {"series": True, **more})
