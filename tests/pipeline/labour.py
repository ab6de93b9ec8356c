"""Work for the tests of the crew: processes import it, so it imports little."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from streamrestore.errors import Interrupted, OutputError
from streamrestore.pipeline.crew import Stop, Tell, Work

PR_SET_PDEATHSIG = 1


class Awkward(Exception):
    """Cannot be sent: its argument is no argument."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"awkward {one + two}")


def square() -> Work[tuple[int, int]]:
    """The number's square, and who found it."""
    return lambda number, _tell, _stop: (number * number, os.getpid())


def backwards(folder: Path) -> Work[int]:
    """The first piece is complete only when the second one is at work."""

    def work(number: int, _tell: Tell, _stop: Stop) -> int:
        with (folder / "fifo").open("wb" if number else "rb") as fifo:  # opens once both ends are there
            if not number:
                fifo.read()
        return number

    return work


def deadly(folder: Path, deaths: int, how: int) -> Work[int]:
    """Piece 2 waits to be killed, so many times."""

    def work(number: int, tell: Tell, _stop: Stop) -> int:
        if number == 2:
            lives = folder / "lives"
            lived = len(lives.read_text()) if lives.exists() else 0
            lives.write_text("x" * (lived + 1))
            tell(os.getpid())
            if lived < deaths:
                if how:
                    os._exit(how)
                threading.Event().wait()
        return number

    return work


def failing(kind: str) -> Work[None]:
    """Raises an error."""

    def work(number: int, _tell: Tell, _stop: Stop) -> None:
        if kind == "ours":
            raise OutputError("the disk is full")
        if kind == "awkward":
            raise Awkward(1, 2)
        if kind == "stopped":
            raise Interrupted("stopped by itself")
        raise KeyError(number)

    return work


def not_ready() -> Work[None]:
    """Cannot even begin."""
    raise OutputError("no weights")


def patient(kind: str) -> Work[str]:
    """Piece 0 goes on until it is asked to stop, and then ends in one way or another."""

    def work(number: int, tell: Tell, stop: Stop) -> str:
        if number:
            return "at once"
        tell("begun")
        while not stop():
            if kind == "deaf":
                threading.Event().wait()
        if kind == "complete":
            return "at last"
        raise Interrupted("as asked")

    return work


def signalled() -> Work[str]:
    """Sends itself what Ctrl-C and the system send."""

    def work(_number: int, _tell: Tell, _stop: Stop) -> str:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        return "alive"

    return work


def endless(folder: Path, on_system: bool) -> Callable[[int, Tell, Stop], None]:
    """Says who does it by a file, and never ends by itself.

    Args:
        on_system: only the system can end it: no thread of Python gets to run any more. Otherwise
            the system does not.
    """
    if not on_system:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)

    def work(number: int, tell: Tell, _stop: Stop) -> None:
        (folder / str(number)).write_text(str(os.getpid()))
        tell("here")
        if on_system:
            ctypes.PyDLL(None).pause()  # keeps the interpreter's lock
        threading.Event().wait()

    return work
