"""Whether a file is the result of a job already: outputs say what made them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av

from streamrestore import __version__
from streamrestore.decode import input_files
from streamrestore.errors import InputError
from streamrestore.pipeline.fingerprint import hash_input
from streamrestore.pipeline.mask import mask_files
from streamrestore.settings import JobSettings

_DIGITS = 12


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


def is_done(output: Path, settings: JobSettings, files: Sequence[Path]) -> bool:
    """Whether `output` is what this version makes of these files with these settings.

    An output has its name only when it is complete. Containers that hold no comment cannot say it.
    """
    try:
        with av.open(str(output)) as container:
            comment = container.metadata.get("comment", "") or container.metadata.get("COMMENT", "")
        return comment.endswith(remark_of(settings, files))
    except (av.error.FFmpegError, OSError, ValueError, InputError):
        return False
