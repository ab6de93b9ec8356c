"""Connections of random bytes: ``python -m tests.live.figures.noise ADDRESS CONNECTIONS``.

It prints what came back if that was more than a greeting and a refusal; else nothing.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections import deque

RATE = 250.0
"""Connections per second."""
OPEN = 50
"""At the same time."""
MOST_BYTES = 64 + 200
"""libzmq's greeting, and a refusal."""
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
LIMIT = 30.0


def main(address: str, connections: int) -> None:
    """One third of them begin as a client should."""
    host, port = address.removeprefix("tcp://").split(":")
    waiting: deque[socket.socket] = deque()
    begun = time.monotonic()
    for number in range(connections):
        time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
        connection = socket.create_connection((host, int(port)), timeout=LIMIT)
        connection.sendall((GREETING if number % 3 == 0 else b"") + os.urandom(200))
        waiting.append(connection)
        if len(waiting) > OPEN:
            _end(waiting.popleft())
    while waiting:
        _end(waiting.popleft())


def _end(connection: socket.socket) -> None:
    heard = b""
    connection.setblocking(False)
    with connection:
        try:
            while part := connection.recv(1 << 16):
                heard += part
        except (BlockingIOError, ConnectionError):
            pass
    if len(heard) > MOST_BYTES:
        sys.stdout.write(f"{len(heard)} bytes came back\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
