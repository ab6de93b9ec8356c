"""Waking a thread that waits for sockets."""

from __future__ import annotations

import contextlib
import socket


class Bell:
    """Rung by any thread, heard by one that polls it beside its sockets."""

    def __init__(self) -> None:
        self._ear, self._hand = socket.socketpair()
        self._ear.setblocking(False)
        self._hand.setblocking(False)

    def fileno(self) -> int:
        """What to poll; readable once somebody rang."""
        return self._ear.fileno()

    def ring(self) -> None:
        """Wake the thread; harmless when it is gone."""
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody is left
            self._hand.send(b"\0")

    def quiet(self) -> None:
        """Forget what was rung so far."""
        with contextlib.suppress(BlockingIOError):
            while self._ear.recv(4096):
                pass

    def close(self) -> None:
        """Let go of both ends."""
        self._ear.close()
        self._hand.close()
