"""What was seen and what is done about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.weather import SEVERITY_UNITS, Decision, Weather, WeatherEstimate

RAIN, HAZE, DROPS, NOISE = Weather


@given(st.tuples(*[st.floats(0, 1)] * 4), st.floats(0, 1))
def test_clean_is_the_absence_of_all(weathers: tuple[float, ...], unknown: float) -> None:
    """P(clean) = product of 1 - p over the weathers and the unknown."""
    estimate = WeatherEstimate(dict(zip(Weather, weathers, strict=True)), unknown)
    a, b, c, d = weathers

    assert estimate.clean == pytest.approx((1 - a) * (1 - b) * (1 - c) * (1 - d) * (1 - unknown))
    named = estimate.probabilities
    assert list(named) == ["rain", "haze", "raindrop", "noise", "clean", "unknown"]
    assert named["raindrop"] == c
    assert all(type(name) is str for name in named)


@pytest.mark.parametrize(
    ("decision", "bypass", "label"),
    [
        (Decision(), True, "none"),
        (Decision((RAIN,)), False, "rain"),
        (Decision((RAIN, HAZE)), False, "rain+haze"),
        (Decision((RAIN,), strength=0.0), True, "rain"),
        (Decision((), strength=1.5), True, "none"),
    ],
)
def test_decision(decision: Decision, bypass: bool, label: str) -> None:
    """No branch, or none of its strength, leaves the frames alone."""
    assert decision.bypass == bypass
    assert decision.label == label


def test_units() -> None:
    """Every severity is a physical quantity that says what it is."""
    assert set(SEVERITY_UNITS) == set(Weather)
