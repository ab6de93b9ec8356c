"""Messages between processes."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.errors import SessionError
from streamrestore.frames import ColorInfo, PixelFormat
from streamrestore.live import messages
from streamrestore.live.channel import Channel
from streamrestore.live.messages import Gap, Over, Picture, Renewed, Shape

MESSAGES = [
    Shape(64, 48, PixelFormat("yuv", 10, 1, 1), ColorInfo(9, 1, 9, 16, 1), (1, 90000), 90, "hevc", (30, 1)),
    Picture(4096, -5, 3600, 12.5, 10**18, 10**18, True, True, 3),
    Gap(0, "nobody knows"),
    Renewed("anew"),
    Over("refused", "wrong password"),
]  # fmt: skip


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel, socket.socket]]:
    """Both ends, and the bare socket of the first."""
    first, second = socket.socketpair()
    here, there = Channel(first), Channel(second)
    yield here, there, first
    here.close()
    there.close()


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(1, 50))
def test_any_pieces(sent: list[bytes], size: int) -> None:
    """However the system cuts what is sent: whole messages come out, in order."""
    first, second = socket.socketpair()
    stream = b"".join(struct.pack("!I", len(each)) + each for each in sent)
    came: list[bytes] = []
    with first:
        reader = Channel(second)
        for start in range(0, len(stream), size):
            first.sendall(stream[start : start + size])
            came += reader.receive()
        reader.close()

    assert came == sent


def test_a_message_that_is_never_finished(ends) -> None:
    """Its reader does not wait for the rest: what is there is given out."""
    here, there, bare = ends
    here.send(b"whole")
    bare.sendall(struct.pack("!I", 100) + b"half")

    assert there.receive() == [b"whole"]


def test_the_end(ends) -> None:
    """Is told once all is read; sending to nobody is an error of the system's."""
    here, there, _ = ends
    here.send(b"last")
    here.close()

    assert there.receive() == [b"last"]
    with pytest.raises(EOFError):
        there.receive()
    with pytest.raises(OSError, match="Broken pipe"):
        there.send(b"nobody")


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_arrive(message: messages.Message) -> None:
    """As they were sent."""
    assert messages.decode(messages.encode(message)) == message


@given(st.binary(max_size=100))
def test_nonsense(data: bytes) -> None:
    """From a process that is broken: refused with an error of ours, or by chance a message."""
    with contextlib.suppress(SessionError):
        assert messages.encode(messages.decode(data))
