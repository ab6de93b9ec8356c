"""How far a run is: a bar on a terminal, lines in a log, JSON for programs, or nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars

from streamrestore.pipeline.report import Phase, Progress
from streamrestore.render.report_json import to_json
from streamrestore.render.words import duration, plain, quantity

Kind = Literal["auto", "bar", "json", "none"]
Report = Callable[[Progress], None]

PHASE_NAMES: Mapping[Phase, str] = {
    "plan": "looking",
    "restore": "restoring",
    "copy": "copying",
    "finish": "finishing",
    "compare": "comparing",
}
ROOM_FOR_WORDS = 80
"""Width from which the bar has words before it: figures come first."""
LOG_SECONDS = 10.0
"""Between two lines in a log."""


def progress_of(kind: Kind, name: str = "") -> AbstractContextManager[Report]:
    """What to call with each `Progress`, while it is entered.

    Args:
        kind: ``auto`` is a bar on a terminal and lines elsewhere, ``bar`` is nothing elsewhere.
        name: of the file at hand, shown beside the bar.
    """
    if kind == "none":
        return contextlib.nullcontext(_ignore)
    if kind == "json":
        return contextlib.nullcontext(json_line)
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        return _bar(console, name)
    return contextlib.nullcontext(LogLines(name) if kind == "auto" else _ignore)


def json_line(item: object) -> None:
    """Write one JSON document in one line on stderr; a run goes on if nobody reads it."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(to_json(item, indent=0).decode())
        sys.stderr.flush()


class LogLines:
    """A line for each phase, and one every `LOG_SECONDS`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._phase: Phase | None = None
        self._last = 0.0

    def __call__(self, progress: Progress) -> None:
        """Perhaps write a line."""
        now = time.monotonic()
        if progress.phase == self._phase and now - self._last < LOG_SECONDS:
            return
        self._phase, self._last = progress.phase, now
        words = [
            PHASE_NAMES[progress.phase],
            counts(progress),
            rate(progress),
            left(progress),
            progress.branch,
        ]
        with contextlib.suppress(BrokenPipeError):
            sys.stderr.write(f"{plain(self._name)}: {', '.join(filter(None, words))}\n")
            sys.stderr.flush()


def counts(progress: Progress) -> str:
    """``120/250 frames``; nothing before the first."""
    if progress.total is not None:
        return f"{progress.frames}/{quantity(progress.total, 'frame')}"
    return quantity(progress.frames, "frame") if progress.frames else ""


def rate(progress: Progress) -> str:
    """``12.3 fps``, if known."""
    return f"{progress.fps:.1f} fps" if progress.fps > 0 else ""


def left(progress: Progress) -> str:
    """``12 s left``, if known."""
    if progress.eta_seconds is None:
        return ""
    seconds = max(1, round(progress.eta_seconds))
    return f"{seconds} s left" if seconds < 60 else f"{duration(seconds)} left"


def _ignore(progress: Progress) -> None:
    del progress


@contextlib.contextmanager
def _bar(console: Console, name: str) -> Iterator[Report]:
    """A bar that disappears at the end: the summary stands for it."""
    words = [TextColumn("{task.description}", markup=False), TextColumn("{task.fields[phase]}")]
    bars = Bars(
        *(words if console.width >= ROOM_FOR_WORDS else ()),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[counts]}"),
        TextColumn("{task.fields[rate]}", style="cyan"),
        TextColumn("{task.fields[left]}", style="dim"),
        TextColumn("{task.fields[branch]}", style="bold"),
        console=console,
        transient=True,
        expand=True,
        refresh_per_second=5,
    )
    task = bars.add_task(plain(name), total=None, phase="opening", counts="", rate="", left="", branch="")

    def show(progress: Progress) -> None:
        bars.update(
            task,
            total=progress.total,
            completed=progress.frames,
            phase=PHASE_NAMES[progress.phase],
            counts=counts(progress),
            rate=rate(progress),
            left=left(progress),
            branch=progress.branch,
        )

    with bars:
        yield show
