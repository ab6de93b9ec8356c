"""What is remembered of the last minutes."""

from __future__ import annotations

import pytest

from streamrestore.live.outlets import Finished
from streamrestore.live.timeline import SECONDS, Timelines
from streamrestore.weather import Decision, Weather, WeatherEstimate
from tests.live.readings import ToldReading

RAIN, HAZE = Weather.RAIN, Weather.HAZE


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_seconds() -> None:
    """Each has its frames, the most frequent branch, the mean of what was seen, and the slowest frame."""
    clock = Clock()
    timelines = Timelines(clock, clock)

    def come(at: float, latency: float, branch: Weather | None, rain: float | None) -> None:
        clock.now = at
        reading = ToldReading()
        batch = reading.arrived(at - latency).load()
        (picture,) = reading.pictures([at - latency])
        estimate = None if rain is None else WeatherEstimate({RAIN: rain})
        decision = Decision(() if branch is None else (branch,), 1.0, "classified", estimate)
        timelines.picture(Finished("cam1", 1, batch, batch, decision, estimate, picture, 0))

    come(1000.1, 0.2, RAIN, 0.6)
    come(1000.5, 0.5, RAIN, 0.8)
    come(1000.9, 0.1, None, None)
    assert timelines.since("cam1", 0) == []  # it is not over
    come(1002.0, 0.3, HAZE, None)

    (first,) = timelines.since("cam1", 0)
    assert (first.at, first.frames, first.branch) == (1000, 3, "rain")
    assert first.latency == pytest.approx(0.5)
    assert first.weathers == pytest.approx({"rain": 0.7, "clean": 0.3, "unknown": 0.0})
    clock.now = 1003.0
    (second,) = timelines.since("cam1", first.at)
    assert (second.at, second.branch, second.weathers) == (1002, "haze", {})
    clock.now = 1003.0 + SECONDS
    assert timelines.since("cam1", 0) == []
    assert timelines.since("cam2", 0) == []
