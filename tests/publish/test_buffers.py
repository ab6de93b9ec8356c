"""Memory is used again only when nobody reads it any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import zmq

from streamrestore.publish.buffers import SPARES, Buffer, Buffers


@dataclass
class Tracker:
    """libzmq's word on a message."""

    done: bool = False


def fly(buffers: Buffers, buffer: Buffer) -> Tracker:
    """Send it."""
    tracker = Tracker()
    buffer.tracker = cast("zmq.MessageTracker", tracker)
    buffers.put(buffer)
    return tracker


def same(one: Buffer, other: Buffer) -> bool:
    """Whether they share memory."""
    return np.shares_memory(np.frombuffer(one.view, np.uint8), np.frombuffer(other.view, np.uint8))


class TestBuffers:
    def test_not_before_its_tracker_is_done(self) -> None:
        """And then indeed."""
        buffers = Buffers()
        first = buffers.take(100)
        tracker = fly(buffers, first)

        assert not same(buffers.take(100), first)
        assert buffers.in_flight == 1
        tracker.done = True
        assert buffers.in_flight == 0
        again = buffers.take(100)

        assert same(again, first)
        assert again is not first
        assert not same(buffers.take(100), first)

    def test_what_was_not_sent_is_free_at_once(self) -> None:
        """A frame that was dropped."""
        buffers = Buffers()
        first = buffers.take(100)
        buffers.put(first)

        assert same(buffers.take(100), first)

    def test_another_size_is_another_buffer(self) -> None:
        """Sizes change when cameras do."""
        buffers = Buffers()
        first = buffers.take(100)
        buffers.put(first)

        assert buffers.take(50).view.nbytes == 50

    def test_memory_of_others_is_never_handed_out(self) -> None:
        """It is theirs."""
        buffers = Buffers()
        buffers.put(Buffer(memoryview(bytearray(100))))

        assert not buffers._spares

    def test_few_are_kept(self) -> None:
        """After a jam, memory is given back."""
        buffers = Buffers()
        trackers = [fly(buffers, buffers.take(100)) for _ in range(20)]
        assert buffers.in_flight == 20
        for tracker in trackers:
            tracker.done = True

        assert buffers.in_flight == 0
        assert len(buffers._spares) == SPARES
