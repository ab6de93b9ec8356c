"""Sockets: what is set, what is refused."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import zmq

from streamrestore.errors import OutputError, UsageError
from streamrestore.transport.keys import new_client, new_keys
from streamrestore.transport.sockets import AllowList, check_libzmq, dial, listen


class TestListen:
    @pytest.mark.parametrize("address", ["tcp://*:0", "tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://lo:0"])
    def test_open_to_the_network(self, address: str) -> None:
        """Refused without keys, in one sentence with the ways out; unless it is wanted so."""
        with pytest.raises(UsageError, match=r"give keys .*listen on 127\.0\.0\.1.*--insecure"):
            listen(address, "pub")

        listen(address, "pub", insecure=True).close(0)

    def test_open_to_the_network_with_keys(self, tmp_path: Path) -> None:
        """That is what they are for."""
        new_keys(tmp_path / "keys")

        listener = listen("tcp://*:0", "pub", keys=tmp_path / "keys")

        assert listener.socket.get(zmq.MECHANISM) == zmq.CURVE
        listener.close(0)

    def test_address_in_use(self) -> None:
        """The reason, and what to do; nothing is left open."""
        listener = listen("tcp://127.0.0.1:0", "pub")
        with pytest.raises(OutputError, match="in use; take another address"):
            listen(listener.address, "pub")
        listener.close(0)

        listen(listener.address, "pub").close(0)

    @pytest.mark.parametrize(
        "address", ["ipc:///nowhere/at/all", f"ipc:///tmp/{'x' * 200}", "tcp://192.0.2.7:0"]
    )
    def test_impossible_addresses(self, address: str) -> None:
        """The system's reason is told."""
        with pytest.raises(OutputError, match="cannot listen there"):
            listen(address, "pub", insecure=True)

    def test_threads_end(self, tmp_path: Path) -> None:
        """Those of authentication, too."""
        new_keys(tmp_path / "keys")
        before = set(threading.enumerate())

        listen("tcp://127.0.0.1:0", "pub", keys=tmp_path / "keys").close(0)

        assert set(threading.enumerate()) <= before | {
            t for t in threading.enumerate() if "gc" in t.name.lower()
        }

    def test_waiting_is_bounded(self) -> None:
        """By the number of streams; nothing that a subscriber sends can be large."""
        listener = listen("tcp://127.0.0.1:0", "pub", streams=3)

        assert listener.socket.get(zmq.SNDHWM) == 24
        assert listener.socket.get(zmq.MAXMSGSIZE) == 4096
        assert listener.socket.get(zmq.HEARTBEAT_IVL) > 0
        listener.close(0)

    def test_workers_may_take_their_time(self) -> None:
        """A heartbeat would cut them off, and lose what they were dealt."""
        listener = listen("tcp://127.0.0.1:0", "push")

        assert listener.socket.get(zmq.HEARTBEAT_IVL) == 0
        listener.close(0)

    def test_keys_within_a_process(self, tmp_path: Path) -> None:
        """They would look like protection and be none."""
        new_keys(tmp_path / "keys")

        with pytest.raises(UsageError, match="leave them out"):
            listen("inproc://x", "pub", keys=tmp_path / "keys")
        with pytest.raises(UsageError, match="leave them out"):
            dial("inproc://x", "sub", keys=tmp_path / "keys" / "client", topics=[])


class TestDial:
    def test_no_heartbeats(self) -> None:
        """With a full queue they make libzmq abort the process."""
        dialed = dial("tcp://127.0.0.1:5555", "sub", topics=[b"cam1/"], max_payload=100_000)

        assert dialed.socket.get(zmq.HEARTBEAT_IVL) == 0
        assert dialed.socket.get(zmq.MAXMSGSIZE) == 100_000
        assert 0 < dialed.socket.get(zmq.RCVHWM) <= 16
        dialed.close()

    def test_impossible_address(self) -> None:
        """Too long for the system."""
        with pytest.raises(UsageError, match="cannot connect there"):
            dial(f"ipc:///tmp/{'x' * 200}", "sub", topics=[])


class TestAllowList:
    def test_reload(self, tmp_path: Path) -> None:
        """Added and removed keys count; a damaged file changes nothing."""
        new_keys(tmp_path)
        allowed = AllowList(tmp_path)
        key = next(
            line for line in (tmp_path / "client/client.key").read_text().splitlines() if "public-key" in line
        )
        public = key.split('"')[1].encode()
        assert allowed.callback("streamrestore", public)
        assert not allowed.callback("other", public)

        new_client(tmp_path, "second")
        assert allowed.reload() == 2
        (tmp_path / "allowed" / "client.key").unlink()
        assert allowed.reload() == 1
        assert not allowed.callback("streamrestore", public)
        (tmp_path / "allowed" / "third.key").write_text("damaged")
        with pytest.raises(UsageError, match=r"third\.key"):
            allowed.reload()
        assert not allowed.callback("streamrestore", public)


@pytest.mark.parametrize(
    ("version", "fine"), [((4, 3, 4), False), ((4, 2, 9), False), ((4, 3, 5), True), ((5, 0, 0), True)]
)
def test_libzmq(version: tuple[int, ...], fine: bool) -> None:
    """Older ones have holes that are known."""
    if fine:
        check_libzmq(version)
    else:
        with pytest.raises(UsageError, match="too old"):
            check_libzmq(version)
