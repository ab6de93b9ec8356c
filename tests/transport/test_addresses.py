"""Which addresses are understood, and which stay on this machine."""

from __future__ import annotations

import pytest

from streamrestore.errors import UsageError
from streamrestore.transport.addresses import parse


@pytest.mark.parametrize(
    ("address", "local", "ipv6"),
    [
        ("tcp://127.0.0.1:5555", True, False),
        ("tcp://127.9.9.9:0", True, False),
        ("tcp://[::1]:5555", True, True),
        ("tcp://[::ffff:127.0.0.1]:5555", True, True),
        ("tcp://*:5555", False, True),
        ("tcp://0.0.0.0:*", False, False),
        ("tcp://[::]:5555", False, True),
        ("tcp://192.168.1.5:5555", False, False),
        ("tcp://eth0:5555", False, False),
        ("ipc:///run/restored", True, False),
        ("ipc://@abstract", True, False),
        ("inproc://frames", True, False),
    ],
)
def test_bind(address: str, local: bool, ipv6: bool) -> None:
    """Only loopback, ipc and inproc cannot be reached from elsewhere."""
    place = parse(address, bind=True)

    assert (place.text, place.local, place.ipv6) == (address, local, ipv6)


@pytest.mark.parametrize("bind", [True, False])
def test_localhost_is_ipv4(bind: bool) -> None:
    """As a name it may become ::1, and the two sides would miss each other."""
    assert parse("tcp://localhost:5555", bind=bind).text == "tcp://127.0.0.1:5555"


@pytest.mark.parametrize(
    "address",
    ["", "5555", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "tcp://127.0.0.1:70000", "udp://127.0.0.1:1",
     "tcp://127.0.0.1:1;127.0.0.1:2", "ipc://", "inproc://", "http://127.0.0.1:80", "tcp://a b:1", "ipc://a\nb"],
)  # fmt: skip
def test_no_address(address: str) -> None:
    """The message shows what it may look like."""
    with pytest.raises(UsageError, match="tcp://HOST:PORT"):
        parse(address, bind=True)


@pytest.mark.parametrize(
    "address", ["tcp://*:5555", "tcp://127.0.0.1:0", "tcp://127.0.0.1:00", "tcp://127.0.0.1:*"]
)
def test_connecting_needs_a_place(address: str) -> None:
    """Wildcards are for listening."""
    with pytest.raises(UsageError, match="name the host and the port"):
        parse(address, bind=False)


def test_passwords_are_not_shown() -> None:
    """A camera's address in the wrong place does not give its password away."""
    with pytest.raises(UsageError) as caught:
        parse("rtsp://admin:secret@10.0.0.8/stream", bind=False)

    assert "secret" not in str(caught.value)
