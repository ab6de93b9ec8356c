"""Bounded queues between the threads of a pipeline."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The other end of a link, or the whole pipeline, is gone; the stage should just return."""


class Cancel:
    """One switch that wakes every link of a pipeline.

    Not for signal handlers: they run in the main thread, perhaps in the middle of a `put`, and
    would wait for a lock that the same thread holds. A handler sets a flag of its own, and the
    main thread calls `set`.
    """

    def __init__(self) -> None:
        self._links: list[Link[object]] = []
        self._event = threading.Event()

    @property
    def is_set(self) -> bool:
        """True once the pipeline is asked to stop."""
        return self._event.is_set()

    def set(self) -> None:
        """Stop: every blocked `put` and every `get` raises Closed."""
        self._event.set()
        for link in self._links:
            link.wake()

    def attach(self, link: Link[object]) -> None:
        """Have `set` wake this link, too."""
        self._links.append(link)


class Link(Generic[T]):
    """A bounded first-in first-out queue of one producer and one consumer.

    The producer calls `put` and in the end `close`; the consumer iterates, and calls `abandon` if
    it stops early. Nobody polls.

    Args:
        size: items that may wait.
        cancel: switch that ends both ends' waiting.
    """

    def __init__(self, size: int, cancel: Cancel) -> None:
        self._items: deque[T] = deque()
        self._size = size
        self._cancel = cancel
        self._condition = threading.Condition()
        self._closed = self._abandoned = False
        cancel.attach(self)  # type: ignore[arg-type]

    def put(self, item: T) -> None:
        """Append an item; wait while the link is full.

        Raises:
            Closed: the consumer or the pipeline is gone.
        """
        with self._condition:
            self._condition.wait_for(lambda: len(self._items) < self._size or self._gone)
            if self._gone:
                raise Closed
            self._items.append(item)
            self._condition.notify_all()

    def close(self) -> None:
        """No more items; what waits is still delivered."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def abandon(self) -> None:
        """The consumer wants no more items; what waits is let go."""
        with self._condition:
            self._abandoned = True
            self._items.clear()
            self._condition.notify_all()

    def wake(self) -> None:
        """Have both ends look at the switch again."""
        with self._condition:
            self._condition.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._items or self._closed or self._gone)
                if self._cancel.is_set:
                    raise Closed
                if not self._items:
                    return
                item = self._items.popleft()
                self._condition.notify_all()
            yield item

    @property
    def _gone(self) -> bool:
        return self._abandoned or self._cancel.is_set
