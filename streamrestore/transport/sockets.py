"""ZeroMQ sockets with every option set before they are bound or connected."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import zmq
from zmq.auth.thread import ThreadAuthenticator

from streamrestore import wire
from streamrestore.errors import OutputError, UsageError
from streamrestore.transport import keys as key_files
from streamrestore.transport.addresses import Address, parse

OLDEST_LIBZMQ = (4, 3, 5)

Socket: TypeAlias = zmq.Socket[bytes]
Context: TypeAlias = zmq.Context[Socket]

_DOMAIN = "streamrestore"
_REQUEST_BYTES = 4096
"""Greatest message that a subscriber has to send: handshakes and subscriptions are smaller."""

_WAITING = 8
"""Messages of each stream that wait for a subscriber; libzmq keeps the oldest, so they are few."""

_ALWAYS: dict[int, int] = {
    zmq.LINGER: 0,  # whoever closes says how long
    zmq.HANDSHAKE_IVL: 5_000,  # ms; then a connection that says nothing is closed
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 10,  # s
    zmq.TCP_KEEPALIVE_INTVL: 5,  # s
    zmq.TCP_KEEPALIVE_CNT: 3,
}
_PUB: dict[int, int] = {
    zmq.MAXMSGSIZE: _REQUEST_BYTES,
    zmq.BACKLOG: 512,
    # A subscriber that does not even answer is let go, and its messages with it. The time is generous: the
    # answer comes after the messages that are on their way. Only a socket that listens may do this: where
    # one that connected stops reading because its queue is full, a missed heartbeat makes libzmq abort the
    # process ("Assertion failed: _input_stopped").
    zmq.HEARTBEAT_IVL: 5_000,  # ms
    zmq.HEARTBEAT_TIMEOUT: 30_000,  # ms
}
_PUSH: dict[int, int] = {  # no heartbeats: they would cut off, with loss, a worker that takes its time
    zmq.SNDHWM: 2,  # messages
    zmq.MAXMSGSIZE: _REQUEST_BYTES,
    zmq.BACKLOG: 512,
}
_CONNECTING: dict[int, int] = {
    zmq.RECONNECT_IVL: 100,  # ms, doubled each time
    zmq.RECONNECT_IVL_MAX: 5_000,  # ms
    zmq.CONNECT_TIMEOUT: 5_000,  # ms
}
_SUB: dict[int, int] = {**_CONNECTING, zmq.RCVHWM: 16}
_PULL: dict[int, int] = {**_CONNECTING, zmq.RCVHWM: 2}  # what is fetched early is lost to the other workers


class AllowList:
    """The clients that may subscribe, as ZeroMQ's authenticator asks for them (ZAP)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._allowed = key_files.read_allowed(folder)

    def reload(self) -> int:
        """Read the folder again; a damaged file leaves the list as it was.

        A key that was removed is refused when its client connects the next time.

        Returns:
            Clients that may subscribe.

        Raises:
            UsageError: as `keys.read_allowed`.
        """
        self._allowed = key_files.read_allowed(self._folder)
        return len(self._allowed)

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a public key (Z85) is one of them; called in the authenticator's thread."""
        return domain == _DOMAIN and key in self._allowed


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket.

    Attributes:
        address: as bound, with the port that was chosen.
        allowed: None without keys.
    """

    socket: Socket
    address: str
    allowed: AllowList | None
    _context: Context | None
    _authenticator: ThreadAuthenticator | None

    def close(self, linger: float) -> None:
        """Deliver what is on its way for at most `linger` seconds, and let go of everything."""
        self.socket.close(linger=int(linger * 1000))
        if self._authenticator is not None:
            self._authenticator.stop()
        if self._context is not None:
            self._context.term()


def listen(
    address: str,
    pattern: Literal["pub", "push"],
    *,
    keys: Path | None = None,
    insecure: bool = False,
    streams: int = 1,
) -> Listener:
    """Bind a socket.

    Args:
        keys: folder with a publisher's keys and the clients that may subscribe.
        insecure: let anyone on the network subscribe.
        streams: that will be published.

    Raises:
        UsageError: the address is none, or not safe without keys, or the keys are damaged.
        OutputError: the address is taken, or not one of this machine's.
    """
    check_libzmq(zmq.zmq_version_info())
    place = parse(address, bind=True)
    if keys is not None:
        _refuse_keys_inside(place)
    elif not place.local and not insecure:
        raise UsageError(
            f"{place}: whoever reaches this machine could watch; give keys ('streamrestore keys new DIR'), "
            "listen on 127.0.0.1, or say --insecure"
        )
    pair, allowed = (None, None) if keys is None else (key_files.read_server(keys), AllowList(keys))
    # Authentication is a context's, so a publisher has its own; inproc meets only within one.
    own: Context | None = None if place.scheme == "inproc" else zmq.Context()
    socket = (own or zmq.Context.instance()).socket(zmq.PUB if pattern == "pub" else zmq.PUSH)
    authenticator = None
    try:
        _set(socket, _ALWAYS, place)
        _set(socket, {zmq.SNDHWM: _WAITING * streams, **_PUB} if pattern == "pub" else _PUSH, place)
        if pair is not None:
            authenticator = ThreadAuthenticator(own)
            authenticator.start()
            authenticator.configure_curve_callback(_DOMAIN, allowed)
            socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
            socket.curve_server = True
            socket.zap_domain = _DOMAIN.encode()
            socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without an authenticator nobody is let in
        socket.bind(place.text)
        bound = socket.getsockopt_string(zmq.LAST_ENDPOINT)
    except BaseException as error:
        Listener(socket, "", None, own, authenticator).close(linger=0)
        if isinstance(error, zmq.ZMQError):
            raise OutputError(
                f"{place}: cannot listen there: {zmq.strerror(error.errno or 0)}; take another address"
            ) from error
        raise
    return Listener(socket, bound, allowed, own, authenticator)


@dataclass(frozen=True, slots=True)
class Dialed:
    """A connecting socket and its monitor."""

    socket: Socket
    address: Address
    keys: bool
    limit: int
    """Bytes from which a part of a message is refused."""
    monitor: Socket
    _context: Context | None

    def events(self) -> list[int]:
        """What libzmq said since the last call, as `zmq.Event`."""
        seen: list[int] = []
        while self.monitor.poll(0):
            told = self.monitor.recv_multipart()
            seen.append(int(struct.unpack_from("=H", told[0])[0]))
        return seen

    def redial(self) -> None:
        """Make the connection anew, after libzmq gave it up."""
        self.socket.disconnect(self.address.text)
        self.socket.connect(self.address.text)

    def close(self) -> None:
        """Let go of everything; what was not read is lost."""
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        self.socket.close(linger=0)
        if self._context is not None:
            self._context.term()


def dial(
    address: str,
    pattern: Literal["sub", "pull"],
    *,
    keys: Path | None = None,
    topics: list[bytes],
    max_payload: int = wire.MAX_PAYLOAD,
) -> Dialed:
    """Connect a socket; the publisher may come later.

    Args:
        keys: folder of a client.
        topics: what to subscribe to; none for a worker.
        max_payload: bytes; libzmq breaks off the connection when more are announced, and reads nothing.

    Raises:
        UsageError: the address is none, or the keys are damaged.
    """
    check_libzmq(zmq.zmq_version_info())
    place = parse(address, bind=False)
    if keys is not None:
        _refuse_keys_inside(place)
    pair, server = (None, b"") if keys is None else key_files.read_client(keys)
    limit = max(max_payload, wire.MAX_HEADER)
    own: Context | None = None if place.scheme == "inproc" else zmq.Context()
    socket = (own or zmq.Context.instance()).socket(zmq.SUB if pattern == "sub" else zmq.PULL)
    _set(socket, {**_ALWAYS, **(_SUB if pattern == "sub" else _PULL), zmq.MAXMSGSIZE: limit}, place)
    for topic in topics:
        socket.setsockopt(zmq.SUBSCRIBE, topic)
    if pair is not None:
        socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
        socket.curve_serverkey = server
    monitor = socket.get_monitor_socket()
    dialed = Dialed(socket, place, keys is not None, limit, monitor, own)
    try:
        socket.connect(place.text)
    except zmq.ZMQError as error:
        dialed.close()
        raise UsageError(f"{place}: cannot connect there: {zmq.strerror(error.errno or 0)}") from error
    return dialed


def check_libzmq(version: tuple[int, ...]) -> None:
    """Refuse a libzmq whose faults others can use.

    Raises:
        UsageError: it is too old.
    """
    if version < OLDEST_LIBZMQ:
        raise UsageError(
            f"libzmq {'.'.join(map(str, version))} is too old for streaming, "
            f"{'.'.join(map(str, OLDEST_LIBZMQ))} is needed: pip install --force-reinstall 'pyzmq>=27'"
        )


def _set(socket: Socket, options: dict[int, int], place: Address) -> None:
    for option, value in options.items():
        socket.set(option, value)
    socket.set(zmq.IPV6, int(place.ipv6))


def _refuse_keys_inside(place: Address) -> None:
    if place.scheme == "inproc":
        raise UsageError(f"{place}: keys do nothing within a process; leave them out")
