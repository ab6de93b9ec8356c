"""Memory for payloads: sent without a copy, used again only when libzmq is done with it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import zmq

SPARES = 8
"""Buffers that are kept for later."""


@dataclass(slots=True, eq=False)
class Buffer:
    """Memory for one payload; to be filled, published once, and not touched after.

    Attributes:
        view: the bytes; writable if they are ours.
        ours: made by `Buffers`, so that it may be used again.
    """

    view: memoryview
    ours: bool = False
    tracker: zmq.MessageTracker | None = None

    @property
    def free(self) -> bool:
        """False while libzmq may still read it, for any of the subscribers."""
        return self.tracker is None or self.tracker.done


class Buffers:
    """Buffers that were sent, and those that can be used again. Not for two threads at a time."""

    def __init__(self) -> None:
        self._flying: list[Buffer] = []
        self._spares: deque[Buffer] = deque(maxlen=SPARES)

    def take(self, size: int) -> Buffer:
        """A buffer of `size` bytes that nobody reads any more, or a new one."""
        self._land()
        for spare in self._spares:
            if spare.view.nbytes == size:
                self._spares.remove(spare)
                return Buffer(spare.view, ours=True)
        return Buffer(memoryview(bytearray(size)), ours=True)

    def put(self, buffer: Buffer) -> None:
        """Take back a buffer that was sent, or will not be."""
        self._flying.append(buffer)
        self._land()

    @property
    def in_flight(self) -> int:
        """Buffers that libzmq holds."""
        self._land()
        return len(self._flying)

    def _land(self) -> None:
        self._spares.extend(buffer for buffer in self._flying if buffer.free and buffer.ours)
        self._flying = [buffer for buffer in self._flying if not buffer.free]
