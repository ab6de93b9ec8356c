"""The thread that owns a subscriber's socket: it reads at once whatever comes, so that nothing grows old."""

from __future__ import annotations

import threading
import time

import zmq

from streamrestore import wire
from streamrestore.errors import StageError, WireError
from streamrestore.transport.bell import Bell
from streamrestore.transport.inbox import Inbox
from streamrestore.transport.monitor import Watch
from streamrestore.transport.sockets import Dialed, Socket

AT_ONCE = 64
"""Messages that are read before the connection is looked after again."""


class Receiver(threading.Thread):
    """Checks what comes and puts it into an inbox.

    Args:
        greedy: read on when the inbox is full, so that it keeps the newest. Otherwise nothing more is
            read, and whoever sends has to wait.
    """

    def __init__(self, dialed: Dialed, inbox: Inbox, *, greedy: bool) -> None:
        super().__init__(name="streamrestore-receiver", daemon=True)
        self._dialed, self._inbox, self._greedy = dialed, inbox, greedy
        self._watch = Watch(str(dialed.address), keys=dialed.keys, limit=dialed.limit)
        self._bell = Bell()
        self._stopping = False
        self.start()

    def made_room(self) -> None:
        """Tell it that the inbox is not full any more."""
        if not self._greedy:
            self._bell.ring()

    def stop(self) -> None:
        """Close the inbox and the socket."""
        self._stopping = True
        self._inbox.close()
        self._bell.ring()
        if threading.current_thread() is not self:  # the garbage collector runs in any thread
            self.join()

    def run(self) -> None:
        """Receive until stopped."""
        try:
            self._receive()
        except Exception as error:  # noqa: BLE001 - the edge of a thread; it is reported
            wrapped = StageError("receive", error)
            wrapped.__cause__ = error
            self._inbox.close(wrapped)
        finally:
            self._dialed.close()
            self._bell.close()

    def _receive(self) -> None:
        socket, monitor, bell = self._dialed.socket, self._dialed.monitor, self._bell
        poller = zmq.Poller()
        poller.register(monitor, zmq.POLLIN)
        poller.register(bell, zmq.POLLIN)
        while not self._stopping:
            poller.register(socket, zmq.POLLIN if self._wanted else 0)
            poller.poll(self._milliseconds())
            bell.quiet()
            events = self._dialed.events()
            for _ in range(AT_ONCE):
                if not self._wanted or (parts := receive(socket)) is None:
                    break
                self._accept(parts)
            # After the messages: those that came before a connection was lost are handed out first.
            self._look_after(events)

    @property
    def _wanted(self) -> bool:
        return self._greedy or not self._inbox.full

    def _accept(self, parts: list[memoryview]) -> None:
        try:
            self._inbox.put(wire.unpack(parts, max_payload=self._dialed.limit))
        except WireError as error:
            self._inbox.put(WireError(f"{self._dialed.address}: {error}"))

    def _look_after(self, events: list[int]) -> None:
        """Report what became of the connection; make it anew if libzmq does not."""
        now = time.monotonic()
        for event in events:
            happened = self._watch.saw(event, now)
            if happened is not None:
                self._inbox.put(happened)
        # What was received but not read would be lost with the old connection.
        if self._watch.gave_up(now) and not self._dialed.socket.poll(0):
            happened = self._watch.renewed()
            if happened is not None:
                self._inbox.put(happened)
            self._dialed.redial()

    def _milliseconds(self) -> int | None:
        deadline = self._watch.deadline
        return None if deadline is None else max(1, int((deadline - time.monotonic()) * 1000) + 1)


def receive(socket: Socket) -> list[memoryview] | None:
    """The parts of the next message, as views of libzmq's memory; None if there is none.

    Of a message with too many parts only some are kept, enough to see that they are too many.
    """
    try:
        frame = socket.recv(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return None
    parts = [frame.buffer]
    while frame.more:
        frame = socket.recv(copy=False)
        if len(parts) <= wire.PARTS:
            parts.append(frame.buffer)
    return parts
