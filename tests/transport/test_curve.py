"""Who gets in, and who does not: real keys, real sockets, real noise."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from streamrestore.publish import FramePublisher
from streamrestore.transport import Subscriber, subscribe
from streamrestore.transport.keys import new_client, new_keys, read_client, read_server
from streamrestore.transport.monitor import LinkEvent
from tests.transport.net import LIMIT, LOCAL, meet, repeating, send

pytestmark = pytest.mark.network

CONNECTIONS = 300
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A publisher's folder, with one client that is allowed."""
    new_keys(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def publisher(keys: Path) -> Iterator[FramePublisher]:
    """One with keys."""
    with FramePublisher(LOCAL, keys=keys) as one:
        yield one


@pytest.fixture
def good(publisher: FramePublisher, keys: Path) -> Iterator[Subscriber]:
    """The client that is allowed, receiving."""
    with subscribe(publisher.address, keys=keys / "client", timeout=LIMIT) as one:
        meet(publisher, one)
        yield one


def goes_on(publisher: FramePublisher, good: Subscriber, frames: int = 50) -> None:
    """Each frame that is published now reaches the good client, without a hole."""
    for number in range(frames):
        send(publisher, number)
        item = next(good)
        assert (item.kind, item.header.pts) == ("frame", number)


def foreign(tmp_path: Path, keys: Path, which: str) -> Path | None:
    """Keys of somebody who must not get in."""
    new_keys(tmp_path / "others")
    if which == "plaintext":
        return None
    if which == "wrong server key":  # an allowed client that takes somebody else for its publisher
        shutil.copy(tmp_path / "others" / "server.key", keys / "client" / "server.key")
        return keys / "client"
    shutil.copy(keys / "server.key", tmp_path / "others" / "client" / "server.key")  # unknown client
    return tmp_path / "others" / "client"


class TestMatrix:
    def test_right_keys(self, publisher: FramePublisher, good: Subscriber) -> None:
        """They get everything."""
        goes_on(publisher, good)

    @pytest.mark.parametrize("which", ["plaintext", "wrong server key", "unknown client"])
    def test_wrong_keys(
        self, which: str, publisher: FramePublisher, good: Subscriber, keys: Path, tmp_path: Path
    ) -> None:
        """They get a typed event and no frame, and disturb nobody."""
        with subscribe(publisher.address, keys=foreign(tmp_path, keys, which), timeout=LIMIT) as stranger:
            event = next(stranger)
            goes_on(publisher, good)

            assert (event.kind, event.stream, event.state) == ("status", "", "refused")
            while (item := stranger._inbox.take(0)) is not None:
                assert isinstance(item, LinkEvent)

    def test_keys_where_the_publisher_has_none(self, keys: Path) -> None:
        """A client with keys does not listen to somebody who cannot prove anything."""
        with (
            FramePublisher(LOCAL) as open_publisher,
            subscribe(open_publisher.address, keys=keys / "client", timeout=LIMIT) as client,
            repeating(lambda number: send(open_publisher, number)),
        ):
            assert next(client).state == "refused"
            assert client._inbox.take(0.1) is None

    def test_plain_zeromq(self, publisher: FramePublisher, good: Subscriber) -> None:
        """A socket that subscribes to everything and knows nothing of keys."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        stranger = context.socket(zmq.SUB)
        stranger.subscribe(b"")
        stranger.connect(publisher.address)
        try:
            goes_on(publisher, good)
            assert stranger.poll(0) == 0
        finally:
            context.destroy(linger=0)

    def test_random_bytes(self, publisher: FramePublisher, good: Subscriber) -> None:
        """Hundreds of connections of noise, some with a proper greeting: nothing of a frame leaks."""
        host, port = publisher.address.removeprefix("tcp://").split(":")
        strangers = []
        for number in range(CONNECTIONS):
            stranger = socket.create_connection((host, int(port)), timeout=LIMIT)
            start = GREETING + b"CURVE".ljust(20, b"\0") + bytes(32) if number % 3 == 0 else b""
            stranger.sendall(start + os.urandom(200))
            strangers.append(stranger)

        goes_on(publisher, good)

        for stranger in strangers:
            assert len(heard(stranger)) <= 64 + 200  # libzmq's greeting, and at most a refusal
            stranger.close()
        goes_on(publisher, good)


def heard(connection: socket.socket) -> bytes:
    """What the other side said so far."""
    connection.setblocking(False)
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except (BlockingIOError, ConnectionResetError):
        pass
    return data


class TestAllowList:
    def test_a_client_is_added(
        self, publisher: FramePublisher, good: Subscriber, keys: Path, tmp_path: Path
    ) -> None:
        """After a reload it gets in by itself, though libzmq had given up; nobody else notices."""
        new_client(keys, "second")
        permit = keys / "allowed" / "second.key"
        permit.rename(tmp_path / "second.key")
        with subscribe(publisher.address, keys=keys / "second", timeout=LIMIT) as second:
            assert next(second).state == "refused"
            (tmp_path / "second.key").rename(permit)

            assert publisher.reload_keys() == 2

            assert next(second).state == "connected"
            meet(publisher, second, good)
            goes_on(publisher, good)

    def test_a_client_is_removed(self, publisher: FramePublisher, good: Subscriber, keys: Path) -> None:
        """It is refused the next time that it connects."""
        (keys / "allowed" / "client.key").unlink()

        assert publisher.reload_keys() == 0

        with subscribe(publisher.address, keys=keys / "client", timeout=LIMIT) as again:
            assert next(again).state == "refused"
        goes_on(publisher, good)

    def test_without_an_authenticator_nobody_gets_in(self, publisher: FramePublisher) -> None:
        """Should its thread ever die, the door stays shut."""
        assert publisher._listener.socket.get(zmq.ZAP_ENFORCE_DOMAIN) == 1

    def test_reloading_without_keys(self) -> None:
        """There is nothing to do, and nothing wrong."""
        with FramePublisher(LOCAL) as open_publisher:
            assert open_publisher.reload_keys() == 0


def test_secrets_are_not_logged(
    publisher: FramePublisher, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is logged by us or by pyzmq, at any level."""
    caplog.set_level(logging.DEBUG)
    with subscribe(publisher.address, keys=keys / "client", timeout=LIMIT) as client:
        meet(publisher, client)

    assert "zmq.auth" in {record.name for record in caplog.records}
    for secret in (read_server(keys).secret, read_client(keys / "client")[0].secret):
        assert secret.decode() not in caplog.text
