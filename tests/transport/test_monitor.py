"""What libzmq's events mean. The sequences are those that libzmq 4.3.5 was seen to send."""

from __future__ import annotations

import zmq

from streamrestore.transport.monitor import RETRY_SECONDS, LinkEvent, Watch

OPEN = [zmq.EVENT_CONNECT_DELAYED, zmq.EVENT_CONNECTED, zmq.EVENT_HANDSHAKE_SUCCEEDED]


def watch(keys: bool = False) -> Watch:
    """A new one."""
    return Watch("tcp://127.0.0.1:5555", keys=keys, limit=1000)


def told(watch: Watch, events: list[int], now: float = 0.0) -> list[str]:
    """States that follow from events."""
    seen = [watch.saw(event, now) for event in events]
    return [event.state for event in seen if event is not None]


class TestWatch:
    def test_lost_and_found(self) -> None:
        """A publisher that stops and comes back: libzmq tries by itself."""
        one = watch()

        assert told(one, OPEN) == ["connected"]
        assert told(one, [zmq.EVENT_DISCONNECTED, zmq.EVENT_CONNECT_RETRIED]) == ["lost"]
        assert told(one, [zmq.EVENT_CONNECT_DELAYED, zmq.EVENT_CLOSED, zmq.EVENT_CONNECT_RETRIED] * 5) == []
        assert one.deadline is None
        assert told(one, OPEN) == ["connected"]

    def test_oversized(self) -> None:
        """A disconnect without a retry: libzmq has given up, and does not say so."""
        one = watch()
        told(one, OPEN)

        assert told(one, [zmq.EVENT_DISCONNECTED], now=5.0) == []
        assert one.deadline == 5.0 + RETRY_SECONDS
        assert not one.gave_up(5.0)
        assert one.gave_up(5.0 + RETRY_SECONDS)
        event = one.renewed()

        assert isinstance(event, LinkEvent)
        assert event.state == "oversized"
        assert "1000 bytes" in event.text
        assert not one.gave_up(100.0)

    def test_refused_key(self) -> None:
        """The publisher says no; libzmq never asks again, so that we have to."""
        one = watch(keys=True)
        events = [*OPEN[:2], zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_DISCONNECTED]

        assert told(one, events) == ["refused"]
        assert one.gave_up(RETRY_SECONDS)
        assert one.renewed() is None

    def test_refusals_are_told_once(self) -> None:
        """Not at each attempt, for months."""
        one = watch(keys=True)
        events = [
            *OPEN[:2],
            zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
            zmq.EVENT_DISCONNECTED,
            zmq.EVENT_CONNECT_RETRIED,
        ]

        assert told(one, events * 10) == ["refused"]
        assert one.deadline is None

    def test_texts_say_what_to_do(self) -> None:
        """By what failed, and by whether this side has keys."""
        texts = set()
        for event in (
            zmq.EVENT_HANDSHAKE_FAILED_AUTH,
            zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
            zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        ):
            for keys in (True, False):
                seen = watch(keys).saw(event, 0.0)
                assert seen is not None
                assert seen.text.startswith("tcp://127.0.0.1:5555: ")
                texts.add(seen.text)
        assert len(texts) == 5
