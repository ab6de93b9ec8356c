"""Publishing: what is stamped, what leaves the queue, who waits, and what memory is held."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import zmq

from streamrestore.errors import OutputBlocked, OutputError, StageError, WireError
from streamrestore.publish import FramePublisher, StreamCounts
from streamrestore.publish import zmq as module
from streamrestore.publish.zmq import DEPTH
from streamrestore.transport import Received, subscribe
from streamrestore.transport.pictures import Pictures
from streamrestore.wire import unpack
from tests.transport.net import LIMIT, LOCAL, header, meet, pair, picture, repeating, send, wait_for

pytestmark = pytest.mark.network

BIG = (400, 300)  # 360 kB: several fill what the system keeps for a connection


def wait_until_landed(publisher: FramePublisher) -> None:
    """Until libzmq holds no payload; pyzmq tells that from a thread of its own, which may be late."""
    limit = time.monotonic() + LIMIT
    while publisher.in_flight:
        assert time.monotonic() < limit
        time.sleep(0.001)


class Readers:
    """Bare subscribers."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []

    def join(self, publisher: FramePublisher, topic: bytes) -> zmq.Socket[bytes]:
        """One that has received, and not read, a first message."""
        socket = self._context.socket(zmq.SUB)
        self._sockets.append(socket)
        socket.rcvhwm = 1
        socket.subscribe(topic)
        socket.connect(publisher.address)
        assert socket.poll(int(LIMIT * 1000))
        return socket

    def frozen(self, publisher: FramePublisher) -> zmq.Socket[bytes]:
        """One that reads nothing from now on."""
        with repeating(lambda _: publisher.status("meet", 0, "hello")):
            return self.join(publisher, b"")

    def close(self) -> None:
        """Close all."""
        self._context.destroy(linger=0)


@pytest.fixture
def readers() -> Iterator[Readers]:
    """For one test."""
    some = Readers()
    yield some
    some.close()


class TestStamps:
    def test_sequence_and_epoch(self) -> None:
        """Of each stream its own, over all kinds, from 0 in each epoch."""
        with pair() as (publisher, subscriber):
            send(publisher, 0, stream="a", epoch=1)
            publisher.status("a", 1, "stalled")
            send(publisher, 0, stream="b", epoch=5)
            send(publisher, 0, stream="a", epoch=2)
            publisher.end("a", 2)
            items = list(islice(subscriber, 5))

        assert [(item.stream, item.epoch, item.sequence) for item in items] == [
            ("a", 1, 0), ("a", 1, 1), ("b", 5, 0), ("a", 2, 0), ("a", 2, 1),
        ]  # fmt: skip

    def test_publishing_time(self) -> None:
        """After arrival, before it is handed out."""
        with pair() as (publisher, subscriber):
            send(publisher, 0)
            item = next(subscriber)

        assert item.header.received_at is not None
        assert item.header.received_at <= item.header.published_at <= item.taken_at

    def test_errors_belong_to_the_caller(self) -> None:
        """What does not fit together is refused where it is published, and nothing is sent."""
        with pair() as (publisher, subscriber):
            with pytest.raises(WireError, match="27 bytes; 64x48 rgb24 has 9216"):
                publisher.publish(header(), bytes(27))
            with pytest.raises(WireError):
                publisher.status("a/b", 1, "online")
            send(publisher, 1)

            assert next(subscriber).sequence == 0


class TestNewestWins:
    def test_the_oldest_frame_leaves(self) -> None:
        """While the socket is busy; the next frame tells how many left, and news are kept."""
        with pair() as (publisher, subscriber):
            with publisher._changed:  # the thread cannot fetch
                for number in range(10):
                    send(publisher, number, drops=100)
                publisher.status("cam1", 1, "online")
                assert publisher.counts()["cam1"] == StreamCounts(published=0, dropped=8, waiting=DEPTH + 1)
            items = list(islice(subscriber, 3))

        assert [(item.kind, item.header.pts, item.sequence) for item in items] == [
            ("frame", 8, 0), ("frame", 9, 1), ("status", None, 2),
        ]  # fmt: skip
        assert [item.drops for item in items] == [108, 108, 108]
        assert publisher.counts()["cam1"] == StreamCounts(published=3, dropped=8, waiting=0)

    def test_a_flood_does_not_starve_others(self) -> None:
        """A stream that publishes a thousand frames has no more of the queue than one that has one."""
        with pair() as (publisher, subscriber):
            with publisher._changed:
                send(publisher, 7, stream="quiet")
                for number in range(1000):
                    send(publisher, number, stream="loud")
            items = list(islice(subscriber, 3))

        assert [(item.stream, item.header.pts) for item in items] == [
            ("quiet", 7),
            ("loud", 998),
            ("loud", 999),
        ]
        assert publisher.counts()["loud"].dropped == 998

    def test_everything_is_accounted_for(self) -> None:
        """In = published + dropped, published = received + gaps, with a reader that is too slow."""
        ends = 0

        def end(_: int) -> None:
            nonlocal ends
            publisher.end("cam1", 1)
            ends += 1

        with pair(latest_only=True) as (publisher, subscriber):
            for number in range(300):
                send(publisher, number)
            received: list[Received] = []
            with repeating(end):
                while not received or received[-1].kind != "end":
                    received.append(next(subscriber))
            counts = publisher.counts()["cam1"]

        assert counts.published + counts.dropped + counts.waiting == 300 + ends
        lost = sum(item.missing for item in received if item.kind == "gap")
        first = next(item.sequence for item in received if item.kind != "gap")
        came = sum(item.kind != "gap" for item in received)
        assert received[-1].sequence + 1 == first + came + lost


class TestSlowSubscribers:
    def test_frozen_one(self, readers: Readers) -> None:
        """It costs a bounded number of frames, and others get every one, in order."""
        with pair(publisher={"streams": 1}) as (publisher, good):
            readers.frozen(publisher)
            meet(publisher, good)
            held = 0
            for number in range(300):
                send(publisher, number, size=BIG)
                item = next(good)
                assert (item.kind, item.header.pts) == ("frame", number)
                limit = time.monotonic() + LIMIT
                while publisher.in_flight > 50 and time.monotonic() < limit:  # a busy machine lets go late
                    time.sleep(0.01)
                held = max(held, publisher.in_flight)

            assert 1 <= held <= 50  # libzmq's queue of 8, and what its and pyzmq's threads have to do yet
            publisher.close(limit=0.1)

    def test_memory_is_not_used_again_too_early(self, readers: Readers) -> None:
        """What a subscriber reads late is still what was published."""
        with FramePublisher(LOCAL) as publisher:
            late = readers.frozen(publisher)
            for number in range(100):
                buffer = publisher.buffer(3 * BIG[0] * BIG[1])
                np.frombuffer(buffer.view, np.uint8)[:] = number
                publisher.publish(header(pts=number, size=BIG), buffer)
            publisher.close(limit=0.5)

            read = []
            while late.poll(200):
                message = unpack(late.recv_multipart())
                if message.header.kind == "frame":
                    colors = np.unique(np.frombuffer(message.payload, np.uint8))
                    assert colors.tolist() == [message.header.pts]
                    read.append(message.header.pts)

        assert read
        assert read == sorted(read)

    def test_memory_is_used_again(self) -> None:
        """A stream whose frames arrive does not need new memory for each."""
        with pair() as (publisher, subscriber):
            places = set()
            for number in range(50):
                wait_until_landed(publisher)
                buffer = publisher.buffer(3 * BIG[0] * BIG[1])
                places.add(np.frombuffer(buffer.view, np.uint8).ctypes.data)
                publisher.publish(header(pts=number, size=BIG), buffer)
                assert next(subscriber).header.pts == number

        assert len(places) == 1

    def test_late_joiners(self, readers: Readers) -> None:
        """The first message that each of a hundred gets is a frame that can be decoded."""
        with FramePublisher(LOCAL) as publisher, repeating(lambda number: send(publisher, number)):
            for _ in range(100):
                message = unpack(readers.join(publisher, b"cam1/").recv_multipart())
                assert message.header.kind == "frame"
                assert np.array_equal(Pictures().rgb(message), picture(message.header.pts or 0))


class TestPush:
    def test_waits_for_a_worker(self) -> None:
        """Publishing waits as long as it may, then says so; what was taken before is not lost."""
        with FramePublisher(LOCAL, pattern="push", patience=0.05) as publisher:
            sent = DEPTH + 1  # and one that the thread has in hand
            for number in range(sent):
                send(publisher, number)
            with pytest.raises(OutputBlocked, match=r"no worker took a message for 0\.05 s"):
                send(publisher, sent)

            with subscribe(publisher.address, worker=True, timeout=LIMIT) as worker:
                items = list(islice((item for item in worker if item.stream), sent))
            assert [item.header.pts for item in items] == list(range(sent))
            assert publisher.counts()["cam1"] == StreamCounts(sent, 0, 0)

    def test_goes_at_the_workers_pace(self) -> None:
        """However slow it is, everything arrives, and little is ahead of it."""
        with (
            FramePublisher(LOCAL, pattern="push", patience=LIMIT) as publisher,
            subscribe(publisher.address, worker=True, timeout=LIMIT) as worker,
        ):
            sent = threading.Semaphore(0)

            def produce() -> None:
                for number in range(200):
                    send(publisher, number, size=(1200, 900))  # 3 MB: the system keeps only a few
                    sent.release()

            producer = threading.Thread(target=produce, daemon=True)
            producer.start()
            ahead = 0
            for number in range(200):
                item = wait_for(worker, lambda item: bool(item.stream))
                assert item.header.pts == number
                while sent.acquire(blocking=False):
                    ahead += 1
                assert ahead - number <= 20
            producer.join(LIMIT)

        assert publisher.counts()["cam1"] == StreamCounts(200, 0, 0)

    def test_close_tells_what_was_not_taken(self) -> None:
        """Nothing is dropped in silence."""
        publisher = FramePublisher(LOCAL, pattern="push")
        send(publisher, 0)
        send(publisher, 1)

        with pytest.raises(OutputBlocked, match=r"2 messages were not taken within 0\.05 s"):
            publisher.close(0.05)
        assert publisher.counts()["cam1"] == StreamCounts(0, 2, 0)


class TestClose:
    def test_delivers_what_waits(self) -> None:
        """The end is heard, though the publisher is gone at once."""
        with pair() as (publisher, subscriber):
            send(publisher, 0)
            publisher.end("cam1", 1)
            publisher.close()
            items = list(islice((item for item in subscriber if item.stream), 2))

        assert [item.kind for item in items] == ["frame", "end"]

    def test_nothing_after_it(self) -> None:
        """A closed publisher says so; closing again is fine."""
        publisher = FramePublisher(LOCAL)
        publisher.close()
        publisher.close()

        with pytest.raises(OutputError, match="closed"):
            send(publisher, 0)

    def test_the_address_is_free_again(self) -> None:
        """At once."""
        with FramePublisher(LOCAL) as publisher:
            address = publisher.address
        FramePublisher(address).close()

    def test_a_defect_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What broke in the thread is raised by the next publish."""

        class Clock:
            def time_ns(self) -> int:
                raise ZeroDivisionError("the clock")

        with FramePublisher(LOCAL) as publisher:
            monkeypatch.setattr(module, "time", Clock())
            send(publisher, 0)
            publisher._thread.join(LIMIT)
            monkeypatch.undo()

            with pytest.raises(StageError, match="the publish stage broke: ZeroDivisionError"):
                send(publisher, 1)

    def test_forgotten_sockets_do_not_hold_the_process(self, tmp_path: Path) -> None:
        """A script that closes nothing ends all the same."""
        code = (
            "import streamrestore\n"
            "from streamrestore.publish import FramePublisher\n"
            f"publisher = FramePublisher('ipc://{tmp_path}/socket')\n"
            "subscriber = streamrestore.subscribe(publisher.address)\n"
            "assert next(subscriber).state == 'connected'\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT * 2)

        assert (done.returncode, done.stderr) == (0, "")


def test_nothing_heavy_is_imported() -> None:
    """Neither receiving nor publishing needs torch; naming `subscribe` needs not even ZeroMQ."""
    code = (
        "import sys, streamrestore\n"
        "assert 'zmq' not in sys.modules and 'numpy' not in sys.modules\n"
        "streamrestore.subscribe\n"
        "import streamrestore.publish, streamrestore.wire\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT * 2)

    assert (done.returncode, done.stderr) == (0, "")
