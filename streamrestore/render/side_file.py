"""Files beside a video: checked before any work, and whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from streamrestore.errors import OutputError, OutputExists, UsageError


def check_side_file(
    flag: str, path: Path, endings: Collection[str], others: Sequence[Path], *, overwrite: bool
) -> None:
    """Find out, before any work, whether a file can be written.

    Args:
        flag: the option that names it, for messages.
        endings: that its name may have, in small letters; capitals are taken as well.
        others: inputs and outputs, none of which it may replace.

    Raises:
        UsageError: it is one of the others, or its name ends otherwise.
        OutputExists: it is there and may not be replaced.
        OutputError: it is a folder, or its folder is missing or not writable.
    """
    if any(path.absolute() == other.absolute() or _same(path, other) for other in others):
        raise UsageError(f"{flag} {path}: this is an input or the output; give it another name")
    if path.is_dir():
        raise OutputError(f"{flag} {path} is a folder; name a file in it")
    if path.suffix.lower() not in endings:
        raise UsageError(f"{flag} {path}: its name must end in {' or '.join(endings)}")
    if path.exists() and not overwrite:
        raise OutputExists(f"{flag} {path} exists already; give --overwrite to replace it")
    if not path.parent.is_dir():
        raise OutputError(f"{flag} {path}: its folder does not exist; create it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{flag} {path}: its folder is not writable")


def write_side_file(flag: str, path: Path, document: bytes) -> None:
    """Write a file, or replace the one that is there.

    Raises:
        OutputError: the disk is full or failed; nothing incomplete is left.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            temporary.chmod(0o666 & ~_umask())
            file.write(document)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise OutputError(f"{flag} {path} cannot be written: {error.strerror or error}") from error


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
