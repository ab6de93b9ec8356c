"""Charts."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from training.plots import HEIGHT, LEFT, RIGHT, WIDTH, Chart, Series, factors, svg, ticks

NUMBERS = st.floats(-1e6, 1e6)


def circles(text: str) -> list[tuple[float, float]]:
    """Centres of all points."""
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.-]+)" cy="([\d.-]+)"', text)]


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=9), st.booleans(), st.booleans())
def test_any_points(points: list[tuple[float, float]], log: bool, named: bool) -> None:
    """Whatever is drawn can be read as XML, and lies within the frame."""
    names = [str(n) for n in range(len(points))] if named else ()
    placed = [(float(n), y) for n, (_, y) in enumerate(points)] if named else sorted(points)
    chart = Chart("a < b", "x", "y", [Series("one & two", placed), Series("none", [])], names, log=log)

    text = svg(chart)

    assert "a < b" in ET.fromstring(text).itertext().__next__()  # noqa: S314 - we wrote it
    found = circles(text)
    assert len(found) == len(points)
    for x, y in found:
        assert LEFT - 13 <= x <= WIDTH - RIGHT + 13
        assert 0 <= y <= HEIGHT


def test_higher_is_higher() -> None:
    """Larger values lie higher and further to the right."""
    (a, b) = circles(svg(Chart("", "", "", [Series("s", [(0, 1), (1, 10)])])))

    assert a[0] < b[0]
    assert a[1] > b[1]


def test_what_is_not_a_number_is_left_out() -> None:
    """A training that broke has no point there, and the others keep theirs."""
    assert (
        len(circles(svg(Chart("", "", "", [Series("s", [(0, 1), (1, math.nan), (2, math.inf), (3, 2)])]))))
        == 2
    )


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5))
def test_ticks(low: float, length: float) -> None:
    """Some, not too many, inside, in order."""
    found = ticks(low, low + length)

    assert 1 <= len(found) <= 7
    assert found == sorted(set(found))
    assert all(low - 1e-6 * length <= x <= low + length + 1e-6 * length for x in found)


def test_factors() -> None:
    """Round numbers by their logarithms."""
    assert factors(-2, 0) == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert factors(-4, 0) == [0.0001, 0.001, 0.01, 0.1, 1.0]
    assert len(factors(-30, 30)) <= 7
