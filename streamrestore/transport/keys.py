"""CURVE keys: who may subscribe, and how a subscriber knows its publisher.

    DIR/server.key_secret         stays with the publisher
    DIR/server.key
    DIR/allowed/NAME.key          one public key for each client that may subscribe
    DIR/NAME/client.key_secret    the folder that client NAME gets, by a safe way
    DIR/NAME/client.key
    DIR/NAME/server.key

The files are those of ZeroMQ's own tools (`zmq.auth`). Secret keys are never part of a message or a repr.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.auth import load_certificate
from zmq.utils import z85

from streamrestore.errors import OutputError, OutputExists, UsageError

ALLOWED = "allowed"

_MAKE = "make keys with 'streamrestore keys new DIR'"
_THERE = "it is there already, and keys are never overwritten"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Pair:
    """A public key and its secret, in Z85."""

    public: bytes
    secret: bytes = field(repr=False)


def new_keys(folder: Path) -> None:
    """Make the keys of a publisher and of one client, named ``client``.

    Raises:
        OutputExists: some of them are there already; nothing was changed.
        OutputError: the folder cannot be written.
    """
    names = ("server.key_secret", "server.key", "client", f"{ALLOWED}/client.key")
    taken = [folder / name for name in names if (folder / name).exists()]
    if taken:
        raise OutputExists(f"{taken[0]}: {_THERE}; name another folder")
    _folder(folder)
    _write_pair(folder, "server")
    new_client(folder, "client")


def new_client(folder: Path, name: str) -> None:
    """Make the keys of another client, and allow it.

    A publisher that runs takes notice when it reloads its keys.

    Raises:
        UsageError: the name is none, or the folder has no keys of a publisher.
        OutputExists: there is a client of that name.
        OutputError: the folder cannot be written.
    """
    if not _NAME.fullmatch(name) or name == ALLOWED:
        raise UsageError(
            f"{name!r} cannot be the name of a client: take letters, digits, dots, dashes and underscores"
        )
    server = read_server(folder).public
    home, permit = folder / name, folder / ALLOWED / f"{name}.key"
    for path in (home, permit):
        if path.exists():
            raise OutputExists(
                f"{path}: it is there already, and keys are never overwritten; name another client"
            )
    _folder(home)
    _folder(permit.parent)
    pair = _write_pair(home, "client")
    _write(home / "server.key", server)
    _write(permit, pair.public)


def read_server(folder: Path) -> Pair:
    """The keys of a publisher.

    Raises:
        UsageError: they are missing or damaged, or others may read the secret.
    """
    return _read_pair(folder / "server.key_secret")


def read_allowed(folder: Path) -> frozenset[bytes]:
    """Public keys of the clients that may subscribe; none is a list, too.

    Raises:
        UsageError: there is no such list, or one of the files is damaged.
    """
    allowed = folder / ALLOWED
    if not allowed.is_dir():
        raise UsageError(f"{allowed}: there is no folder with the public keys of the clients; {_MAKE}")
    return frozenset(_load(path)[0] for path in sorted(allowed.glob("*.key")))


def read_client(folder: Path) -> tuple[Pair, bytes]:
    """The keys of a client, and the public key of its publisher.

    Raises:
        UsageError: they are missing or damaged, or others may read the secret.
    """
    if not (folder / "client.key_secret").exists() and (folder / "client" / "client.key_secret").exists():
        raise UsageError(f"{folder}: these are the publisher's keys; a subscriber takes {folder / 'client'}")
    return _read_pair(folder / "client.key_secret"), _load(folder / "server.key")[0]


def _read_pair(path: Path) -> Pair:
    public, secret = _load(path)
    if secret is None or zmq.curve_public(secret) != public:
        raise UsageError(f"{path}: it has no secret key that fits its public one; {_MAKE}")
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError(f"{path}: others may read this secret key; chmod 600 it")
    return Pair(public, secret)


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        public, secret = load_certificate(path)
    except OSError as error:
        raise UsageError(f"{path}: there is no such key, or it cannot be read; {_MAKE}") from error
    except ValueError as error:
        raise UsageError(f"{path}: there is no key in this file; {_MAKE}") from error
    if not all(_is_key(key) for key in (public, secret) if key is not None):
        raise UsageError(f"{path}: the key in this file is damaged; {_MAKE}")
    return public, secret


def _is_key(text: bytes) -> bool:
    try:
        return len(text) == 40 and len(z85.decode(text)) == 32
    except (KeyError, ValueError, struct.error):  # not Z85, or five digits of more than 32 bits
        return False


def _folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: the folder cannot be made: {error.strerror}; name another") from error


def _write_pair(folder: Path, name: str) -> Pair:
    pair = Pair(*zmq.curve_keypair())
    _write(folder / f"{name}.key_secret", pair.public, pair.secret)
    _write(folder / f"{name}.key", pair.public)
    return pair


def _write(path: Path, public: bytes, secret: bytes | None = None) -> None:
    """Write a file that did not exist; a secret one is never readable by others, not even at first."""
    lines = ["#   ZeroMQ CURVE public key of streamrestore.", "", "metadata", "curve"]
    if secret is not None:
        lines[0] = "#   ZeroMQ CURVE SECRET key of streamrestore: do not share it, keep its permissions."
    lines.append(f'    public-key = "{public.decode()}"')
    if secret is not None:
        lines.append(f'    secret-key = "{secret.decode()}"')
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644 if secret is None else 0o600)
        with os.fdopen(handle, "w") as file:
            file.write("\n".join([*lines, ""]))
    except FileExistsError as error:
        raise OutputExists(f"{path}: {_THERE}; name another folder") from error
    except OSError as error:
        raise OutputError(
            f"{path}: the key cannot be written: {error.strerror}; name another folder"
        ) from error
