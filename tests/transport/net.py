"""Real publishers and subscribers for tests. Everything waits for events; limits are for broken code only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import zmq

from streamrestore.publish import FramePublisher
from streamrestore.transport import Received, Subscriber, subscribe
from streamrestore.wire import Header, pack

LIMIT = 30.0  # seconds
LOCAL = "tcp://127.0.0.1:0"


def header(
    stream: str = "cam1", epoch: int = 1, pts: int = 0, size: tuple[int, int] = (64, 48), **fields: Any
) -> Header:
    """Of an RGB frame of (width, height)."""
    known: dict[str, Any] = {
        "stream": stream, "epoch": epoch, "kind": "frame", "pts": pts, "time_base": (1, 25),
        "received_at": time.time_ns(), "width": size[0], "height": size[1], "pixel_format": "rgb24",
    }  # fmt: skip
    return Header(**(known | fields))


def picture(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One that tells its number."""
    return np.full((size[1], size[0], 3), number % 256, np.uint8)


def send(publisher: FramePublisher, number: int, **fields: Any) -> None:
    """Publish frame `number`."""
    size = fields.get("size", (64, 48))
    publisher.publish(header(pts=number, **fields), picture(number, size))


class Wire:
    """A bare socket that sends what it is told, and knows who subscribed."""

    def __init__(self, address: str = "tcp://127.0.0.1:*") -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.linger, self._socket.sndhwm = 0, 0
        self._socket.set(zmq.XPUB_VERBOSE, 1)  # tell of everybody, not only of the first
        self._socket.bind(address)
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def joined(self) -> None:
        """Wait until somebody subscribes."""
        told = b"\x00"
        while told[0] == 0:  # somebody left
            assert self._socket.poll(int(LIMIT * 1000))
            told = self._socket.recv()

    def send(self, *parts: bytes | memoryview) -> None:
        """Any parts."""
        self._socket.send_multipart(parts)

    def frame(
        self, sequence: int, epoch: int = 1, stream: str = "cam1", size: tuple[int, int] = (64, 48)
    ) -> None:
        """A frame that tells its sequence."""
        stamped = header(
            stream, epoch, pts=sequence, size=size, sequence=sequence, published_at=time.time_ns()
        )
        self.send(*pack(stamped, picture(sequence, size)))

    def status(self, sequence: int = 0, epoch: int = 1, stream: str = "other") -> None:
        """A status."""
        self.send(*pack(Header(stream=stream, epoch=epoch, kind="status", sequence=sequence, published_at=0)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


@contextlib.contextmanager
def counted(subscriber: Subscriber, items: int) -> Iterator[None]:
    """On leaving, so many more items have come to the subscriber's inbox."""
    came = threading.Semaphore(0)
    with subscriber._inbox.heard_by(came.release):
        yield
        for _ in range(items):
            assert came.acquire(timeout=LIMIT)


@contextlib.contextmanager
def repeating(action: Callable[[int], None], pause: float = 0.01) -> Iterator[None]:
    """Call it with 0, 1, 2, ... from another thread, meanwhile."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        number = 0
        try:
            while not stop.wait(pause):
                action(number)
                number += 1
        except BaseException as error:  # noqa: BLE001 - the edge of a thread; it is reported
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LIMIT)
    assert not errors, errors


def meet(publisher: FramePublisher, *subscribers: Subscriber) -> None:
    """Return when each of them receives what is published from now on, and nothing older."""
    with repeating(lambda _: publisher.status("meet", 0, "hello"), pause=0.02):
        for subscriber in subscribers:
            wait_for(subscriber, lambda item: item.stream == "meet")
    publisher.status("meet", 0, "met")
    for subscriber in subscribers:
        wait_for(subscriber, lambda item: item.state == "met")


def wait_for(subscriber: Subscriber, condition: Callable[[Received], bool]) -> Received:
    """The first item that meets the condition; those before it are let go."""
    return next(item for item in subscriber if condition(item))


@contextlib.contextmanager
def pair(
    address: str = LOCAL, *, publisher: dict[str, Any] | None = None, **options: Any
) -> Iterator[tuple[FramePublisher, Subscriber]]:
    """A publisher and a subscriber that have met; the publisher's queue has room for bursts."""
    with (
        FramePublisher(address, **({"streams": 8} | (publisher or {}))) as sender,
        subscribe(sender.address, **({"timeout": LIMIT} | options)) as receiver,
    ):
        meet(sender, receiver)
        yield sender, receiver
