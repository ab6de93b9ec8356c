"""What came and was not asked for yet, between the thread that receives and the one that wants it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

from streamrestore.errors import StreamRestoreError, WireError
from streamrestore.links import Closed
from streamrestore.transport.monitor import LinkEvent
from streamrestore.transport.newest import Newest
from streamrestore.wire import Message

Item: TypeAlias = Message | LinkEvent | WireError

OTHERS = 32
"""Messages of a stream other than frames, events, and errors that wait."""
BUDGET = 512 << 20
"""Bytes of all payloads that wait."""


class Inbox:
    """Frames of each stream up to a depth, the newest; and what else was said, for longer.

    Args:
        depth: frames of one stream that wait.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: Newest[Item] = Newest(BUDGET)
        self._changed = threading.Condition()
        self._end: StreamRestoreError | Closed | None = None
        self._listener: Callable[[], object] | None = None

    def put(self, item: Item) -> None:
        """Add an item; older ones may leave for it."""
        with self._changed:
            if isinstance(item, Message):
                is_frame = item.header.kind == "frame"
                lane, size = (item.header.stream, is_frame), item.payload.nbytes
                self._items.put(lane, item, self._depth if is_frame else OTHERS, size)
            else:
                self._items.put(type(item).__name__, item, OTHERS)
            self._notify()

    @property
    def full(self) -> bool:
        """True if so much waits that whoever does not want to lose frames reads no more."""
        return len(self._items) >= self._depth

    def take(self, timeout: float | None) -> Item | None:
        """The next item; None if there is none after `timeout` seconds.

        Raises:
            Closed: nothing will come any more.
            StreamRestoreError: for this reason.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._end or len(self._items), timeout)
            if self._end is not None:
                raise self._end
            return self._items.take()

    def close(self, reason: StreamRestoreError | None = None) -> None:
        """Let go of what waits, and of those who wait; the first reason stands."""
        with self._changed:
            self._end = self._end or reason or Closed()
            self._items.clear()
            self._notify()

    @contextlib.contextmanager
    def heard_by(self, listener: Callable[[], object]) -> Iterator[None]:
        """Have `listener` called in the other thread whenever something changes; it must not wait."""
        with self._changed:
            self._listener = listener
        try:
            yield
        finally:
            with self._changed:
                self._listener = None

    def _notify(self) -> None:
        self._changed.notify_all()
        if self._listener is not None:
            with contextlib.suppress(RuntimeError):  # the listener's event loop was closed under it
                self._listener()
