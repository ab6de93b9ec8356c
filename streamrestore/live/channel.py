"""Short messages between two processes over a pair of sockets."""

from __future__ import annotations

import socket
import struct
import threading

_LENGTH = struct.Struct("!I")
_AT_ONCE = 1 << 16


class Channel:
    """One end. Any thread may send; one at a time may receive.

    A message that its sender did not finish is not waited for: `receive` gives out whole ones.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = threading.Lock()
        self._begun = bytearray()

    @classmethod
    def inherited(cls, descriptor: int) -> Channel:
        """The end that a process was started with."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """What to wait for."""
        return self._end.fileno()

    def send(self, message: bytes) -> None:
        """Send a message.

        Raises:
            OSError: nobody is at the other end.
        """
        with self._sending:
            self._end.sendall(_LENGTH.pack(len(message)) + message)

    def receive(self) -> list[bytes]:
        """Wait for something to come, and return the messages that are complete now; perhaps none.

        Raises:
            EOFError: the other end is closed, or gone with its process.
        """
        try:
            came = self._end.recv(_AT_ONCE)
        except OSError as error:
            raise EOFError from error
        if not came:
            raise EOFError
        self._begun += came
        whole: list[bytes] = []
        while len(self._begun) >= _LENGTH.size:
            end = _LENGTH.size + int(_LENGTH.unpack_from(self._begun)[0])
            if len(self._begun) < end:
                break
            whole.append(bytes(self._begun[_LENGTH.size : end]))
            del self._begun[:end]
        return whole

    def close(self) -> None:
        """Let go of this end; the other one sees it."""
        self._end.close()
