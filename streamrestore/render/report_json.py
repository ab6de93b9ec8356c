"""Reports as JSON."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

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
