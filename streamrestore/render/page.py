"""A report as one page of HTML: it needs no network, no other file, and no script to be read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from streamrestore import __version__
from streamrestore.pipeline.report import JobReport
from streamrestore.render.markup import NOTHING, Markup, element, joined
from streamrestore.render.plot import MOST_STEPS, lanes_of, weather_plot
from streamrestore.render.report_json import JobFailure, JobSkipped, Outcome
from streamrestore.render.stills import Still
from streamrestore.render.summary import outcome_of, what_was_done
from streamrestore.render.tables import clips_table, pairs, settings_table, stages_table, streams_table
from streamrestore.render.timeline import COLORS, shares_of
from streamrestore.render.words import clock, counted, duration, quantity


def report_page(outcomes: Sequence[Outcome], stills: Sequence[Sequence[Still]]) -> bytes:
    """The page of one file or of several.

    Args:
        stills: of each outcome, may be empty.
    """
    alone = len(outcomes) == 1
    title = f"{outcomes[0].input}: restoration report" if alone else f"Restoration of {len(outcomes)} files"
    sections = [
        _section(outcome, own, f"file-{number}")
        for number, (outcome, own) in enumerate(zip(outcomes, stills, strict=True), start=1)
    ]
    heading = element("h1", "Restoration report" if alone else title)
    body = joined(heading, NOTHING if alone else _contents(outcomes), *sections)
    return _document(title, body).encode("utf-8", "replace")


def _document(title: str, body: Markup) -> str:
    style, script = (
        resources.files("streamrestore.render").joinpath(name).read_text("utf-8")
        for name in ("page.css", "page.js")
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"streamrestore {__version__}"),
        element("title", title),
        element("style", Markup(style)),
    )
    page = element("html", head, element("body", body, element("script", Markup(script))), lang="en")
    return f"<!doctype html>\n{page}\n"


def _hash(text: str) -> str:
    """What allows this very text in a content security policy, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _contents(outcomes: Sequence[Outcome]) -> Markup:
    """A line for each of several files."""
    lines = [
        element("li", _badge(outcome), element("a", _name(outcome), href=f"#file-{number}"))
        for number, outcome in enumerate(outcomes, start=1)
    ]
    return element("ol", *lines)


def _section(outcome: Outcome, stills: Sequence[Still], anchor: str) -> Markup:
    top = element("h2", _name(outcome))
    if isinstance(outcome, JobFailure):
        told = element("p", _badge(outcome), outcome.error)
        return element("section", top, told, _paths(outcome), id=anchor)
    if isinstance(outcome, JobSkipped):
        told = element("p", _badge(outcome), "The output was there already, made with the same settings.")
        return element("section", top, told, _paths(outcome), id=anchor)
    return element(
        "section",
        top,
        element("p", _badge(outcome), what_was_done(outcome)),
        _paths(outcome),
        _weather(outcome),
        _stills(outcome, stills),
        _titled("Clips", clips_table(outcome.clips)) if outcome.clips else NOTHING,
        _titled("Streams", streams_table(outcome)),
        _remarks(outcome),
        _titled("Speed", _speed(outcome)),
        _titled("Settings", _settings(outcome)),
        id=anchor,
    )


def _paths(outcome: Outcome) -> Markup:
    rows = [("input", outcome.input), ("output", outcome.output)]
    if isinstance(outcome, JobReport):
        rows += [
            ("picture", f"{outcome.width}x{outcome.height}, {outcome.codec}"),
            ("length", f"{duration(outcome.duration_seconds)}, {quantity(outcome.frames, 'frame')}"),
        ]
    return pairs(rows)


def _weather(report: JobReport) -> Markup:
    if not report.clips:
        return NOTHING
    shares = [
        element("li", _swatch(label), f"{label} {duration(seconds)} ({share:.0%})")
        for label, seconds, share in shares_of(report.clips)
    ]
    told = "How probable each weather is, 0 at the bottom of a row and 1 at its top; below, what was chosen."
    if not lanes_of(report.clips):
        told = "What was chosen; nothing was classified."
    if len(report.clips) > MOST_STEPS:
        told += " The file has more clips than fit: each step shows the highest of several neighbours."
    drawing = element("div", weather_plot(report.clips, report.input), class_="scroll")
    return _titled("Weather", drawing, element("ul", *shares, class_="shares"), _faint(told))


def _swatch(label: str) -> Markup:
    parts = label.split("+")
    boxes = [
        element("rect", y=10 * row / len(parts), width=10, height=10 / len(parts), fill=COLORS[part])
        for row, part in enumerate(parts)
    ]
    return element("svg", *boxes, viewBox="0 0 10 10", aria_hidden="true")


def _stills(report: JobReport, stills: Sequence[Still]) -> Markup:
    if not stills:
        return NOTHING
    figures = [_figure(report, still) for still in stills]
    told = "Of the frames that were looked at, those that changed most. Drag, or use the arrow keys."
    return _titled("Before and after", element("div", *figures, class_="stills"), _faint(told))


def _figure(report: JobReport, still: Still) -> Markup:
    place = f"frame {still.frame} at {clock(still.seconds)}"
    images = [
        element(
            "img",
            class_=name,
            src=f"data:image/jpeg;base64,{base64.b64encode(data).decode()}",
            alt=f"{report.input}, {place}, {state}",
            width=still.width,
            height=still.height,
        )
        for name, state, data in (("before", "as it was", still.before), ("after", "restored", still.after))
    ]
    slider = element(
        "label",
        "Before, left of the line; restored, right of it",
        element("input", type="range", min="0", max="100", value="50", step="1"),
        class_="faint",
    )
    said = f"{place.capitalize()}, {still.branch}; luma changed by {still.difference:.1f} of 255 on average"
    return element("figure", element("div", *images, class_="pair"), slider, element("figcaption", said))


def _remarks(report: JobReport) -> Markup:
    """What was left out, lost or assumed."""
    told = [
        f"Stream {stream.index}, {stream.kind} {stream.codec}, was left out"
        + f": {stream.why}" * bool(stream.why)
        for stream in report.streams
        if stream.outcome == "dropped"
    ]
    if report.losses:
        told.append(f"The input is damaged: {counted(report.losses)}. What decodes was restored.")
    if report.assumed:
        told.append(
            f"The file does not say its colour {' and '.join(report.assumed)}; the usual was assumed."
        )
    told += report.notes
    if not told:
        return _titled("Losses and notes", element("p", "Nothing was lost, left out or assumed."))
    return _titled("Losses and notes", element("ul", *(element("li", line) for line in told)))


def _speed(report: JobReport) -> Markup:
    spent = report.restore_seconds
    rows = [
        ("looking", duration(report.plan_seconds)),
        ("copying" if report.copied else "restoring", duration(spent)),
        ("frames per second", f"{report.frames / spent:.1f}" if spent > 0 else ""),
        ("device", f"{report.device}, {report.precision}"),
    ]
    return joined(pairs(rows), stages_table(report))


def _settings(report: JobReport) -> Markup:
    made = [("streamrestore", report.version), ("settings hash", report.settings_hash)]
    made += [(f"weights {name}", digits) for name, digits in report.weights.items()]
    every = element(
        "details", element("summary", "Every setting"), settings_table(report.settings), open=True
    )
    return joined(pairs(made), every)


def _badge(outcome: Outcome) -> Markup:
    what = outcome_of(outcome)
    return element("span", what, class_=f"badge {what.replace(' ', '-')}")


def _name(outcome: Outcome) -> str:
    """The last part of the input's name."""
    return outcome.input.rstrip("/").rpartition("/")[2] or outcome.input


def _titled(title: str, *children: str) -> Markup:
    return joined(element("h3", title), *children)


def _faint(text: str) -> Markup:
    return element("p", text, class_="faint")
