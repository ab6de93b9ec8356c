"""A process that runs command lines one after the other, and is watched from outside.

It runs what the program's entry runs, with the same exit statuses and messages, but keeps what was
imported: an input costs a fraction of a second instead of several. If it dies, hangs or takes too much
memory, that is the answer, and the next command line gets a new process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

_GLANCE_SECONDS = 0.02
_START_SECONDS = 300
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Ran(msgspec.Struct, frozen=True):
    """How a command line ended.

    Attributes:
        status: exit status; None if the process did not live to tell.
        killed: why there is none, in words: ``died by SIGSEGV``, ``hung for 30 s``, ``took 2.1 GB``.
        peak: most memory that the process had meanwhile, in bytes.
    """

    status: int | None
    killed: str
    out: str
    told: str
    """What it wrote to stderr."""
    seconds: float
    peak: int

    @property
    def answer(self) -> str:
        """How it ended, in words."""
        return self.killed or f"status {self.status}: {self.told.strip() or self.out.strip()}"


class Watched:
    """Runs command lines in another process.

    Args:
        seconds: after which a command line has hung.
        memory: bytes that the process may have.
    """

    def __init__(self, seconds: float, memory: int = 2 << 30) -> None:
        self._seconds, self._memory = seconds, memory
        self._folder = tempfile.TemporaryDirectory(prefix="watched-")
        self._out, self._told = (Path(self._folder.name) / name for name in ("out", "told"))
        self._process: Any = None
        self._connection: Connection[Any, Any] | None = None
        self.starts = 0

    def run(self, *arguments: object) -> Ran:
        """``streamrestore ARGUMENTS`` to its end."""
        connection = self._connection or self._start()
        _forget_peak(self._process.pid)
        began = time.monotonic()
        connection.send([str(argument) for argument in arguments])
        status, killed, most = None, "", 0
        while not killed:
            with contextlib.suppress(EOFError, OSError):
                if connection.poll(_GLANCE_SECONDS):
                    status = connection.recv()
                    break
            if not self._process.is_alive():
                killed = _how(self._process.exitcode)
            memory = resident(self._process.pid)
            most = max(most, memory)
            if memory > self._memory:
                killed = f"took {memory / 1e9:.1f} GB"
            elif time.monotonic() - began > self._seconds:
                killed = f"hung for {self._seconds:.0f} s"
        seconds = time.monotonic() - began
        peak = max(most, _peak(self._process.pid))
        if killed:
            self._end()
        return Ran(status, killed, _text(self._out), _text(self._told), seconds, peak)

    def close(self) -> None:
        """End the process."""
        self._end()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> Connection[Any, Any]:
        context = multiprocessing.get_context("spawn")
        connection, theirs = context.Pipe()
        # No daemon: with --workers it has processes of its own.
        self._process = context.Process(target=_serve, args=(theirs, str(self._out), str(self._told)))
        self._process.start()
        theirs.close()
        self._connection = connection
        self.starts += 1
        if not connection.poll(_START_SECONDS):
            raise RuntimeError("the watched process did not start")
        connection.recv()
        return connection

    def _end(self) -> None:
        if self._connection is None:
            return
        self._connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._connection = None


def resident(pid: int) -> int:
    """Memory that a process has, in bytes; 0 if it has gone."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return 0


def _peak(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _forget_peak(pid: int) -> None:
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _how(code: int | None) -> str:
    return f"died by {signal.Signals(-code).name}" if code is not None and code < 0 else f"left with {code}"


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _serve(connection: Connection[Any, Any], out: str, told: str) -> None:
    """The life of the process."""
    os.setsid()
    os.environ["SVT_LOG"] = "1"
    from streamrestore.cli.main import commands

    connection.send(None)
    while True:
        try:
            arguments = connection.recv()
        except EOFError:
            return
        for stream, path in ((sys.stdout, out), (sys.stderr, told)):
            stream.flush()
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(file, stream.fileno())
            os.close(file)
        try:
            commands.main(arguments)
        except SystemExit as end:
            status = end.code
        sys.stdout.flush()
        sys.stderr.flush()
        connection.send(status)
