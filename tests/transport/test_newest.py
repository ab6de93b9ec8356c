"""The queue in which the newest wins."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from streamrestore.transport.newest import Newest

PUTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=60)


def drained(queue: Newest[int]) -> list[int]:
    """Everything that waits."""
    items = []
    while (item := queue.take()) is not None:
        items.append(item)
    return items


class TestNewest:
    @given(PUTS, st.integers(1, 4))
    def test_each_lane_keeps_its_newest_in_order(self, puts: list[tuple[str, int]], depth: int) -> None:
        """And nothing vanishes: what does not wait was given back."""
        queue: Newest[int] = Newest(budget=10**9)
        lanes = defaultdict(list)
        left = []
        for number, (lane, size) in enumerate(puts):
            lanes[lane].append(number)
            left += queue.put(lane, number, depth, size)

        waiting = drained(queue)

        assert waiting == sorted(number for numbers in lanes.values() for number in numbers[-depth:])
        assert sorted(left + waiting) == list(range(len(puts)))

    @given(PUTS, st.integers(1, 40))
    def test_budget(self, puts: list[tuple[str, int]], budget: int) -> None:
        """Sizes that wait never exceed it, but for one item that is larger by itself."""
        queue: Newest[int] = Newest(budget)
        waiting: dict[int, int] = {}
        for number, (lane, size) in enumerate(puts):
            waiting[number] = size
            for left in queue.put(lane, number, 1000, size):
                assert waiting.pop(left) > 0
            assert sum(waiting.values()) <= max(budget, size)

        assert drained(queue) == sorted(waiting)

    def test_a_flood_takes_no_room_from_others(self) -> None:
        """A lane that is put to a thousand times leaves the other as it is."""
        queue: Newest[int] = Newest(budget=10**9)
        queue.put("quiet", -1, 2)
        for number in range(1000):
            queue.put("loud", number, 2)

        assert drained(queue) == [-1, 998, 999]

    def test_lengths(self) -> None:
        """By lane and in all; lanes that are empty are forgotten."""
        queue: Newest[int] = Newest(budget=10**9)
        for number in range(3):
            queue.put("a", number, 2)
        queue.put("b", 3, 2)
        assert (len(queue), queue.length("a"), queue.length("b"), queue.length("c")) == (3, 2, 1, 0)

        assert queue.clear() == [1, 2, 3]

        assert (len(queue), queue.length("a")) == (0, 0)
        assert queue.take() is None
