"""Timestamps that increase."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.decode.clock import Clock

MS = Fraction(1, 1000)
times = st.lists(st.none() | st.integers(-(10**6), 10**6), max_size=60)
bases = st.sampled_from([MS, Fraction(1, 90000), Fraction(1, 25), Fraction(1001, 30000)])
rates = st.sampled_from([None, Fraction(25), Fraction(30000, 1001), Fraction(1, 10)])


class TestClock:
    """The clock."""

    @given(times=times, base=bases, rate=rates)
    def test_always_increases(self, times: list[int | None], base: Fraction, rate: Fraction | None) -> None:
        """Whatever comes in, what goes out increases; good timestamps pass unchanged."""
        clock = Clock(base, rate)
        out = [clock.stamp(pts) for pts in times]
        kept = [pts for pts in out if pts is not None]

        assert all(first < second for first, second in pairwise(kept))

    @given(steps=st.lists(st.integers(1, 10**6), max_size=50), base=bases)
    def test_good_times_pass(self, steps: list[int], base: Fraction) -> None:
        """Timestamps that increase are not touched, whatever their distances."""
        times = [sum(steps[: n + 1]) for n in range(len(steps))]
        clock = Clock(base, Fraction(25))

        assert [clock.stamp(pts) for pts in times] == times
        assert clock.last_repair is None

    @pytest.mark.parametrize(
        ("base", "times", "expected", "repair"),
        [
            (MS, [None, None, None], [0, 40, 80], "synthesised"),
            (Fraction(1001, 90000), [None, None, None], [0, 4, 7], "synthesised"),
            (MS, [0, 40, None, 120], [0, 40, 80, 120], None),
            (MS, [0, 40, 40], [0, 40, 41], "moved"),
            (MS, [0, 40, 30, 80], [0, 40, 41, 80], None),
            (Fraction(1, 25), [0, 1, 1], [0, 1, None], "dropped"),
            (MS, [5000, 5040, 0], [5000, 5040, 5080], "shifted"),
            (MS, [5000, 5040, 0, 40, 80], [5000, 5040, 5080, 5120, 5160], None),
            (MS, [7] * 7, [7, 8, 9, 10, 50, 90, 130], "shifted"),
        ],
    )
    def test_repairs(
        self, base: Fraction, times: list[int | None], expected: list[int | None], repair: str | None
    ) -> None:
        """Missing ones are counted on, slips moved by a tick, jumps back shift what follows."""
        clock = Clock(base, Fraction(25))

        assert [clock.stamp(pts) for pts in times] == expected
        assert clock.last_repair == repair

    @pytest.mark.parametrize(
        ("base", "times", "expected"),
        [
            (MS, [0, 40, 9_000_000, 120, 160], [0, 40, 80, 120, 160]),
            (MS, [0, 40, 9_000_000, 50, 160], [0, 40, 45, 50, 160]),
            (Fraction(1, 25), [0, 1, 900, 3, 4], [0, 1, 2, 3, 4]),
            (Fraction(1, 25), [0, 1, 900, 2, 3], [0, 1, None, 2, 3]),
            (MS, [5000, 5040, 0, 40], [5000, 5040, 5080, 5120]),
            (MS, [0, 40, 5000, 5040], [0, 40, 5000, 5040]),
        ],
    )
    def test_one_that_runs_ahead(self, base: Fraction, times: list[int], expected: list[int | None]) -> None:
        """A single wrong timestamp moves its own picture alone; gaps stay gaps."""
        clock = Clock(base, Fraction(25))

        assert [clock.stamp(*pair) for pair in zip_longest(times, times[1:])] == expected

    @given(times=times, base=bases)
    def test_always_increases_with_a_look_ahead(self, times: list[int | None], base: Fraction) -> None:
        """Knowing the next one changes nothing about that."""
        clock = Clock(base)
        out = [clock.stamp(*pair) for pair in zip_longest(times, times[1:])]
        kept = [pts for pts in out if pts is not None]

        assert all(first < second for first, second in pairwise(kept))

    def test_no_rounding_error_adds_up(self) -> None:
        """A million pictures at 30000/1001 that have no timestamps end where they should."""
        clock = Clock(Fraction(1, 90000), Fraction(30000, 1001))
        for _ in range(30_000):
            last = clock.stamp(None)

        assert last == 29_999 * 3003
