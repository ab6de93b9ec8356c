"""Receiving: what comes is handed out, what does not come is told, and nothing is made up."""

from __future__ import annotations

import asyncio
import gc
import threading
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamrestore import wire
from streamrestore.errors import StageError, UsageError, WireError, WireTimeout
from streamrestore.publish import FramePublisher
from streamrestore.transport import Received, Subscriber, subscribe
from streamrestore.weather import Decision, Weather, WeatherEstimate
from streamrestore.wire import Decided, Header, Seen
from tests.transport.net import LIMIT, LOCAL, Wire, counted, header, meet, pair, picture, send, wait_for

pytestmark = pytest.mark.network


def joined(publisher: Wire, **options: Any) -> Subscriber:
    """A subscriber that is connected, and whose first item, that it is so, was taken."""
    subscriber = subscribe(publisher.address, **({"timeout": LIMIT} | options))
    publisher.joined()
    assert next(subscriber).state == "connected"
    return subscriber


def told(items: list[Received]) -> list[tuple[str, int, int]]:
    """Kind, sequence and missing of each."""
    return [(item.kind, item.sequence, item.missing) for item in items]


class TestFrames:
    @pytest.mark.parametrize("address", [LOCAL, "ipc://{}/socket", "inproc://frames", "tcp://[::1]:0"])
    def test_every_transport(self, address: str, tmp_path: Path) -> None:
        """Pictures arrive as they were published, in order."""
        with pair(address.format(tmp_path)) as (publisher, subscriber):
            for number in range(20):
                send(publisher, number)
                item = next(subscriber)
                assert (item.kind, item.stream, item.sequence) == ("frame", "cam1", number)
                assert item.image is not None
                assert np.array_equal(item.image, picture(number))
                assert not item.image.flags.writeable

    def test_everything_is_told(self) -> None:
        """Time, weather, decision, drops and age, in the words of the rest of the package."""
        estimate = WeatherEstimate({Weather.RAIN: 0.9}, 0.1, {Weather.RAIN: 0.2})
        decision = Decision((Weather.RAIN,), 0.5, "classified", estimate)
        with pair() as (publisher, subscriber):
            publisher.publish(
                header(
                    pts=50,
                    epoch=9,
                    weather=Seen.of(estimate),
                    decision=Decided.of(decision),
                    restored=True,
                    drops=4,
                ),
                picture(0),
            )
            item = next(subscriber)

        assert (item.pts_seconds, item.epoch, item.drops, item.restored) == (2.0, 9, 4, True)
        assert item.weather == estimate
        assert item.decision == decision
        assert 0 <= item.age_seconds < LIMIT
        assert "image" not in repr(item)

    def test_age_is_from_capture_if_that_is_known(self) -> None:
        """The camera's word comes first, then ours."""
        made = header(captured_at=1_000_000_000, received_at=3_000_000_000, published_at=4_000_000_000)

        assert Received(made, None, 5_000_000_000).age_seconds == 4.0
        assert (
            Received(msgspec.structs.replace(made, captured_at=None), None, 5_000_000_000).age_seconds == 2.0
        )

    def test_other_kinds(self) -> None:
        """Gap, status and end carry no picture."""
        with pair() as (publisher, subscriber):
            publisher.gap("cam1", 1, 25, "the camera was gone for a second")
            publisher.status("cam1", 1, "online", "again")
            publisher.end("cam1", 1, "the file is over")
            items = list(islice(subscriber, 3))

        assert [(item.kind, item.missing, item.state) for item in items] == [
            ("gap", 25, ""), ("status", 0, "online"), ("end", 0, ""),
        ]  # fmt: skip
        assert [item.image for item in items] == [None] * 3
        assert [item.pts_seconds for item in items] == [None] * 3
        assert items[2].text == "the file is over"

    def test_chosen_streams(self) -> None:
        """cam1 is not cam10, whatever ZeroMQ thinks of beginnings."""
        with pair(streams=["cam1", "meet"]) as (publisher, subscriber):
            for stream in ("cam10", "cam", "cam1", "CAM1", "cam1"):
                publisher.status(stream, 1, "online")
            publisher.status("meet", 0, "over")
            streams = [item.stream for item in islice(subscriber, 3)]

        assert streams == ["cam1", "cam1", "meet"]


class TestGaps:
    def test_lost_messages(self) -> None:
        """A hole in the sequence comes as a gap with its place and size."""
        with Wire() as publisher, joined(publisher) as subscriber:
            for sequence in (5, 6, 9, 10):
                publisher.frame(sequence)
            items = list(islice(subscriber, 5))

        assert told(items) == [
            ("frame", 5, 0),
            ("frame", 6, 0),
            ("gap", 7, 2),
            ("frame", 9, 0),
            ("frame", 10, 0),
        ]
        assert (items[2].stream, items[2].epoch, items[2].image) == ("cam1", 1, None)

    def test_new_epoch(self) -> None:
        """It begins at 0; what is missing from there is a gap."""
        with Wire() as publisher, joined(publisher) as subscriber:
            publisher.frame(7, epoch=1)
            publisher.frame(0, epoch=2)
            publisher.frame(3, epoch=3)
            items = list(islice(subscriber, 4))

        assert [(i.kind, i.epoch, i.sequence, i.missing) for i in items] == [
            ("frame", 1, 7, 0), ("frame", 2, 0, 0), ("gap", 3, 0, 3), ("frame", 3, 3, 0),
        ]  # fmt: skip

    def test_slow_reader(self) -> None:
        """So many of the newest frames wait, and the gap tells of all others; other kinds wait longer."""
        with Wire() as publisher, joined(publisher) as subscriber:
            publisher.frame(0)
            assert next(subscriber).sequence == 0
            with counted(subscriber, 101):
                publisher.status(1, stream="cam1")
                for sequence in range(2, 102):
                    publisher.frame(sequence)
            items = list(islice(subscriber, 18))

        assert told(items) == [("status", 1, 0), ("gap", 2, 84), *(("frame", n, 0) for n in range(86, 102))]


class TestLatestOnly:
    def test_the_newest_of_each_stream(self) -> None:
        """A reader that was busy sees the present, and how much it missed."""
        with Wire() as publisher, joined(publisher, latest_only=True) as subscriber:
            for stream in ("a", "b"):
                publisher.frame(0, stream=stream)
                assert next(subscriber).stream == stream
            with counted(subscriber, 60):
                for sequence in range(1, 31):
                    publisher.frame(sequence, stream="a")
                    publisher.frame(sequence, stream="b")
            items = list(islice(subscriber, 4))

        assert [(i.stream, *told([i])[0]) for i in items] == [
            ("a", "gap", 1, 29), ("a", "frame", 30, 0), ("b", "gap", 1, 29), ("b", "frame", 30, 0),
        ]  # fmt: skip
        assert items[1].image is not None
        assert np.array_equal(items[1].image, picture(30))

    def test_news_are_kept(self) -> None:
        """A status is not pushed out by the frames after it."""
        with Wire() as publisher, joined(publisher, latest_only=True) as subscriber:
            with counted(subscriber, 21):
                publisher.status(0, stream="cam1")
                for sequence in range(1, 21):
                    publisher.frame(sequence)
            items = list(islice(subscriber, 3))

        assert told(items) == [("status", 0, 0), ("gap", 1, 19), ("frame", 20, 0)]


class TestBadMessages:
    @pytest.mark.parametrize(
        "parts",
        [
            [b"cam1/"],
            [b"cam1/", b"noise", b""],
            [b"cam1/"] * 500,
            [b"cam1/", msgspec.msgpack.encode({"version": 2}), b""],
            [b"cam1/", msgspec.msgpack.encode(header(size=(9000, 9000), sequence=1, published_at=0)), b"x"],
        ],
        ids=["one part", "noise", "500 parts", "later version", "huge size"],
    )
    def test_typed_error_and_on(self, parts: list[bytes]) -> None:
        """The error says where it came from; what comes after is received."""
        with Wire() as publisher, joined(publisher) as subscriber:
            publisher.send(*parts)
            publisher.frame(0)

            with pytest.raises(WireError, match=publisher.address):
                next(subscriber)
            assert told([next(subscriber)]) == [("frame", 0, 0)]

    def test_jpeg_that_is_none(self) -> None:
        """The same for a payload that only a decoder can judge."""
        with pair() as (publisher, subscriber):
            publisher.publish(header(pixel_format="jpeg"), b"no picture")
            send(publisher, 1)

            with pytest.raises(WireError, match="no JPEG"):
                next(subscriber)
            assert told([next(subscriber)]) == [("frame", 1, 0)]

    def test_errors_do_not_pile_up(self) -> None:
        """A flood of noise leaves room for frames, and is bounded."""
        with Wire() as publisher, joined(publisher) as subscriber:
            with counted(subscriber, 1001):
                for _ in range(1000):
                    publisher.send(b"cam1/", b"noise", b"")
                publisher.frame(0)
            assert len(subscriber._inbox._items) <= 33

    def test_oversized(self) -> None:
        """libzmq hangs up without a word, and for good; we tell, and connect again."""
        with Wire() as publisher, joined(publisher, max_payload=100_000) as subscriber:
            publisher.frame(0)
            assert next(subscriber).sequence == 0
            publisher.frame(1, size=(640, 480))

            event = next(subscriber)
            assert (event.kind, event.stream, event.state) == ("status", "", "oversized")
            assert "100000 bytes" in event.text
            publisher.joined()
            publisher.frame(2)
            items = list(islice((item for item in subscriber if item.stream), 2))

        assert told(items) == [("gap", 1, 1), ("frame", 2, 0)]


class TestConnection:
    def test_the_publisher_comes_later(self, tmp_path: Path) -> None:
        """Nothing is wrong until then, and nothing is made up."""
        address = f"ipc://{tmp_path}/socket"
        with subscribe(address, timeout=LIMIT) as subscriber, FramePublisher(address) as publisher:
            meet(publisher, subscriber)
            send(publisher, 3)

            assert next(subscriber).header.pts == 3

    def test_the_publisher_restarts(self) -> None:
        """Lost, connected, and on; the new epoch tells that it is another run."""
        with FramePublisher(LOCAL) as first, subscribe(first.address, timeout=LIMIT) as subscriber:
            address = first.address
            meet(first, subscriber)
            send(first, 0, epoch=1)
            assert next(subscriber).epoch == 1
            first.close()
            assert wait_for(subscriber, lambda item: item.state == "lost").stream == ""

            with FramePublisher(address) as second:
                assert wait_for(subscriber, lambda item: item.state == "connected").stream == ""
                meet(second, subscriber)
                send(second, 0, epoch=2)
                item = next(subscriber)

        assert (item.kind, item.epoch, item.sequence) == ("frame", 2, 0)

    def test_timeout(self) -> None:
        """It says what is known of the connection; the next call waits anew."""
        with Wire() as publisher, joined(publisher, timeout=0.05) as subscriber:
            for _ in range(2):
                with pytest.raises(WireTimeout, match=r"nothing was received for 0\.05 s.*connected"):
                    next(subscriber)
            publisher.frame(0)
            item = wait_for_frame(subscriber)

        assert item.sequence == 0

    def test_timeout_without_a_publisher(self) -> None:
        """Also a builtin error."""
        with subscribe("tcp://127.0.0.1:1", timeout=0.05) as subscriber, pytest.raises(TimeoutError):
            next(subscriber)

    def test_close_ends_the_iteration(self) -> None:
        """From another thread; and it stays ended."""
        with Wire() as publisher:
            subscriber = joined(publisher)
            items: list[Received] = []
            reader = threading.Thread(target=lambda: items.extend(subscriber), daemon=True)
            reader.start()
            publisher.frame(0)

            while not items:
                reader.join(0.001)
            subscriber.close()
            reader.join(LIMIT)

        assert not reader.is_alive()
        assert list(subscriber) == []
        subscriber.close()

    def test_forgotten_subscribers_let_go(self) -> None:
        """One that is not used any more ends its thread."""
        with Wire() as publisher:
            receiver = joined(publisher)._receiver
            gc.collect()
            receiver.join(LIMIT)

        assert not receiver.is_alive()

    def test_a_defect_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What broke in the thread is raised where the frames are wanted, each time."""
        with Wire() as publisher, joined(publisher) as subscriber:
            monkeypatch.setattr(wire, "unpack", lambda *_, **__: 1 // 0)
            publisher.send(b"x")

            for _ in range(2):
                with pytest.raises(StageError, match="the receive stage broke: ZeroDivisionError"):
                    next(subscriber)

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"streams": ["a/b"]}, "cannot be the name of a stream"),
            ({"worker": True, "latest_only": True}, "leave out"),
            ({"worker": True, "streams": ["cam1"]}, "leave out"),
            ({"keys": "/nowhere"}, "keys new"),
        ],
    )
    def test_usage(self, options: dict[str, Any], reason: str) -> None:
        """Refused before anything is opened."""
        with pytest.raises(UsageError, match=reason):
            subscribe("tcp://127.0.0.1:5555", **options)


def wait_for_frame(subscriber: Subscriber) -> Received:
    """The next frame, however long it takes."""
    while True:
        try:
            return wait_for(subscriber, lambda item: item.kind == "frame")
        except WireTimeout:
            continue


class TestAsync:
    def test_frames(self) -> None:
        """`async for`, with everything else as usual."""

        async def run() -> list[Received]:
            with Wire() as publisher:
                async with joined(publisher) as subscriber:
                    publisher.frame(0)
                    publisher.frame(2)
                    return [await anext(subscriber) for _ in range(3)]

        assert told(asyncio.run(run())) == [("frame", 0, 0), ("gap", 1, 1), ("frame", 2, 0)]

    def test_waiting_lets_others_run(self) -> None:
        """Frames that come while the loop waits wake it."""

        async def run() -> list[tuple[str, int, int]]:
            items: list[Received] = []
            with Wire() as publisher:
                async with joined(publisher) as subscriber:

                    async def read() -> None:
                        async for item in subscriber:
                            items.append(item)  # noqa: PERF401 - one by one, as others look

                    reader = asyncio.create_task(read())
                    for sequence in range(5):
                        publisher.frame(sequence)
                        while len(items) <= sequence:
                            await asyncio.sleep(0)
                    subscriber.close()
                    await asyncio.wait_for(reader, LIMIT)
            return told(items)

        assert asyncio.run(run()) == [("frame", n, 0) for n in range(5)]

    def test_timeout_and_cancelling(self) -> None:
        """Neither loses what comes later."""

        async def run() -> Received:
            with Wire() as publisher:
                async with joined(publisher, timeout=0.05) as subscriber:
                    with pytest.raises(WireTimeout):
                        await anext(subscriber)
                    waiting = asyncio.ensure_future(anext(subscriber))
                    await asyncio.sleep(0)
                    waiting.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await waiting
                    with counted(subscriber, 1):
                        publisher.frame(0)
                    return await anext(subscriber)

        assert asyncio.run(run()).sequence == 0

    def test_errors(self) -> None:
        """As in the other world."""

        async def run() -> Received:
            with Wire() as publisher:
                async with joined(publisher) as subscriber:
                    publisher.send(b"noise")
                    publisher.frame(0)
                    with pytest.raises(WireError):
                        await anext(subscriber)
                    return await anext(subscriber)

        assert asyncio.run(run()).sequence == 0


class TestWorkers:
    def test_each_message_goes_to_one(self) -> None:
        """Together they have everything, once; holes in a share are no gaps."""
        with (
            FramePublisher(LOCAL, pattern="push", patience=LIMIT) as publisher,
            subscribe(publisher.address, worker=True, timeout=LIMIT) as one,
            subscribe(publisher.address, worker=True, timeout=LIMIT) as other,
        ):
            shares: dict[Subscriber, list[Received]] = {one: [], other: []}

            def work(worker: Subscriber) -> None:
                shares[worker] += (item for item in worker if item.stream)

            threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in shares]
            for worker, thread in zip(shares, threads, strict=True):
                assert next(worker).state == "connected"
                thread.start()
            for number in range(100):
                send(publisher, number)
            publisher.close()
            while sum(map(len, shares.values())) < 100:
                threads[0].join(0.001)

        items = [item for share in shares.values() for item in share]
        assert {item.kind for item in items} == {"frame"}
        assert sorted(item.sequence for item in items) == list(range(100))
        assert all(shares.values())


def test_header_of_a_gap_is_well_formed() -> None:
    """What is made here could have been sent."""
    with Wire() as publisher, joined(publisher) as subscriber:
        publisher.frame(0)
        publisher.frame(5)
        gap = wait_for(subscriber, lambda item: item.kind == "gap")

    assert isinstance(gap.header, Header)
    assert wire.unpack(wire.pack(gap.header)).header == gap.header
