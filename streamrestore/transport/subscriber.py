"""Receiving restored frames: `subscribe`.

with streamrestore.subscribe("tcp://127.0.0.1:5555") as received:
    for item in received:
        if item.kind == "frame":
            detect(item.image)
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from streamrestore import wire
from streamrestore.errors import UsageError, WireError, WireTimeout
from streamrestore.links import Closed
from streamrestore.transport.gaps import Places
from streamrestore.transport.inbox import Inbox, Item
from streamrestore.transport.monitor import LinkEvent
from streamrestore.transport.pictures import Pictures
from streamrestore.transport.received import Received
from streamrestore.transport.receiver import Receiver
from streamrestore.transport.sockets import dial
from streamrestore.wire import Header, Message

DEPTH = 16
"""Frames of one stream that wait to be asked for."""


def subscribe(
    address: str,
    *,
    keys: Path | str | None = None,
    streams: Iterable[str] | None = None,
    latest_only: bool = False,
    timeout: float | None = None,
    worker: bool = False,
    max_payload: int = wire.MAX_PAYLOAD,
) -> Subscriber:
    """Receive what a service publishes, now or as soon as it is there.

    Args:
        address: ``tcp://HOST:PORT``, ``ipc://PATH`` or, in the same process, ``inproc://NAME``.
        keys: a client's folder of keys; needed where the publisher has keys.
        streams: names; None means all.
        latest_only: of each stream only the newest frame waits, so that a slow reader sees the present.
            Otherwise up to `DEPTH` frames wait; either way the oldest leave, and a gap tells how many.
        timeout: seconds without a message after which WireTimeout is raised; None waits for ever.
        worker: take a share of what a publisher deals out (PUSH), and have it wait when this side is busy.
        max_payload: bytes of the largest picture that is accepted.

    Raises:
        UsageError: the address, a name or the keys cannot be used.
    """
    topics = [b""] if streams is None else [wire.topic_of(name) for name in streams]
    if worker and (streams is not None or latest_only):
        raise UsageError("a worker takes what it is dealt: leave out streams and latest_only")
    dialed = dial(
        address,
        "pull" if worker else "sub",
        keys=None if keys is None else Path(keys),
        topics=[] if worker else topics,
        max_payload=max_payload,
    )
    inbox = Inbox(1 if latest_only or worker else DEPTH)
    return Subscriber(Receiver(dialed, inbox, greedy=not worker), inbox, timeout, count_gaps=not worker)


class Subscriber:
    """An iterator over what comes, for ``for`` and ``async for``; made by `subscribe`.

    It ends when it is closed. After a WireError it can be iterated on: the message that caused it is
    gone, and nothing else.

    Raises:
        WireError: what came is not one of our messages, or of another version.
        WireTimeout: nothing came for `timeout` seconds.
        StageError: receiving broke for good.
    """

    def __init__(self, receiver: Receiver, inbox: Inbox, timeout: float | None, *, count_gaps: bool) -> None:
        self._receiver, self._inbox, self._timeout = receiver, inbox, timeout
        self._places = Places() if count_gaps else None  # a worker's share has holes that others filled
        self._pictures = Pictures()
        self._ready: deque[tuple[Message, bool]] = deque()
        """Messages, and whether they were made here."""
        self._silent_since: float | None = None
        self._news = "no connection was made yet"
        self._finalizer = weakref.finalize(self, receiver.stop)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Received:
        try:
            while not self._ready:
                self._sort_in(self._inbox.take(self._patience()))
        except Closed:
            raise StopIteration from None
        return self._hand_out()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        changed, loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            with self._inbox.heard_by(lambda: loop.call_soon_threadsafe(changed.set)):
                while not self._ready:
                    item = self._inbox.take(0)
                    if item is None and await _happens(changed, self._patience()):
                        continue
                    self._sort_in(item)
        except Closed:
            raise StopAsyncIteration from None
        return self._hand_out()

    def close(self) -> None:
        """Stop receiving, and end the iteration; from any thread."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _patience(self) -> float | None:
        """Seconds that may still pass in silence; news about the connection do not count as a message."""
        if self._timeout is None:
            return None
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        return max(0.0, self._silent_since + self._timeout - now)

    def _sort_in(self, item: Item | None) -> None:
        """Make ready what follows from an item of the inbox; None: nothing came in time."""
        if item is not None:
            self._receiver.made_room()
        if isinstance(item, LinkEvent):
            self._news = item.text
            self._ready.append((_told(item), True))
            return
        self._silent_since = None
        if item is None:
            raise WireTimeout(
                f"nothing was received for {self._timeout:g} s; of the connection: {self._news}; is the "
                "publisher running, and are the names of the streams right?"
            )
        if isinstance(item, WireError):
            raise item
        missed = 0 if self._places is None else self._places.missed(item.header)
        if missed:
            self._ready.append((_gap(item.header, missed), True))
        self._ready.append((item, False))

    def _hand_out(self) -> Received:
        message, made_here = self._ready.popleft()
        image = self._pictures.rgb(message) if message.header.kind == "frame" else None
        return Received(message.header, image, time.time_ns(), made_here)


async def _happens(event: asyncio.Event, timeout: float | None) -> bool:
    """Whether it happens in time; it can happen again then."""
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True


def _gap(after: Header, missed: int) -> Message:
    """What the lack of messages before `after` tells."""
    header = Header(
        stream=after.stream,
        epoch=after.epoch,
        kind="gap",
        sequence=after.sequence - missed,
        published_at=after.published_at,
        drops=after.drops,
        missing=missed,
        text=f"{missed} messages did not come: they were too many for the network or for this reader",
    )
    return Message(header, memoryview(b""))


def _told(event: LinkEvent) -> Message:
    """News about the connection, as a status of no stream."""
    header = Header(
        stream="",
        epoch=0,
        kind="status",
        sequence=0,
        published_at=time.time_ns(),
        state=event.state,
        text=event.text,
    )
    return Message(header, memoryview(b""))
