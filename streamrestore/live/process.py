"""A capture process, as the service sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import streamrestore
from streamrestore.frames import Frame, FrameBatch
from streamrestore.live import messages
from streamrestore.live.channel import Channel
from streamrestore.live.messages import Message, Picture, Request, Shape
from streamrestore.live.slots import SlotReader

_MODULE = "streamrestore.live.capture"
_REAP_SECONDS = 1.0


class Reading(Protocol):
    """What reads a source once: a capture process, or a test's stand-in."""

    def fileno(self) -> int:
        """Readable when there is something to `receive`."""
        ...

    def receive(self) -> list[Message]:
        """What was told; EOFError once nothing more will be."""
        ...

    def read(self, picture: Picture, shape: Shape) -> FrameBatch:
        """A copy of a picture, whose slot is given back."""
        ...

    def drop(self, picture: Picture) -> None:
        """Give a slot back unread."""
        ...

    def leave(self) -> None:
        """Ask it to end."""
        ...

    def gone(self) -> bool:
        """Whether it has ended."""
        ...

    def kill(self) -> None:
        """Have the system end it."""
        ...

    def how(self) -> str:
        """How it ended, in words."""
        ...


class CaptureProcess:
    """A process of its own: spawned, so that it inherits no lock that a thread of ours holds.

    What it is asked for goes through its channel, not its command line, which everybody on the machine reads.
    """

    def __init__(self, request: Request) -> None:
        self._memory = SlotReader()
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        root = str(Path(streamrestore.__file__).parents[1])
        others = os.environ.get("PYTHONPATH")
        with theirs:
            descriptors = (theirs.fileno(), self._memory.descriptor)
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", _MODULE, *map(str, descriptors)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # FFmpeg would tell URLs with their passwords
                pass_fds=descriptors,
                env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{others}" if others else root},
                start_new_session=True,  # Ctrl-C is for the service
            )
        with contextlib.suppress(OSError):  # it has died; that is seen when it is listened to
            self._channel.send(messages.encode(request))

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def fileno(self) -> int:
        """See `Reading`."""
        return self._channel.fileno()

    def receive(self) -> list[Message]:
        """See `Reading`.

        Raises:
            EOFError: it has ended.
            SessionError: it tells nonsense.
        """
        return [messages.decode(data) for data in self._channel.receive()]

    def read(self, picture: Picture, shape: Shape) -> FrameBatch:
        """See `Reading`.

        Raises:
            SessionError: it has told of a picture that is not there.
        """
        planes = self._memory.read(picture.place, shape.format, shape.width, shape.height)
        self.drop(picture)
        frame = Frame(planes, picture.pts, picture.duration, key=picture.key, corrupt=picture.corrupt)
        return FrameBatch(
            (frame,), shape.width, shape.height, shape.format, Fraction(*shape.time_base), shape.color,
            shape.rotation,
        )  # fmt: skip

    def drop(self, picture: Picture) -> None:
        """See `Reading`."""
        with contextlib.suppress(OSError):  # it has ended
            self._channel.send(picture.place.to_bytes(8, "little"))

    def leave(self) -> None:
        """See `Reading`; its last pictures can still be read."""
        self._channel.close()

    def gone(self) -> bool:
        """See `Reading`."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """See `Reading`."""
        self._process.kill()

    def how(self) -> str:
        """See `Reading`; waits a moment for one that is just ending."""
        try:
            code = self._process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its channel, but goes on"
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"
