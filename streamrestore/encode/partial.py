"""A file that appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import av
from av.container import OutputContainer

from streamrestore.errors import OutputError, OutputExists, StreamRestoreError, UnsupportedOutput

_BUFFER_BYTES = 1 << 18


class RawFile:
    """What PyAV writes to: unbuffered, complete writes, and the first failure is remembered.

    FFmpeg takes a short write for a full one, and it writes a trailer whenever a container goes
    away, unless the file reads as closed: then an abandoned output costs nothing.
    """

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("r+b", buffering=0)
        self.name = f"file:{path}"  # +faststart opens it once more, by this name, for reading
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self.failure = self.failure or error
            raise
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, and return the position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return True: headers are rewritten at the end."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._file.closed

    def sync(self) -> None:
        """Have it on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close it; FFmpeg then writes nothing more."""
        self._file.close()


class Partial:
    """``.NAME.partial`` beside the target, locked against another writer, renamed at the end.

    A left-over of a run that died is taken over; one of a run that lives is refused.

    Args:
        target: the final name.
        overwrite: whether a file of that name may be replaced.

    Raises:
        OutputExists: the target is there and may not be replaced.
        OutputError: the folder is not there or not writable, the target is a folder, another
            run is writing it.
    """

    def __init__(self, target: Path, *, overwrite: bool = False) -> None:
        self.target, self._overwrite = target, overwrite
        self.path = target.with_name(f".{target.name}.partial")
        with self.translated("create"):
            self._check_target()
            self._lock = self._take()
            self.file = RawFile(self.path)

    def open(self, format: str, options: Mapping[str, str]) -> OutputContainer:
        """The container of FFmpeg that writes the file."""
        return av.open(
            self.file,
            "w",
            format=format,
            container_options=dict(options),
            metadata_errors="surrogateescape",
            buffer_size=_BUFFER_BYTES,
        )

    def commit(self) -> int:
        """Give it its final name; return its size in bytes.

        Raises:
            OutputError: the disk is full, or the name has been taken meanwhile.
        """
        with self.translated("complete"):
            self._check_target()
            self.file.sync()
            size = self.path.stat().st_size
            self.file.close()
            self.path.replace(self.target)
            sync_folder(self.target.parent)
        os.close(self._lock)
        return size

    def discard(self) -> None:
        """Leave nothing behind; harmless after `commit`."""
        if self.file.closed:
            return
        self.file.close()
        with contextlib.suppress(OSError):
            self.path.unlink()
        os.close(self._lock)

    def translated(self, doing: str = "write") -> contextlib.AbstractContextManager[None]:
        """As the function of that name; the first failed write tells more than what FFmpeg makes of it."""
        return translated(self.target, doing, lambda: self.file.failure if hasattr(self, "file") else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def _check_target(self) -> None:
        if self.target.is_dir():
            raise OutputError(f"{self.target} is a folder; name a file in it")
        if self.target.exists() and not self._overwrite:
            raise OutputExists(f"{self.target} exists already; give --overwrite to replace it")

    def _take(self) -> int:
        """Create or take over the partial file; return the descriptor that holds its lock."""
        while True:
            lock = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock), self.path.stat()):
                    os.ftruncate(lock, 0)
                    return lock
            except FileNotFoundError:  # its owner finished between our open and our lock: again
                pass
            except BlockingIOError as error:
                os.close(lock)
                raise OutputError(f"{self.target} is being written by another run") from error
            os.close(lock)


_CAUSES = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EFBIG: "the file is too large for this file system",
    errno.EACCES: "the folder is not writable",
    errno.EPERM: "the folder is not writable",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "the folder does not exist; create it first",
    errno.ENOTDIR: "its folder is not a folder",
    errno.ENAMETOOLONG: "the name is too long",
}


@contextlib.contextmanager
def translated(
    target: Path, doing: str = "write", failure: Callable[[], OSError | None] = lambda: None
) -> Iterator[None]:
    """Turn errors of the system and of FFmpeg into ours, in one line that names `target`.

    Args:
        doing: a verb.
        failure: where the cause is to be found, if not in the error itself.

    Raises:
        OutputError: the system refused.
        UnsupportedOutput: FFmpeg did.
    """
    try:
        yield
    except StreamRestoreError:
        raise
    except (OSError, av.FFmpegError) as error:
        raise _typed(failure() or error, target, doing) from error


def _typed(error: Exception, target: Path, doing: str) -> OutputError:
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        cause = _CAUSES.get(error.errno) or error.strerror or str(error)
        return OutputError(f"cannot {doing} {target}: {cause}")
    return UnsupportedOutput(f"cannot {doing} {target}: FFmpeg refuses: {error}")


def sync_folder(folder: Path) -> None:
    """Have new, renamed and removed names on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
