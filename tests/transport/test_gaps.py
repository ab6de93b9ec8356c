"""Counting what was lost from the sequence alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamrestore.transport.gaps import MAX_STREAMS, Places
from streamrestore.wire import Header


def at(stream: str, epoch: int, sequence: int) -> Header:
    """A header there."""
    return Header(stream=stream, epoch=epoch, kind="status", sequence=sequence, published_at=0)


class TestPlaces:
    @given(st.lists(st.lists(st.booleans(), min_size=1, max_size=20), min_size=1, max_size=4))
    def test_published_is_received_and_missed(self, epochs: list[list[bool]]) -> None:
        """From the first message that came to the last one of each epoch, nothing is left out."""
        places = Places()
        for epoch, came in enumerate(epochs):
            received = [sequence for sequence, here in enumerate(came) if here]
            missed = sum(places.missed(at("cam1", epoch, sequence)) for sequence in received)
            if received:
                first = received[0] if epoch == 0 or not any(any(before) for before in epochs[:epoch]) else 0
                assert missed + len(received) == received[-1] + 1 - first

    def test_streams_are_apart(self) -> None:
        """The sequence of one says nothing about another."""
        places = Places()

        assert [places.missed(at(s, 1, n)) for s, n in [("a", 5), ("b", 9), ("a", 6), ("b", 12)]] == [
            0,
            0,
            0,
            2,
        ]

    def test_repeated_messages_are_no_gap(self) -> None:
        """Nor do they make a later one a gap."""
        places = Places()

        assert [places.missed(at("a", 1, n)) for n in (4, 5, 4, 5, 6)] == [0, 0, 0, 0, 0]

    def test_memory_is_bounded(self) -> None:
        """A publisher that makes up names is forgotten from the oldest on."""
        places = Places()
        for number in range(MAX_STREAMS + 1):
            places.missed(at(f"s{number}", 1, 0))

        assert places.missed(at("s0", 1, 50)) == 0
        assert places.missed(at(f"s{MAX_STREAMS}", 1, 2)) == 1
