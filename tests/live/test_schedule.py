"""Whose turn it is."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamrestore.live.schedule import FairShares, Waiting, next_round

AMPLE = 1e9
costs = st.floats(0.001, 1.0)


@given(st.lists(costs, min_size=2, max_size=6), st.integers(10, 200))
def test_shares_of_time_are_equal(cost: list[float], turns: int) -> None:
    """Streams that always want more differ by no more than what one picture of each costs."""
    shares, names = FairShares(), [f"cam{n}" for n in range(len(cost))]
    spent = dict.fromkeys(names, 0.0)
    for _ in range(turns):
        (name,) = next_round([Waiting(n, AMPLE, c) for n, c in zip(names, cost, strict=True)], shares, 1)
        spent[name] += cost[names.index(name)]
        shares.charge(name, cost[names.index(name)])

    assert max(spent.values()) - min(spent.values()) <= 2 * max(cost) + 1e-9


def test_a_flood_does_not_starve_others() -> None:
    """A camera with a picture now and then is served before one that always has some."""
    shares = FairShares()
    for _ in range(100):
        shares.charge("flood", 0.1)

    assert shares.order(["flood", "calm"]) == ["calm", "flood"]


def test_silence_is_not_saved_up() -> None:
    """After a long pause a stream gets its share, not everything."""
    shares, served = FairShares(), Counter[str]()
    for _ in range(100):
        shares.charge("steady", 0.1)
    for _ in range(20):
        name = shares.order(["steady", "late"])[0]
        served[name] += 1
        shares.charge(name, 0.1)

    assert abs(served["steady"] - served["late"]) <= 1


def test_an_expensive_stream_pays_for_it() -> None:
    """4K beside a thumbnail: equal times, not equal numbers of pictures."""
    shares, served = FairShares(), Counter[str]()
    for _ in range(110):
        name = shares.order(["4k", "small"])[0]
        served[name] += 1
        shares.charge(name, {"4k": 1.0, "small": 0.1}[name])

    assert 9 <= served["small"] / served["4k"] <= 11


@given(
    st.lists(st.tuples(st.floats(0.0, 2.0), costs), min_size=1, max_size=8).map(
        lambda pairs: [Waiting(f"cam{n}", slack, cost) for n, (slack, cost) in enumerate(pairs)]
    ),
    st.integers(1, 8),
)
def test_nobody_gets_late_by_company(waiting: list[Waiting], limit: int) -> None:
    """A round is at least one stream, at most `limit`, and more than one only if all have the time."""
    chosen = next_round(waiting, FairShares(), limit)
    members = [each for each in waiting if each.stream in chosen]

    assert 1 <= len(chosen) <= limit
    assert chosen[0] == waiting[0].stream
    if len(chosen) > 1:
        assert sum(each.cost for each in members) <= min(each.slack for each in members)


def test_nothing_waits() -> None:
    """Nobody's turn."""
    assert next_round([], FairShares(), 4) == []
