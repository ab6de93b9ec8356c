"""Reports as files: the name's ending says in which form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streamrestore.pipeline.report import JobReport
from streamrestore.render.page import report_page
from streamrestore.render.report_json import Outcome, to_json
from streamrestore.render.side_file import check_side_file, write_side_file
from streamrestore.render.stills import MOST_STILLS, Still, find_stills, restored_clips

Stop = Callable[[], bool]

FLAG = "--report"

MOST_STILLS_IN_ALL = 40
"""On a page of many files; some 300 kB each."""


def check_report(path: Path, others: Sequence[Path], *, overwrite: bool) -> None:
    """Find out, before any work, whether a report can be written; see `check_side_file`."""
    check_side_file(FLAG, path, FORMATS, others, overwrite=overwrite)


def write_report(path: Path, reports: Sequence[Outcome], *, stop: Stop | None = None) -> None:
    """Write the report of one file or of several.

    A page shows pictures of inputs and outputs, which are opened again for it.

    Args:
        stop: asked now and then; True leaves out pictures that are not found yet.

    Raises:
        OutputError: the disk is full or failed; nothing incomplete is left.
    """
    write_side_file(FLAG, path, FORMATS[path.suffix.lower()](reports, stop or _never))


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


def _never() -> bool:
    return False
