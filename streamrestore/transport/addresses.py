"""Addresses of sockets: which are understood, and which stay on this machine."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from streamrestore.errors import UsageError

_TCP = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[A-Za-z0-9._-]+|\*):(?P<port>\d{1,5}|\*)")
_PATH = re.compile(r"(ipc|inproc)://[^\s\x00-\x1f]+")


@dataclass(frozen=True, slots=True)
class Address:
    """An address as libzmq takes it.

    Attributes:
        local: nobody outside of this machine can reach it.
        ipv6: it is an IPv6 address, or ``*``, which is both. Names stand for IPv4: a host that has both
            would be asked by IPv6 alone, and most publishers listen at one of the two.
    """

    text: str
    scheme: str
    local: bool
    ipv6: bool = False

    def __str__(self) -> str:
        return self.text


def parse(address: str, *, bind: bool) -> Address:
    """Understand an address.

    Args:
        bind: to listen there, where ``*`` and port 0 have a meaning, or to connect to it.

    Raises:
        UsageError: it is none.
    """
    if match := _PATH.fullmatch(address):
        return Address(address, match[1], local=True)
    match = _TCP.fullmatch(address)
    if match is None or (match["port"] != "*" and int(match["port"]) > 65535):
        raise UsageError(
            f"{_shown(address)!r} is no address; take tcp://HOST:PORT, tcp://[IPV6]:PORT, ipc://PATH or "
            "inproc://NAME"
        )
    host, port = match["host"], match["port"]
    if not bind and (host == "*" or port.strip("0") in ("", "*")):
        raise UsageError(f"{address}: name the host and the port to connect to, such as tcp://127.0.0.1:5555")
    if host == "localhost":  # as a name it may become ::1, where nobody listens
        host = "127.0.0.1"
    return Address(f"tcp://{host}:{port}", "tcp", is_loopback(host), ipv6=host == "*" or "[" in host)


def is_loopback(host: str) -> bool:
    """True of numbers, IPv6 ones with or without brackets, that stay on this machine; false of all names."""
    try:
        number = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = number.ipv4_mapped if isinstance(number, ipaddress.IPv6Address) else None
    return (mapped or number).is_loopback


def _shown(address: str) -> str:
    """Without what may be a password."""
    return re.sub(r"//.*@", "//***@", address, flags=re.DOTALL)
