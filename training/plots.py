"""Small charts as SVG files: curves over numbers, or points over names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streamrestore.render.markup import NOTHING, Markup, element, number

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933")
"""Told apart by everybody (Okabe and Ito), in turn."""
WIDTH, HEIGHT = 640.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 80.0, 16.0, 34.0, 46.0
LINE = 15.0
MOST_TICKS = 7


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Attributes:
        points: (x, y), in the order of x. In a chart over names x is the name's place.
        spread: half of the length of a bar at each point; none if there is nothing to spread.
        mark: an x that is told apart by an upright line.
    """

    name: str
    points: Sequence[tuple[float, float]]
    spread: Sequence[float] = ()
    mark: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """What a chart shows.

    Attributes:
        names: of the places 0, 1, 2, .. along x; nothing if x are numbers.
        log: whether y goes by factors of ten.
    """

    title: str
    x: str
    y: str
    series: Sequence[Series]
    names: Sequence[str] = ()
    log: bool = False


def svg(chart: Chart) -> str:
    """The chart as a file."""
    legend = HEIGHT + LINE * len(chart.series)
    axes = _Axes.around(chart)
    drawn = [
        element("title", chart.title),
        element("rect", width=WIDTH, height=legend + 8, fill="#ffffff"),
        _text(chart.title, WIDTH / 2, 20, "middle", font_size=14.0),
        *_grid(chart, axes),
        _text(chart.x, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle"),
        element(
            "text", chart.y, x=0, y=0, text_anchor="middle", font_size=12,
            transform=f"translate(16 {number((TOP + HEIGHT - BOTTOM) / 2)}) rotate(-90)",
        ),
    ]  # fmt: skip
    for place, series in enumerate(chart.series):
        color = COLORS[place % len(COLORS)]
        shift = axes.apart(chart) * (place - (len(chart.series) - 1) / 2)
        drawn.append(_curve(series, axes, color, shift, line=not chart.names))
        y = HEIGHT + LINE * place
        drawn += [
            element("rect", x=LEFT, y=y - 1, width=14, height=5, fill=color),
            _text(series.name, LEFT + 20, y + 5, "start"),
        ]
    return element(
        "svg", *drawn, xmlns="http://www.w3.org/2000/svg", font_family="sans-serif",
        viewBox=f"0 0 {number(WIDTH)} {number(legend + 8)}", role="img",
    ) + "\n"  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Axes:
    """From values to places in the drawing."""

    left: float
    right: float
    low: float
    high: float
    log: bool

    @classmethod
    def around(cls, chart: Chart) -> _Axes:
        """All points, with some room above and below."""
        spread = [(s, p, b) for s in chart.series for p, b in _barred(s)]
        xs = [x for _, (x, _), _ in spread] + [s.mark for s in chart.series if s.mark is not None]
        ys = [y + sign * bar for _, (_, y), bar in spread for sign in (-1, 1) if math.isfinite(y)]
        if chart.log:
            ys = [math.log10(y) for y in ys if y > 0]
        low, high = (min(ys), max(ys)) if ys else (0.0, 1.0)
        room = 0.06 * (high - low) or 0.5
        left, right = (
            (-0.5, len(chart.names) - 0.5) if chart.names else (min(xs, default=0), max(xs, default=1))
        )
        return cls(left, right if right > left else left + 1, low - room, high + room, chart.log)

    def apart(self, chart: Chart) -> float:
        """Between points over the same name."""
        room = (WIDTH - LEFT - RIGHT) / max(1, len(chart.names))
        return min(24.0, 0.7 * room / len(chart.series)) if chart.names else 0.0

    def x(self, value: float) -> float:
        return LEFT + (value - self.left) / (self.right - self.left) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        if self.log:
            value = math.log10(value) if value > 0 else self.low
        return HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def _barred(series: Series) -> Iterator[tuple[tuple[float, float], float]]:
    spread = series.spread or [0.0] * len(series.points)
    yield from zip(series.points, spread, strict=True)


def ticks(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """Round numbers from `low` to `high`, `most` at most."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)][:most]


def factors(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """Round numbers with decimal logarithms from `low` to `high`; powers of ten if others are too many."""
    powers = range(math.floor(low), math.floor(high) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [float(f"{step}e{power}") for power in powers for step in steps]
        inside = [value for value in found if value > 0 and low <= math.log10(value) <= high]
        if len(inside) <= most:
            return inside
    return inside[:: -(-len(inside) // most)]


def _grid(chart: Chart, axes: _Axes) -> Iterator[Markup]:
    bottom = HEIGHT - BOTTOM
    for value in factors(axes.low, axes.high) if chart.log else ticks(axes.low, axes.high):
        y = axes.y(value)
        yield element("path", d=f"M{number(LEFT)} {number(y)}H{number(WIDTH - RIGHT)}", stroke="#dddddd")
        yield _text(f"{value:g}", LEFT - 6, y + 4, "end")
    places = enumerate(chart.names) if chart.names else ((v, f"{v:g}") for v in ticks(axes.left, axes.right))
    for value, name in places:
        x = axes.x(value)
        yield element("path", d=f"M{number(x)} {number(bottom)}v5", stroke="#888888")
        yield _text(name, x, bottom + 18, "middle")
    yield element(
        "path", d=f"M{number(LEFT)} {number(TOP)}V{number(bottom)}H{number(WIDTH - RIGHT)}",
        stroke="#888888", fill="none",
    )  # fmt: skip


def _curve(series: Series, axes: _Axes, color: str, shift: float, *, line: bool) -> Markup:
    drawn = []
    places = [(axes.x(x) + shift, axes.y(y)) for x, y in series.points if math.isfinite(y)]
    if line and len(places) > 1:
        path = "L".join(f"{number(x)} {number(y)}" for x, y in places)
        drawn.append(element("path", d=f"M{path}", stroke=color, fill="none", stroke_width=1.6))
    for (x, y), bar in _barred(series):
        if not math.isfinite(y):
            continue
        at = axes.x(x) + shift
        if bar:
            ends = f"M{number(at)} {number(axes.y(y - bar))}V{number(axes.y(y + bar))}"
            drawn.append(element("path", d=ends, stroke=color, stroke_width=1.4))
        if not line or len(places) <= 40:
            drawn.append(element("circle", cx=at, cy=axes.y(y), r=3 if not line else 2, fill=color))
    if series.mark is not None:
        dashed = f"M{number(axes.x(series.mark))} {number(TOP)}V{number(HEIGHT - BOTTOM)}"
        drawn.append(element("path", d=dashed, stroke=color, stroke_dasharray="4 4"))
    return element("g", *drawn) if drawn else NOTHING


def _text(text: str, x: float, y: float, anchor: str, font_size: float = 12.0) -> Markup:
    return element("text", text, x=x, y=y, text_anchor=anchor, font_size=font_size)
