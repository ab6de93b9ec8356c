"""Reports as files: the name's ending says in which form."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streamrestore.errors import OutputError, OutputExists, UsageError
from streamrestore.pipeline.report import JobReport
from streamrestore.render.page import report_page
from streamrestore.render.report_json import Outcome, to_json
from streamrestore.render.stills import MOST_STILLS, Still, find_stills, restored_clips

Stop = Callable[[], bool]

MOST_STILLS_IN_ALL = 40
"""On a page of many files; some 300 kB each."""


def check_report(path: Path, others: Sequence[Path], *, overwrite: bool) -> None:
    """Find out, before any work, whether a report can be written.

    Args:
        others: inputs and outputs, none of which it may replace.

    Raises:
        UsageError: its name does not end in one of `FORMATS`, or it is one of the others.
        OutputExists: it is there and may not be replaced.
        OutputError: it is a folder, or its folder is missing or not writable.
    """
    if path.suffix.lower() not in FORMATS and not path.is_dir():
        raise UsageError(f"--report {path}: its name must end in {' or '.join(FORMATS)}")
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


def write_report(path: Path, reports: Sequence[Outcome], *, stop: Stop | None = None) -> None:
    """Write the report of one file or of several.

    A page shows pictures of inputs and outputs, which are opened again for it.

    Args:
        stop: asked now and then; True leaves out pictures that are not found yet.

    Raises:
        OutputError: the disk is full or failed; nothing incomplete is left.
    """
    document = FORMATS[path.suffix.lower()](reports, stop or _never)
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


def _json(reports: Sequence[Outcome], _stop: Stop) -> bytes:
    """That of one file as an object, those of several as a list."""
    return to_json(reports[0] if len(reports) == 1 else reports)


def _page(reports: Sequence[Outcome], stop: Stop) -> bytes:
    """With as many stills of each file as there is room for."""
    restored = sum(isinstance(report, JobReport) and bool(restored_clips(report)) for report in reports)
    each = max(1, min(MOST_STILLS, MOST_STILLS_IN_ALL // max(1, restored)))
    left = MOST_STILLS_IN_ALL
    stills: list[tuple[Still, ...]] = []
    for report in reports:
        found: tuple[Still, ...] = ()
        if isinstance(report, JobReport) and not stop():
            found = find_stills(report, min(each, left), stop=stop)
        left -= len(found)
        stills.append(found)
    return report_page(reports, stills)


FORMATS: Mapping[str, Callable[[Sequence[Outcome], Stop], bytes]] = {".json": _json, ".html": _page}
"""By the ending of the name."""


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _never() -> bool:
    return False
