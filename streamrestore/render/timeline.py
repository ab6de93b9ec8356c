"""The weather of a file over time: a coloured bar with its legend, and a table."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from streamrestore.pipeline.report import ClipReport
from streamrestore.render.words import clock, duration
from streamrestore.weather import SEVERITY_UNITS, Weather

COLORS: Mapping[str, str] = {
    "rain": "#56b4e9",
    "haze": "#e69f00",
    "raindrop": "#f0e442",
    "noise": "#cc79a7",
    "clean": "#009e73",
    "none": "#7f7f7f",
    "unsure": "#b5b5b5",
}
"""One colour per weather and per reason to leave a clip alone (Okabe and Ito's, told apart by all eyes)."""

LETTERS: Mapping[str, str] = {
    "rain": "r", "haze": "h", "raindrop": "d", "noise": "n", "clean": ".", "none": "-", "unsure": "?",
}  # fmt: skip
"""The same where there is no colour."""

WORTH_TELLING = 0.1
"""Probability from which the table names a weather."""
MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring clips with one label."""

    label: str
    clips: tuple[ClipReport, ...]

    @property
    def start(self) -> float:
        """In seconds."""
        return self.clips[0].start_seconds

    @property
    def stop(self) -> float:
        """In seconds."""
        return self.clips[-1].stop_seconds

    def mean(self, name: str) -> float:
        """Probability of a weather, averaged over frames."""
        frames = [clip.stop_frame - clip.start_frame for clip in self.clips]
        seen = [clip.probabilities.get(name, 0.0) for clip in self.clips]
        return sum(f * p for f, p in zip(frames, seen, strict=True)) / max(1, sum(frames))

    def severity(self) -> str:
        """Mean severity of the weather that is restored, in its unit."""
        weathers = [weather for weather in Weather if weather in self.label.split("+")]
        parts = []
        for weather in weathers:
            values = [clip.severity[weather] for clip in self.clips if weather in clip.severity]
            if values:
                parts.append(f"{sum(values) / len(values):.3g}")
        return " + ".join(parts)


def label_of(clip: ClipReport) -> str:
    """What happens to a clip: its branches, or why none runs (``clean``, ``unsure``, ``none``)."""
    if clip.branch != "none" and clip.strength > 0:
        return clip.branch
    return clip.reason if clip.reason in ("clean", "unsure") else "none"


def runs_of(clips: Sequence[ClipReport]) -> list[Run]:
    """Clips with one label and no gap between them, joined."""
    runs: list[list[ClipReport]] = []
    for clip in clips:
        if runs and label_of(runs[-1][-1]) == label_of(clip) and runs[-1][-1].ended_by != "gap":
            runs[-1].append(clip)
        else:
            runs.append([clip])
    return [Run(label_of(run[0]), tuple(run)) for run in runs]


def timeline_bar(clips: Sequence[ClipReport], width: int, *, color: bool) -> Text:
    """The bar and, under it, its times.

    Args:
        width: in cells.
        color: False writes the letters of `LETTERS` instead.
    """
    cells = cells_of(clips, width)
    bar = Text(no_wrap=True)
    start = 0
    while start < len(cells):
        stop = start
        while stop < len(cells) and cells[stop] == cells[start]:
            stop += 1
        _draw(bar, cells[start], stop - start, color=color)
        start = stop
    return Text("\n").join([bar, _axis(clips, width)])


def cells_of(clips: Sequence[ClipReport], width: int) -> list[str]:
    """The label that covers most of each cell's time; empty where there is no picture."""
    begin, end = clips[0].start_seconds, clips[-1].stop_seconds
    if end <= begin:  # a picture without a duration
        return [label_of(clips[0])] * width
    step = (end - begin) / width
    cells = []
    stops = [clip.stop_seconds for clip in clips]
    for cell in range(width):
        left, right = begin + cell * step, begin + (cell + 1) * step
        covered: Counter[str] = Counter()
        for clip in clips[bisect_right(stops, left) : bisect_left(stops, right) + 1]:
            overlap = min(right, clip.stop_seconds) - max(left, clip.start_seconds)
            if overlap > 0:
                covered[label_of(clip)] += overlap  # type: ignore[assignment]
        best = covered.most_common(1)
        cells.append(best[0][0] if best and covered.total() >= step / 2 else "")
    return cells


def shares_of(clips: Sequence[ClipReport]) -> list[tuple[str, float, float]]:
    """Each label with its seconds and its share of the file, 0 to 1; the longest first."""
    seconds: Counter[str] = Counter()
    for clip in clips:
        seconds[label_of(clip)] += clip.stop_seconds - clip.start_seconds  # type: ignore[assignment]
    whole = sum(seconds.values()) or 1.0
    return [(label, length, length / whole) for label, length in seconds.most_common()]


def legend(clips: Sequence[ClipReport], width: int, *, color: bool) -> Text:
    """What each colour means and how much of the file it is, in lines of at most `width` cells."""
    items = []
    for label, length, share in shares_of(clips):
        item = Text()
        for part in label.split("+"):
            item.append(*(("  ", f"on {COLORS[part]}") if color else (LETTERS[part], "")))
        item.append(f" {label} {duration(length)} ({share:.0%})")
        items.append(item)
    lines = [items[0]]
    for item in items[1:]:
        if lines[-1].cell_len + 3 + item.cell_len <= width:
            lines[-1] = Text("   ").join([lines[-1], item])
        else:
            lines.append(item)
    return Text("\n").join(lines)


def timeline_table(clips: Sequence[ClipReport]) -> Table:
    """A row for each run of clips that are treated alike."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("time", no_wrap=True)
    table.add_column("frames", justify="right", no_wrap=True)
    table.add_column("branch", no_wrap=True)
    table.add_column("why", no_wrap=True)
    table.add_column("seen")
    table.add_column("severity", justify="right")
    for run in runs_of(clips):
        first, last = run.clips[0], run.clips[-1]
        restored = run.label not in ("clean", "unsure", "none")
        table.add_row(
            f"{clock(run.start)} - {clock(run.stop)}",
            f"{first.start_frame}-{last.stop_frame - 1}",
            Text(run.label if restored else "none", style=COLORS[run.label.split("+")[0]]),
            first.reason,
            _seen(run),
            run.severity(),
        )
    return table


def severity_units(clips: Sequence[ClipReport]) -> list[str]:
    """What the severities of the table are measured in, for the branches that occur."""
    labels = {part for clip in clips if clip.severity for part in label_of(clip).split("+")}
    return [f"severity of {weather}: {SEVERITY_UNITS[weather]}" for weather in Weather if weather in labels]


def _seen(run: Run) -> str:
    """The most probable weathers with their probabilities."""
    names = {name for clip in run.clips for name in clip.probabilities}
    ranked = sorted(((run.mean(name), name) for name in names), reverse=True)[:MOST_TOLD]
    return ", ".join(f"{name} {p:.0%}" for p, name in ranked if p >= WORTH_TELLING)


def _draw(bar: Text, label: str, width: int, *, color: bool) -> None:
    """Append the cells of one label, with its name in them where there is room."""
    parts = label.split("+") if label else []
    if not parts:
        bar.append(" " * width)
    elif not color:
        bar.append("".join(LETTERS[parts[cell % len(parts)]] for cell in range(width)))
    elif len(parts) > 1:  # two passes: both colours in turn
        for cell in range(width):
            bar.append(" ", style=f"on {COLORS[parts[cell % len(parts)]]}")
    else:
        name = label if len(label) <= width else ""
        bar.append(name.center(width), style=f"black on {COLORS[label]}")


def _axis(clips: Sequence[ClipReport], width: int) -> Text:
    """Times under the bar: the ends, and as many between as there is room for."""
    begin, end = clips[0].start_seconds, clips[-1].stop_seconds
    tenths = end - begin < 60
    stops = [part for part in (4, 2, 1) if width >= part * 12][:1] or [1]
    line = [" "] * width
    for index in range(stops[0] + 1):
        share = index / stops[0]
        text = clock(begin + share * (end - begin), tenths=tenths)
        place = min(max(0, math.floor(share * width) - len(text) // 2), width - len(text))
        if place >= 0:
            line[place : place + len(text)] = text
    return Text("".join(line), style="dim", no_wrap=True)
