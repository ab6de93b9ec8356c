"""Who may look at the service. Pure: what was asked goes in, a refusal or nothing comes out."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from pathlib import Path

from streamrestore.errors import UsageError
from streamrestore.live.config import HttpSettings
from streamrestore.transport.addresses import is_loopback

SHORTEST_TOKEN = 16
"""Letters; what is shorter can be guessed."""

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})")
_MAKE = "python3 -c 'import secrets; print(secrets.token_urlsafe())' > FILE"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen; `host` has no brackets, port 0 is any that is free."""

    host: str
    port: int

    @property
    def local(self) -> bool:
        """True if nobody outside of this machine can reach it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody may not look, with the status of HTTP."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Access:
    """Who may look: whoever knows the token; without one, programs and pages of this machine.

    Attributes:
        token: nobody is told, not even in a representation of this.
    """

    token: str | None = field(default=None, repr=False)

    def refusal(self, *, host: str, origin: str | None, authorization: str, query: str) -> Refusal | None:
        """Why a request is refused; None if it is not.

        Args:
            host, origin, authorization: headers; the first and the last may be empty.
            query: the parameter ``token``, may be empty.
        """
        if origin is not None and origin.partition("://")[2] != host:
            return Refusal(403, "pages of other sites may not look here")
        if self.token is None:
            # A page of any site can have its name stand for 127.0.0.1, and ask from within this machine.
            if _local_name(host):
                return None
            return Refusal(421, "ask for this machine by 127.0.0.1 or localhost")
        scheme, _, word = authorization.partition(" ")
        given = word.strip() if scheme.lower() == "bearer" else query
        if hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
            return None
        return Refusal(401, "a token is needed: 'Authorization: Bearer TOKEN', or ?token=TOKEN")


def place_of(address: str) -> Place:
    """Understand an address.

    Raises:
        UsageError: it is none.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        raise UsageError(f"{address!r} is no address to listen at; take HOST:PORT, such as 127.0.0.1:8080")
    host = match["host"].strip("[]")
    return Place("127.0.0.1" if host == "localhost" else host, int(match["port"]))


def access_of(settings: HttpSettings, place: Place) -> Access:
    """Who may look at a service that listens at a place.

    Raises:
        UsageError: other machines could, without a token; or its file cannot be used.
    """
    if settings.token_file is None:
        if place.local:
            return Access()
        raise UsageError(
            f"{place.host}: other machines can reach this address, and without a token all of them could "
            f"look; write one with: {_MAKE}; then name the file with --http-token-file, or as http.token_file"
        )
    path = Path(settings.token_file)
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"{path}: the token cannot be read: {reason}; write one with: {_MAKE}") from None
    if len(token) < SHORTEST_TOKEN or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise UsageError(
            f"{path}: a token is one word of {SHORTEST_TOKEN} or more ASCII letters; write one with: {_MAKE}"
        )
    return Access(token)


def _local_name(host: str) -> bool:
    name = re.sub(r":\d+$", "", host)
    return name.lower() == "localhost" or is_loopback(name)
