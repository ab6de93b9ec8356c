"""A queue that never grows: the newest wins. Data only; locking is its owner's."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """First in, first out, with lanes of limited length: what is too much leaves at the old end.

    A lane that floods takes no room from the others.

    Args:
        budget: greatest sum of sizes that may wait; the oldest items that have a size leave first.
    """

    def __init__(self, budget: int) -> None:
        self._items: deque[tuple[Hashable, T, int]] = deque()
        self._lengths: Counter[Hashable] = Counter()
        self._budget, self._size = budget, 0

    def __len__(self) -> int:
        return len(self._items)

    def length(self, lane: Hashable) -> int:
        """Items that wait in a lane."""
        return self._lengths[lane]

    def put(self, lane: Hashable, item: T, depth: int, size: int = 0) -> list[T]:
        """Append an item.

        Args:
            depth: items that may wait in its lane.
            size: what it weighs against the budget.

        Returns:
            What had to leave, the oldest first; never the item itself.
        """
        left: list[T] = []
        self._items.append((lane, item, size))
        self._lengths[lane] += 1
        self._size += size
        while self._lengths[lane] > max(1, depth):
            left.append(self._leave(next(i for i, (of, _, _) in enumerate(self._items) if of == lane)))
        while self._size > self._budget and (first := self._oldest_sized()) is not None:
            left.append(self._leave(first))
        return left

    def take(self) -> T | None:
        """The item that waits longest."""
        return self._leave(0) if self._items else None

    def clear(self) -> list[T]:
        """Everything that waits, the oldest first; nothing is left."""
        items = [item for _, item, _ in self._items]
        self._items.clear()
        self._lengths.clear()
        self._size = 0
        return items

    def _oldest_sized(self) -> int | None:
        """Index of the oldest item with a size, except the last item."""
        return next((i for i in range(len(self._items) - 1) if self._items[i][2]), None)

    def _leave(self, index: int) -> T:
        lane, item, size = self._items[index]
        del self._items[index]
        self._size -= size
        self._lengths[lane] -= 1
        if not self._lengths[lane]:
            del self._lengths[lane]  # lanes are named by others, and must not pile up
        return item
