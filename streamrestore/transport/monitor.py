"""What libzmq says about a connection, as events that a person understands. No sockets; a clock is given.

libzmq connects again by itself after a lost connection, but not after what it calls a protocol error: a
message larger than the limit, a key that was not admitted, one side with keys and the other without. The
session is then dead without a word, and only the lack of a retry shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import zmq

RETRY_SECONDS = 1.0
"""A connection for which libzmq announced no retry for so long is made anew."""

State = Literal["connected", "lost", "refused", "oversized"]


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """Something happened to the connection to a publisher.

    Attributes:
        state: connected; lost, and tried again; refused in the handshake; oversized: the publisher
            sent a message larger than the limit, or what is no ZeroMQ message at all.
        text: for people: what, and what to do.
    """

    state: State
    text: str


class Watch:
    """Follows one connection; tells each change once.

    Args:
        address: for the texts.
        keys: this side has keys.
        limit: bytes from which a message is refused.
    """

    def __init__(self, address: str, *, keys: bool, limit: int) -> None:
        self._address, self._keys, self._limit = address, keys, limit
        self._told: State | None = None
        self._up = False
        self._broke: float | None = None
        """When the connection ended; None once libzmq tries again."""

    def saw(self, event: int, now: float) -> LinkEvent | None:
        """Take note of one of libzmq's events.

        Args:
            event: of `zmq.Event`.
            now: seconds.
        """
        if event in _FAILED:
            self._broke = now
            return self._tell("refused", self._why_refused(event))
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._up, self._broke = True, None
            return self._tell("connected", "connected")
        if event == zmq.EVENT_DISCONNECTED:
            self._broke = now
        elif event == zmq.EVENT_CONNECT_RETRIED:
            self._broke = None
            if self._up:
                self._up = False
                return self._tell("lost", "the publisher stopped, or the network failed; trying again")
        return None

    @property
    def deadline(self) -> float | None:
        """When to ask `gave_up`; None while all is well."""
        return None if self._broke is None else self._broke + RETRY_SECONDS

    def gave_up(self, now: float) -> bool:
        """True if libzmq will not connect again by itself."""
        return self._broke is not None and now >= self._broke + RETRY_SECONDS

    def renewed(self) -> LinkEvent | None:
        """Take note that the connection is made anew after libzmq gave up."""
        self._broke = None
        if not self._up:
            return None
        self._up = False
        return self._tell(
            "oversized",
            f"the publisher sent more than {self._limit} bytes at once, or what is no ZeroMQ message; "
            "raise max_payload if its pictures are so large; connecting again",
        )

    def _tell(self, state: State, text: str) -> LinkEvent | None:
        if state == self._told:
            return None
        self._told = state
        return LinkEvent(state, f"{self._address}: {text}")

    def _why_refused(self, event: int) -> str:
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return "the publisher does not admit this key; have its public key put among the allowed ones"
        if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            if self._keys:
                return "the publisher does not speak CURVE; if it has no keys, leave them out here, too"
            return "the publisher wants keys: name the folder that it made for this client"
        if self._keys:
            return "the publisher broke off the handshake; its server.key is probably another one by now"
        return "whoever listens there broke off the handshake; is it a publisher?"


_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
)
