"""The tables of a report page: clips, stages, streams and settings, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from streamrestore.pipeline.report import ClipReport, JobReport
from streamrestore.render.markup import NOTHING, Markup, element, joined
from streamrestore.render.plot import lanes_of
from streamrestore.render.timeline import WORTH_TELLING
from streamrestore.render.words import clock, duration, quantity
from streamrestore.settings import JobSettings
from streamrestore.weather import SEVERITY_UNITS, Weather

SHOWN_CLIPS = 40
"""With more clips, their table is folded away."""
MOST_CLIPS = 10_000
"""More rows would make a page that no browser likes; the JSON report has them all."""

Cell = str | tuple[str, str]
"""Text, or text with a class."""


def table(head: Sequence[Cell], rows: Iterable[Sequence[Cell]], caption: str = "") -> Markup:
    """A table with one row of headings; it scrolls by itself where it is too wide."""
    return element(
        "div",
        element(
            "table",
            element("caption", caption) if caption else NOTHING,
            element("thead", _row("th", head)),
            element("tbody", *(_row("td", row) for row in rows)),
        ),
        class_="scroll",
    )


def pairs(rows: Iterable[tuple[str, Cell]]) -> Markup:
    """Names and values under each other."""
    written = [
        element("tr", element("th", name, scope="row"), _cell("td", value)) for name, value in rows if value
    ]
    return element("div", element("table", element("tbody", *written)), class_="scroll")


def clips_table(clips: Sequence[ClipReport]) -> Markup:
    """A row for each clip; of many, folded away."""
    lanes = lanes_of(clips)
    head: list[Cell] = [
        "time", ("frames", "figure"), "branch", ("strength", "figure"), "why",
        *((lane, "figure") for lane in lanes), "severity",
    ]  # fmt: skip
    shown = table(head, (_clip_row(clip, lanes) for clip in clips[:MOST_CLIPS]), _units(clips))
    rest = len(clips) - MOST_CLIPS
    if rest > 0:
        shown = joined(shown, element("p", f"{rest} more clips are in the JSON report only."))
    if len(clips) <= SHOWN_CLIPS:
        return shown
    return element("details", element("summary", f"All {quantity(len(clips), 'clip')}"), shown)


def stages_table(report: JobReport) -> Markup:
    """What each stage was busy for; stages work at the same time."""
    whole = report.restore_seconds
    rows: list[list[Cell]] = [
        [name, (duration(seconds), "figure"), (f"{seconds / whole:.0%}" if whole > 0 else "", "figure")]
        for name, seconds in report.stage_seconds.items()
    ]
    if not rows:
        return NOTHING
    return table(
        ["stage", ("busy", "figure"), ("of the run", "figure")], rows, "Stages work at the same time."
    )


def streams_table(report: JobReport) -> Markup:
    """A row for each stream of the input."""
    rows: list[list[Cell]] = [
        [
            (str(stream.index), "figure"), stream.kind, stream.codec or "unknown", stream.outcome,
            (str(stream.packets) if stream.outcome == "copied" else "", "figure"), stream.why,
        ]
        for stream in report.streams
    ]  # fmt: skip
    return table(
        [("stream", "figure"), "kind", "codec", "outcome", ("packets", "figure"), "why"], rows
    )  # fmt: skip


def settings_table(settings: JobSettings) -> Markup:
    """Every setting by its full name; those that are not the default stand out."""
    default = dict(_flat(msgspec.to_builtins(JobSettings())))
    rows: list[tuple[str, Cell]] = []
    for name, value in _flat(msgspec.to_builtins(settings)):
        changed = value != default[name]
        told = f"{_word(value)} (default: {_word(default[name])})" if changed else _word(value)
        rows.append((name, (told, "changed") if changed else told))
    return pairs(rows)


def _clip_row(clip: ClipReport, lanes: Sequence[str]) -> list[Cell]:
    seen = clip.probabilities
    restored = clip.branch != "none"
    return [
        (f"{clock(clip.start_seconds)} - {clock(clip.stop_seconds)}", "time"),
        (f"{clip.start_frame}-{clip.stop_frame - 1}", "figure"),
        clip.branch,
        (f"{clip.strength:g}" if restored else "", "figure"),
        clip.reason,
        *((f"{seen[lane]:.0%}" if lane in seen else "", "figure") for lane in lanes),
        _severity(clip),
    ]


def _severity(clip: ClipReport) -> str:
    """Of the weathers that are restored or at least worth a word."""
    used = clip.branch.split("+")
    return ", ".join(
        f"{weather} {clip.severity[weather]:.3g}"
        for weather in Weather
        if weather in clip.severity
        and (weather in used or clip.probabilities.get(weather, 0.0) >= WORTH_TELLING)
    )


def _units(clips: Sequence[ClipReport]) -> str:
    """What severities are measured in."""
    seen = {name for clip in clips for name in clip.severity}
    told = "; ".join(f"{weather}: {SEVERITY_UNITS[weather]}" for weather in Weather if weather in seen)
    return f"Severity of {told}." if told else ""


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _word(value: Any) -> str:
    """A setting's value as the settings file would have it."""
    return msgspec.json.encode(value).decode() if not isinstance(value, str) else value


def _row(kind: str, cells: Sequence[Cell]) -> Markup:
    return element("tr", *(_cell(kind, cell) for cell in cells))


def _cell(kind: str, cell: Cell) -> Markup:
    text, style = (cell, None) if isinstance(cell, str) else cell
    return element(kind, text, class_=style, scope="col" if kind == "th" else None)
