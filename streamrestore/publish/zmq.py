"""Publishing frames over ZeroMQ, to whoever listens (PUB) or dealt out to workers (PUSH)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import zmq

from streamrestore import wire
from streamrestore.errors import OutputBlocked, OutputError, StageError
from streamrestore.publish.buffers import Buffer, Buffers
from streamrestore.transport.bell import Bell
from streamrestore.transport.newest import Newest
from streamrestore.transport.sockets import listen
from streamrestore.wire import Header, Payload

DEPTH = 2
"""Frames of one stream that wait for the socket."""
OTHERS = 64
"""Messages of one stream other than frames that wait for it."""
BUDGET = 1 << 30
"""Bytes of all payloads that wait for it."""


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """What became of a stream's messages.

    Attributes:
        published: given to the socket, in all epochs.
        dropped: left the queue for newer ones, or were still in it at the end.
        waiting: in the queue, or tried.
    """

    published: int
    dropped: int
    waiting: int


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    header: Header
    buffer: Buffer


class FramePublisher:
    """A socket, the thread that owns it, and a short queue for each stream in front of it.

    With ``pub`` nobody ever waits: when the socket is slower than a stream, the stream's oldest frame
    leaves the queue and is counted; a subscriber that is slower than the socket misses messages and sees
    it from their sequence. With ``push`` each message goes to one worker and nothing leaves the queue:
    `publish` waits instead. (What a worker was given and did not live to read is lost with it.)

    Args:
        address: where to listen, such as ``tcp://127.0.0.1:5555``.
        keys: folder made by `transport.keys.new_keys`; needed to be reachable from other machines.
        insecure: be reachable without keys.
        patience: seconds that `publish` waits with ``push``.
        streams: how many there will be; so much more waits for each subscriber.

    Raises:
        UsageError: the address cannot be understood, or is not safe, or the keys are damaged.
        OutputError: nobody can listen there.
    """

    def __init__(
        self,
        address: str,
        *,
        keys: Path | None = None,
        insecure: bool = False,
        pattern: Literal["pub", "push"] = "pub",
        patience: float = 5.0,
        streams: int = 1,
    ) -> None:
        self._listener = listen(address, pattern, keys=keys, insecure=insecure, streams=streams)
        self._push, self._patience = pattern == "push", patience
        self._changed = threading.Condition()
        self._queue: Newest[_Waiting] = Newest(BUDGET)
        self._pending: _Waiting | None = None
        """What the socket did not take yet."""
        self._buffers = Buffers()
        self._published: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._next: dict[str, tuple[int, int]] = {}
        """Epoch and next sequence of each stream; the thread's own."""
        self._before: Counter[str] = Counter()
        """Drops of each stream before they came here, as far as its headers told."""
        self._deadline: float | None = None
        """When to give up delivering; set on closing."""
        self._error: StageError | None = None
        self._bell = Bell()
        self._thread = threading.Thread(target=self._run, name="streamrestore-publisher", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, with the port that was chosen."""
        return self._listener.address

    @property
    def in_flight(self) -> int:
        """Payloads that libzmq holds for subscribers that have not taken them yet."""
        with self._changed:
            return self._buffers.in_flight

    def counts(self) -> dict[str, StreamCounts]:
        """What became of each stream's messages so far; together they are all that were to be published."""
        with self._changed:
            return {
                stream: StreamCounts(published, self._dropped[stream], self._waits(stream))
                for stream, published in self._published.items()
            }

    def buffer(self, size: int) -> Buffer:
        """Memory for a payload, to be filled and given to `publish`: saves making it anew each time."""
        with self._changed:
            return self._buffers.take(size)

    def publish(self, header: Header, payload: Payload | Buffer = b"") -> None:
        """Send a message; sequence and publishing time are filled in.

        Args:
            header: with `drops` from before; those of this queue are added. Kinds that have no count of
                their own may leave it at 0.
            payload: the picture, without padding. It is not copied: do not write to it any more.

        Raises:
            WireError: header and payload do not fit; nothing was sent.
            OutputBlocked: with ``push``, no worker took anything for as long as `patience` says.
            OutputError: the publisher is closed.
            StageError: its thread broke.
        """
        buffer = payload if isinstance(payload, Buffer) else Buffer(wire.as_view(payload))
        # What no reader would accept is refused here, in the caller's thread.
        wire.pack(wire.stamped(header, sequence=0, published_at=0, drops=0), buffer.view)
        is_frame = header.kind == "frame"
        lane, depth = (header.stream, is_frame), DEPTH if is_frame else OTHERS
        with self._changed:
            if self._push and not self._changed.wait_for(
                lambda: self._over or not self._full, self._patience
            ):
                raise OutputBlocked(
                    f"{self.address}: no worker took a message for {self._patience:g} s; start one, or more"
                )
            self._refuse_if_over()
            self._published[header.stream] += 0
            self._drop(self._queue.put(lane, _Waiting(header, buffer), depth, buffer.view.nbytes))
        self._bell.ring()

    def gap(self, stream: str, epoch: int, missing: int = 0, text: str = "") -> None:
        """Say that frames are missing here; 0 if nobody knows how many. Raises as `publish`."""
        self.publish(Header(stream=stream, epoch=epoch, kind="gap", missing=missing, text=text))

    def status(self, stream: str, epoch: int, state: str, text: str = "") -> None:
        """Say how a stream is: one word for programs, a sentence for people. Raises as `publish`."""
        self.publish(Header(stream=stream, epoch=epoch, kind="status", state=state, text=text))

    def end(self, stream: str, epoch: int, text: str = "") -> None:
        """Say that a stream is through. Raises as `publish`."""
        self.publish(Header(stream=stream, epoch=epoch, kind="end", text=text))

    def reload_keys(self) -> int:
        """Read again which clients may subscribe; those that are connected stay so.

        Returns:
            How many there are; 0 without keys.

        Raises:
            UsageError: the folder is damaged; what was read before holds.
        """
        allowed = self._listener.allowed
        return 0 if allowed is None else allowed.reload()

    def close(self, limit: float = 2.0) -> None:
        """Deliver what waits for at most `limit` seconds, and let go of the address.

        Raises:
            OutputBlocked: with ``push``, some messages were not taken.
        """
        with self._changed:
            if self._deadline is not None:
                return
            self._deadline = time.monotonic() + limit
            self._changed.notify_all()
        self._bell.ring()
        self._thread.join()
        with self._changed:
            left = ([] if self._pending is None else [self._pending]) + self._queue.clear()
            self._pending = None
            self._drop(left)
        if self._push and left:
            raise OutputBlocked(f"{self.address}: {len(left)} messages were not taken within {limit:g} s")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except OutputBlocked:
            if error is None:  # else it follows from it
                raise

    @property
    def _over(self) -> bool:
        return self._deadline is not None or self._error is not None

    @property
    def _full(self) -> bool:
        return len(self._queue) >= DEPTH

    def _waits(self, stream: str) -> int:
        in_hand = self._pending is not None and self._pending.header.stream == stream
        return self._queue.length((stream, True)) + self._queue.length((stream, False)) + in_hand

    def _refuse_if_over(self) -> None:
        if self._error is not None:
            raise self._error
        if self._deadline is not None:
            raise OutputError(f"{self.address}: the publisher is closed; make another")

    def _drop(self, left: list[_Waiting]) -> None:
        for waiting in left:
            self._dropped[waiting.header.stream] += 1
            self._buffers.put(waiting.buffer)

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:  # noqa: BLE001 - the edge of a thread; it is reported
            with self._changed:
                self._error = StageError("publish", error)
                self._error.__cause__ = error
                self._changed.notify_all()
        finally:
            linger = 0.0 if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            self._listener.close(linger)
            self._bell.close()

    def _serve(self) -> None:
        """Send whatever waits, until there is nothing more to come or the time is over."""
        poller = zmq.Poller()
        poller.register(self._bell, zmq.POLLIN)
        while True:
            while self._fetch() and self._send():
                pass
            left = None if self._deadline is None else self._deadline - time.monotonic()
            if left is not None and (self._pending is None or left <= 0):
                return
            # Nothing ever comes in; but subscribers come and go, which libzmq handles while it is polled.
            out = zmq.POLLOUT if self._pending is not None else 0
            poller.register(self._listener.socket, zmq.POLLIN | out)
            poller.poll(None if left is None else int(left * 1000) + 1)
            self._bell.quiet()

    def _fetch(self) -> bool:
        """Have the next message pending; False if there is none."""
        with self._changed:
            if self._pending is None:
                self._pending = self._queue.take()
                self._changed.notify_all()
            return self._pending is not None

    def _send(self) -> bool:
        """Give the pending message to the socket; False if it takes none."""
        waiting = self._pending
        assert waiting is not None
        stream, epoch, buffer = waiting.header.stream, waiting.header.epoch, waiting.buffer
        last, sequence = self._next.get(stream, (epoch, 0))
        if last != epoch:
            sequence = 0
        before = self._before[stream] = max(self._before[stream], waiting.header.drops)
        drops = before + self._dropped[stream]
        header = wire.stamped(waiting.header, sequence=sequence, published_at=time.time_ns(), drops=drops)
        parts, socket = wire.pack(header, buffer.view), self._listener.socket
        # While sending, libzmq looks only once a millisecond which messages its subscribers have taken, and
        # would drop some for those whose short queue has long been empty. Asking for events has it look now.
        socket.get(zmq.EVENTS)
        try:
            buffer.tracker = socket.send_multipart(parts, zmq.NOBLOCK, copy=False, track=True)
        except zmq.Again:
            return False
        self._next[stream] = (epoch, sequence + 1)
        with self._changed:
            self._pending = None
            self._published[stream] += 1
            self._buffers.put(buffer)
        return True
