"""Waiting times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamrestore.live.backoff import BackoffSettings, delay

chances = st.floats(0, 1)


@given(st.integers(1, 10_000), st.floats(0.01, 100), st.floats(1, 1000), chances)
def test_between_half_and_whole(failures: int, first: float, times: float, chance: float) -> None:
    """Never longer than the longest, never shorter than half of the first."""
    settings = BackoffSettings(first, first * times)

    assert first / 2 <= delay(failures, settings, chance) <= settings.longest_seconds


@given(st.integers(1, 40), chances)
def test_doubles(failures: int, chance: float) -> None:
    """With the same chance each wait is twice the last, or the longest."""
    settings = BackoffSettings(1.0, 64.0)

    before, after = (delay(n, settings, chance) for n in (failures, failures + 1))

    assert after == (2 * before if failures < 7 else before)


def test_spreads() -> None:
    """Two cameras with different chances are not asked at once."""
    settings = BackoffSettings(8.0, 8.0)

    assert [delay(1, settings, chance) for chance in (0.0, 0.5, 1.0)] == [4.0, 6.0, 8.0]
