"""Times of a recording."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamrestore.watch.clock import STRAY_SECONDS, TICKS, RecordingClock
from tests.watch.items import frame


def at(clock: RecordingClock, number: int, **more: object) -> float:
    """The time of a frame in seconds."""
    return clock.at(frame(number, **more).header) / TICKS


def test_gaps_keep_their_time() -> None:
    """Frames stand where they would if nothing had been lost, from 0."""
    clock = RecordingClock()

    assert [at(clock, number) for number in (100, 101, 150)] == [0, 1 / 25, 2]


def test_jitter_on_the_way_changes_nothing() -> None:
    """Presentation times count, not when frames came."""
    clock = RecordingClock()

    assert [at(clock, 0), at(clock, 1, received=0.3), at(clock, 2, received=0.31)] == [0, 1 / 25, 2 / 25]


def test_reconnects_keep_their_time() -> None:
    """A new epoch begins where its first frame came in; after that its own times count again."""
    clock = RecordingClock()
    at(clock, 0)

    assert at(clock, 9000, epoch=2, received=7.5) == 7.5
    assert at(clock, 9005, epoch=2, received=7.9) == 7.7


def test_a_clock_that_is_set() -> None:
    """A camera that learns the time of day makes no recording of years."""
    clock = RecordingClock()
    at(clock, 0)

    assert at(clock, 25 * 10**9, received=1.0) == 1.0
    assert at(clock, 25 * 10**9 + 1, received=1.0 + STRAY_SECONDS / 2) == 1.04


@given(st.lists(st.tuples(st.integers(-1000, 1000), st.integers(1, 3), st.floats(0, 100)), max_size=40))
def test_times_increase(frames: list[tuple[int, int, float]]) -> None:
    """Whatever a publisher tells."""
    clock = RecordingClock()

    times = [clock.at(frame(pts, epoch=epoch, received=received).header) for pts, epoch, received in frames]

    assert all(before < after for before, after in pairwise(times))
