"""Whether a file is the result of a job already: outputs say what made them, and folders what is in them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import av
import msgspec

from streamrestore import __version__
from streamrestore.decode import input_files
from streamrestore.errors import InputError, OutputExists
from streamrestore.pipeline.fingerprint import hash_input
from streamrestore.pipeline.mask import mask_files
from streamrestore.settings import JobSettings

DONE = ".streamrestore.jsonl"
"""In a folder of outputs: a line for each that was written there; the last one of a name holds."""
_DIGITS = 12


class _Entry(msgspec.Struct, frozen=True):
    """An output as it was written.

    Attributes:
        made: what `remark_of` said.
        fingerprint: of the file.
    """

    name: str
    made: str
    fingerprint: str


def job_files(spec: str, settings: JobSettings) -> tuple[Path, ...]:
    """All files that a result follows from: those of the input, none for a URL, and those of masks."""
    files = input_files(spec)
    return (*files, *mask_files(settings.restore.mask)) if files else ()


def remark_of(settings: JobSettings, files: Sequence[Path]) -> str:
    """What the comment of an output says: the version, the settings, the plan, and the input if it is files.

    Raises:
        InputUnreadable: a file has gone, or cannot be read.
    """
    facts = [f"restored by streamrestore {__version__}", f"settings {settings.digest}"]
    if settings.restore.plan is not None:
        facts.append(f"plan {hash_input([Path(settings.restore.plan)])[:_DIGITS]}")
    if files:
        facts.append(f"input {hash_input(files)[:_DIGITS]}")
    return ", ".join(facts)


def note_done(output: Path, settings: JobSettings, files: Sequence[Path]) -> None:
    """Have the folder of an output remember it; without room for that, its comment has to tell."""
    with contextlib.suppress(OSError, ValueError, InputError):  # a name may hold bytes that are no text
        entry = _Entry(output.name, remark_of(settings, files), hash_input([output]))
        with output.with_name(DONE).open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")


def is_done(output: Path, settings: JobSettings, files: Sequence[Path]) -> bool:
    """Whether `output` is what this version makes of these files with these settings.

    What was written by a run over a folder is known by that folder; else the comment tells, which not all
    containers hold.

    Raises:
        OutputExists: it was, and it was cut or changed since.
    """
    if not output.exists():
        return False
    try:
        made, now = remark_of(settings, files), hash_input([output])
    except InputError:
        return False
    entry = _entry_of(output)
    if entry is None or entry.made != made:
        return _comment_of(output).endswith(made)
    if entry.fingerprint != now:
        raise OutputExists(
            f"{output} was cut or changed since it was written; give --overwrite to make it again"
        )
    return True


def _entry_of(output: Path) -> _Entry | None:
    """What the folder says of an output."""
    found = None
    with contextlib.suppress(OSError):
        for line in output.with_name(DONE).read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                entry = msgspec.json.decode(line, type=_Entry)
                found = entry if entry.name == output.name else found
    return found


def _comment_of(output: Path) -> str:
    try:
        with av.open(str(output)) as container:
            return container.metadata.get("comment", "") or container.metadata.get("COMMENT", "")
    except (av.error.FFmpegError, OSError, ValueError):
        return ""
