"""Counting what comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.watch.tally import MOST_STREAMS, WINDOW_SECONDS, Latency, Tally, percentile
from tests.watch.items import frame, other


def test_rate_latency_and_what_was_seen() -> None:
    """Over the last seconds; the last frame tells the weather."""
    tally = Tally()
    for number in range(200):
        tally.take(frame(number, late=0.2 if number % 10 == 0 else 0.04), number / 25)

    (view,) = tally.view(200 / 25)

    assert (view.frames, view.width, view.height) == (200, 64, 48)
    assert view.fps == pytest.approx(25, abs=0.3)
    assert view.latency_ms == Latency(40.0, 200.0, 200.0)
    assert (view.weathers, view.branches, view.reason) == ({"rain": 0.9}, ("rain",), "classified")


def test_silence() -> None:
    """A stream that stopped has no rate and no latency; what was counted stays."""
    tally = Tally()
    tally.take(frame(0), 0.0)

    (view,) = tally.view(WINDOW_SECONDS + 1)

    assert (view.fps, view.latency_ms, view.frames) == (0.0, None, 1)


def test_losses_are_told_apart() -> None:
    """What the source lost, what the service dropped, and what was lost on the way."""
    tally = Tally()
    tally.take(other("gap", missing=3), 0.0)
    tally.take(other("gap", missing=5, made_here=True, drops=7), 0.0)
    tally.take(frame(0, drops=7), 0.0)
    tally.take(other("status", state="stalled", drops=8), 0.0)

    (view,) = tally.view(1.0)

    assert (view.missing, view.lost, view.drops, view.state) == (3, 5, 8, "stalled")


def test_another_service() -> None:
    """After a restart its count of drops begins anew, and so does ours."""
    tally = Tally()
    tally.take(frame(0, drops=90), 0.0)
    tally.take(frame(0, epoch=2, drops=1), 1.0)

    assert tally.view(1.0)[0].drops == 1


def test_news_of_the_connection_are_no_stream() -> None:
    """They are told beside the streams."""
    tally = Tally()
    tally.take(other("status", stream="", state="connected", text="all is well", made_here=True), 0.0)

    assert (tally.view(0.0), tally.connection) == ([], "all is well")


def test_names_are_not_remembered_without_bound() -> None:
    """A publisher may make them up."""
    tally = Tally()
    for number in range(MOST_STREAMS + 9):
        tally.take(frame(0, stream=f"cam{number}"), 0.0)

    assert len(tally.view(0.0)) == MOST_STREAMS


@given(st.lists(st.floats(0, 1e6), min_size=1).map(sorted), st.sampled_from([50, 95, 99, 100]))
def test_percentile(values: list[float], percent: int) -> None:
    """It is one of them, so many do not exceed it, and no smaller one will do."""
    found = percentile(values, percent)

    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)
