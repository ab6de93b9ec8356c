"""Reports as JSON files."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from streamrestore.errors import OutputError, OutputExists, UsageError
from streamrestore.pipeline.report import JobReport


class JobFailure(msgspec.Struct, frozen=True):
    """A file of several that could not be restored."""

    input: str
    output: str
    error: str
    exit_code: int


class JobSkipped(msgspec.Struct, frozen=True):
    """A file of several whose result was there already."""

    input: str
    output: str
    skipped: str = "done already"


Outcome = JobReport | JobFailure | JobSkipped
"""What became of one file."""


def check_report(path: Path, others: Sequence[Path], *, overwrite: bool) -> None:
    """Find out, before any work, whether a report can be written.

    Args:
        others: inputs and outputs, none of which it may replace.

    Raises:
        UsageError: it is one of the others.
        OutputExists: it is there and may not be replaced.
        OutputError: it is a folder, or its folder is missing or not writable.
    """
    if any(path.absolute() == other.absolute() or _same(path, other) for other in others):
        raise UsageError(f"--report {path}: this is the input or the output; give the report another name")
    if path.is_dir():
        raise OutputError(f"--report {path} is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise OutputExists(f"--report {path} exists already; give --overwrite to replace it")
    if not path.parent.is_dir():
        raise OutputError(f"--report {path}: its folder does not exist; create it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"--report {path}: its folder is not writable")


def write_report(path: Path, reports: Sequence[Outcome]) -> None:
    """Write the report of one file as an object, those of several as a list of them.

    Raises:
        OutputError: the disk is full or failed; nothing incomplete is left.
    """
    document = to_json(reports[0] if len(reports) == 1 else reports)
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
        raise OutputError(f"--report {path} cannot be written: {error.strerror or error}") from error


def to_json(item: Any, *, indent: int = 2) -> bytes:
    """JSON; fractions become ``30000/1001``. An `indent` of 0 keeps it in one line."""
    try:
        encoded = msgspec.json.encode(item, enc_hook=_plain_value)
    except UnicodeEncodeError:  # a file name with bytes that are no text
        encoded = msgspec.json.encode(_readable(msgspec.to_builtins(item, enc_hook=_plain_value)))
    return (msgspec.json.format(encoded, indent=indent) if indent else encoded) + b"\n"


def _plain_value(value: Any) -> Any:
    if isinstance(value, Fraction | Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")


def _readable(value: Any) -> Any:
    """The same with every string such that UTF-8 holds it."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return value


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
