"""What is done when the machine cannot keep up."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.live.overload import (
    CALM_SECONDS,
    LONGEST_CALM,
    WINDOW_SECONDS,
    WORDS,
    Level,
    OnOverload,
    Pace,
    Watched,
    judge,
    ladder,
)

FINE, BAD = Watched(50, 0), Watched(50, 20)
HALF: tuple[Level, ...] = ("full", "half")


@pytest.mark.parametrize(
    ("policy", "tier", "levels"),
    [
        ("drop", "fast", ("full", "drop")),
        ("bypass", "quality", ("full", "bypass")),
        ("fast", "fast", ("full", "half")),
        ("fast", "quality", ("full", "fast", "half")),
    ],
)
def test_ladders(policy: OnOverload, tier: str, levels: tuple[Level, ...]) -> None:
    """What each policy may come to."""
    assert ladder(policy, tier) == levels
    assert set(levels) <= set(WORDS)


def test_down_at_once_up_after_a_while() -> None:
    """Losses are answered with the next window; the way back takes calm."""
    pace = judge(Pace(), BAD, HALF, 4.0, affordable=True)
    assert pace.level == 1

    assert judge(pace, FINE, HALF, 4.0 + CALM_SECONDS - 0.1, affordable=True).level == 1
    assert judge(pace, FINE, HALF, 4.0 + CALM_SECONDS, affordable=True).level == 0


def test_what_piled_up_does_not_count() -> None:
    """Right after a change, and after the start, losses are those of before."""
    three: tuple[Level, ...] = ("full", "fast", "half")

    assert judge(Pace(), BAD, three, 2.0, affordable=True).level == 0
    pace = judge(Pace(), BAD, three, 4.0, affordable=True)
    assert judge(pace, BAD, three, 6.0, affordable=True).level == 1
    assert judge(pace, BAD, three, 8.0, affordable=True).level == 2


def test_no_way_back_without_time() -> None:
    """If it is known that the better level is too much, it is not tried."""
    pace = Pace(level=1)

    assert judge(pace, FINE, HALF, 1000.0, affordable=False).level == 1


def test_tries_that_fail_become_rarer() -> None:
    """The picture does not flicker between two levels all day."""
    pace, now, changes = Pace(), 0.0, []
    while now < 3600:
        now += WINDOW_SECONDS
        before = pace.level
        pace = judge(pace, BAD if pace.level == 0 else FINE, HALF, now, affordable=True)
        if pace.level < before:
            changes.append(now)

    gaps = [after - before for before, after in itertools.pairwise(changes)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= LONGEST_CALM
    assert len(changes) < 20


def test_a_try_that_held_is_forgiven() -> None:
    """The next overload, much later, is a new one."""
    pace = Pace(level=1, calm=160.0, tried=0.0)
    pace = judge(pace, FINE, HALF, 1000.0, affordable=True)
    pace = judge(pace, BAD, HALF, 2000.0, affordable=True)

    assert (pace.level, pace.calm) == (1, CALM_SECONDS)


def test_a_few_losses_are_none() -> None:
    """One picture in a window, or one in a hundred."""
    assert judge(Pace(), Watched(3, 1), HALF, 9.0, affordable=True).level == 0
    assert judge(Pace(), Watched(200, 2), HALF, 9.0, affordable=True).level == 0


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100), st.booleans()), max_size=50),
    st.sampled_from([("drop", "fast"), ("fast", "quality"), ("bypass", "fast")]),
)
def test_one_step_at_a_time_within_the_ladder(
    windows: list[tuple[int, int, bool]], policy: tuple[OnOverload, str]
) -> None:
    """Whatever happens."""
    levels, pace, now = ladder(*policy), Pace(), 0.0
    for arrived, dropped, affordable in windows:
        now += WINDOW_SECONDS
        after = judge(pace, Watched(arrived, min(arrived, dropped)), levels, now, affordable=affordable)
        assert abs(after.level - pace.level) <= 1
        assert 0 <= after.level < len(levels)
        assert CALM_SECONDS <= after.calm <= LONGEST_CALM
        pace = after
