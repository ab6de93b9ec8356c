"""The weather of a file over time, drawn as SVG: a lane per probability, and a band of what was done."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from streamrestore.pipeline.report import ClipReport
from streamrestore.render.markup import NOTHING, Markup, element, joined, number
from streamrestore.render.timeline import COLORS, cells_of, runs_of
from streamrestore.render.words import clock, quantity
from streamrestore.weather import Weather

LANES: Mapping[str, str] = {str(weather): COLORS[weather] for weather in Weather} | {
    "unknown": COLORS["unsure"],
    "clean": COLORS["clean"],
}
"""Probabilities that are drawn, from the top, with their colours."""

MOST_STEPS = 800
"""More clips than that are drawn as groups of neighbours: there are no more pixels."""

_LEFT, _RIGHT, _WIDTH = 84.0, 26.0, 1000.0
_LANE, _LANE_GAP, _BAND, _AXIS = 32.0, 9.0, 26.0, 26.0
_MOST_TICKS = 10
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Seconds between ticks."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is drawn as one step of a lane: a clip, or a group of neighbours.

    Attributes:
        start, stop: in seconds.
        probabilities: of a group, the highest.
        gap: True if nothing follows at once.
    """

    start: float
    stop: float
    probabilities: Mapping[str, float]
    gap: bool


def steps_of(clips: Sequence[ClipReport], most: int = MOST_STEPS) -> list[Step]:
    """Clips, in groups of equal number if there are more than `most`; gaps end a group."""
    size = math.ceil(len(clips) / most)
    groups: list[list[ClipReport]] = []
    for clip in clips:
        if groups and len(groups[-1]) < size and groups[-1][-1].ended_by != "gap":
            groups[-1].append(clip)
        else:
            groups.append([clip])
    return [
        Step(
            group[0].start_seconds,
            group[-1].stop_seconds,
            {name: max(clip.probabilities.get(name, 0.0) for clip in group) for name in LANES},
            group[-1].ended_by == "gap",
        )
        for group in groups
    ]


def lanes_of(clips: Sequence[ClipReport]) -> list[str]:
    """The probabilities that occur, in the order in which they are drawn."""
    seen = {name for clip in clips for name in clip.probabilities}
    return [name for name in LANES if name in seen]


def weather_plot(clips: Sequence[ClipReport], name: str) -> Markup:
    """The drawing of at least one clip.

    Args:
        name: of the file, for those who cannot see the drawing.
    """
    lanes = lanes_of(clips)
    bottom = len(lanes) * (_LANE + _LANE_GAP)
    height = bottom + _BAND + _AXIS
    scale = _Scale(clips[0].start_seconds, clips[-1].stop_seconds)
    steps = steps_of(clips)
    drawn = [
        element("title", f"Weather of {name} over time"),
        element("desc", _description(clips)),
        *_grid(scale, height - _AXIS),
    ]
    for row, lane in enumerate(lanes):
        drawn.append(_lane(lane, steps, scale, row * (_LANE + _LANE_GAP)))
    drawn.append(_label("chosen", bottom + _BAND / 2))
    drawn += [_block(block, scale, bottom) for block in _blocks(clips)]
    return element(
        "svg", *drawn, viewBox=f"0 0 {number(_WIDTH)} {number(height)}", role="img", class_="weather"
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Scale:
    """From seconds to places in the drawing."""

    begin: float
    end: float

    def __call__(self, seconds: float) -> float:
        length = self.end - self.begin
        share = (seconds - self.begin) / length if length > 0 else float(seconds > self.begin)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def ticks(self) -> list[float]:
        """Round times within the file."""
        length = self.end - self.begin
        if length <= 0:
            return [self.begin]
        step = next((step for step in _TICKS if length / step <= _MOST_TICKS), 0.0)
        step = step or _TICKS[-1] * math.ceil(length / _TICKS[-1] / _MOST_TICKS)
        first = math.ceil(self.begin / step - 1e-6)
        last = math.floor(self.end / step + 1e-6)
        return [index * step for index in range(first, last + 1)] or [self.begin]


@dataclass(frozen=True, slots=True)
class _Block:
    """A stretch of the band: one label, and what is said about it."""

    label: str
    start: float
    stop: float
    said: str


def _blocks(clips: Sequence[ClipReport]) -> Iterator[_Block]:
    """Runs of clips that are treated alike; of very many, what covers most of each place."""
    runs = runs_of(clips)
    if len(runs) <= MOST_STEPS:
        for run in runs:
            said = f"{run.label}, {quantity(len(run.clips), 'clip')}, {run.clips[0].reason}"
            yield _Block(run.label, run.start, run.stop, said)
        return
    begin, end = clips[0].start_seconds, clips[-1].stop_seconds
    step = (end - begin) / MOST_STEPS
    for label, cells in groupby(enumerate(cells_of(clips, MOST_STEPS)), key=lambda cell: cell[1]):
        places = [place for place, _ in cells]
        if label:
            yield _Block(label, begin + places[0] * step, begin + (places[-1] + 1) * step, f"mostly {label}")


def _block(block: _Block, scale: _Scale, top: float) -> Markup:
    left, right = scale(block.start), scale(block.stop)
    if right <= left:  # a picture without a duration
        left, right = _LEFT, _WIDTH - _RIGHT
    parts = block.label.split("+")
    share = _BAND / len(parts)
    boxes = [
        element("rect", x=left, y=top + row * share, width=right - left, height=share, fill=COLORS[part])
        for row, part in enumerate(parts)
    ]
    fits = right - left > 8 * len(block.label) + 8
    word = (
        element("text", block.label, x=(left + right) / 2, y=top + _BAND / 2, class_="inside")
        if fits
        else NOTHING
    )
    said = element("title", f"{clock(block.start)} to {clock(block.stop)}: {block.said}")
    return element("g", said, *boxes, word, class_="block")


def _lane(name: str, steps: Sequence[Step], scale: _Scale, top: float) -> Markup:
    """Probability 0 at the bottom of the lane, 1 at its top."""
    base = top + _LANE
    path: list[str] = []
    open_ = False
    for step in steps:
        if not open_:
            path.append(f"M{number(scale(step.start))} {number(base)}")
        height = number(base - _LANE * min(1.0, max(0.0, step.probabilities[name])))
        right = scale(step.stop) if step.stop > step.start else _WIDTH - _RIGHT
        path.append(f"V{height}H{number(right)}")
        open_ = not step.gap
        if step.gap:
            path.append(f"V{number(base)}Z")
    if open_:
        path.append(f"V{number(base)}Z")
    frame = element("rect", x=_LEFT, y=top, width=_WIDTH - _LEFT - _RIGHT, height=_LANE, class_="lane")
    area = element("path", d="".join(path), fill=LANES[name], class_="area")
    return joined(frame, area, _label(name, top + _LANE / 2))


def _grid(scale: _Scale, bottom: float) -> Iterator[Markup]:
    """Upright lines at the ticks, and their times under them."""
    ticks = scale.ticks()
    tenths = len(ticks) > 1 and ticks[1] - ticks[0] < 1
    for seconds in ticks:
        x = scale(seconds)
        yield element("path", d=f"M{number(x)} 0V{number(bottom + 5)}", class_="grid")
        yield element("text", clock(seconds, tenths=tenths), x=x, y=bottom + 17, class_="tick")


def _label(text: str, y: float) -> Markup:
    return element("text", text, x=_LEFT - 8, y=y, class_="name")


def _description(clips: Sequence[ClipReport]) -> str:
    """The drawing in words: what was done, one stretch after the other."""
    runs = runs_of(clips)
    told = [f"{clock(run.start)} to {clock(run.stop)} {run.label}" for run in runs[:20]]
    more = f", and {len(runs) - 20} more stretches" if len(runs) > 20 else ""
    return f"{quantity(len(clips), 'clip')}: {', '.join(told)}{more}."
