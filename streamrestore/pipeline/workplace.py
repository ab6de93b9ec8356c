"""Where a job keeps its state until the output is complete: a hidden folder beside it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from streamrestore.encode.partial import sync_folder, translated
from streamrestore.errors import OutputError

_LOCK, _MANIFEST = "lock", "manifest.jsonl"
_SEGMENT, _PARTIAL = ".packets", ".partial"


def partial_path(folder: Path, number: int) -> Path:
    """The file of a segment while it is made, by this process alone; for `Workplace.adopt`."""
    return folder / f"{number:05d}.{os.getpid()}{_PARTIAL}"


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock."""

    pid: int
    host: str


class Workplace:
    """``.NAME.streamrestore/`` beside the output, locked against another run.

    The lock dies with the process, however that ends; what is in the folder stays for the next run,
    until `remove`. Only its holder gives files there their names: workers write under names that
    end in ``.partial``, and what they leave behind is swept away.

    Args:
        output: the file that is being made.

    Raises:
        OutputError: another run holds the lock (the message says who), or the folder cannot be made.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(f".{output.name}.streamrestore")
        self._lock: int | None = None
        try:
            with translated(self.folder, "create"):
                self._lock = self._take()
                self._sweep()
        except BaseException:
            self.close()
            raise

    @property
    def manifest(self) -> Path:
        """The manifest's file."""
        return self.folder / _MANIFEST

    def adopt(self, number: int, partial: Path) -> Path:
        """Give a segment's file that is complete, and on the disk, its name.

        Raises:
            OutputError: the system refused.
        """
        path = self.folder / f"{number:05d}{_SEGMENT}"
        with translated(path):
            partial.replace(path)
            sync_folder(self.folder)
        return path

    def clear(self) -> None:
        """Forget all that was done.

        Raises:
            OutputError: the system refused.
        """
        with translated(self.folder, "clear"):
            self.manifest.unlink(missing_ok=True)  # facts go before what they stand for
            for path in self.folder.glob(f"*{_SEGMENT}"):
                path.unlink(missing_ok=True)
            self._sweep()

    def remove(self) -> None:
        """Leave nothing behind: the job is done. The lock is let go.

        Raises:
            OutputError: the system refused.
        """
        self.clear()
        with translated(self.folder, "remove"):
            (self.folder / _LOCK).unlink()
        with contextlib.suppress(OSError):  # another run has come in already, or somebody put a file there
            self.folder.rmdir()
        self.close()

    def close(self) -> None:
        """Let go of the lock; harmless when it is gone."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> int:
        """Create or take over the folder; the descriptor that holds its lock."""
        path = self.folder / _LOCK
        while True:
            with contextlib.suppress(FileExistsError):
                self.folder.mkdir()
            try:
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except FileNotFoundError:  # its owner finished between our two calls: again
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock), path.stat()):
                    os.ftruncate(lock, 0)
                    os.write(lock, msgspec.json.encode(Holder(os.getpid(), socket.gethostname())))
                    return lock
            except FileNotFoundError:  # likewise
                pass
            except BlockingIOError:
                holder = _read_holder(lock)
                os.close(lock)
                raise _locked(self.output, holder) from None
            except BaseException:
                os.close(lock)
                raise
            os.close(lock)

    def _sweep(self) -> None:
        """Remove what workers left unfinished."""
        for path in self.folder.glob(f"*{_PARTIAL}"):
            path.unlink(missing_ok=True)


def _read_holder(lock: int) -> Holder | None:
    """Who wrote into a lock file; None while it is being written."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(os.pread(lock, 4096, 0), type=Holder)
    return None


def _locked(output: Path, holder: Holder | None) -> OutputError:
    who = f"process {holder.pid} on {holder.host}" if holder else "another process"
    return OutputError(
        f"{output} is being made by another run ({who}); wait until it ends, stop it, or name another output"
    )
