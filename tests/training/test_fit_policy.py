"""Thresholds follow from what decisions truly gain."""

from __future__ import annotations

import pytest

from streamrestore.settings import PolicySettings, WrongBranchSettings
from streamrestore.weather import Weather, WeatherEstimate
from training.fit_policy import Trial, losses, scaled, score

TABLE = {weather: [(0.0, 4.0), (1.0, 4.0)] for weather in Weather}


def trial(kind: str, probability: float, gain: float) -> Trial:
    """The router believes in rain; rain's branch gains `gain`."""
    estimate = WeatherEstimate(
        weathers={w: probability if w == Weather.RAIN else 0.0 for w in Weather},
        unknown=0.0,
        severity=dict.fromkeys(Weather, 0.5),
    )
    return Trial(kind, estimate, {w: gain if w == Weather.RAIN else -9.0 for w in Weather})


def all_cost(cost: float) -> WrongBranchSettings:
    """Every branch the same."""
    return WrongBranchSettings(rain=cost, haze=cost, raindrop=cost, noise=cost)


def test_losses() -> None:
    """Means over what is not a branch's own weather; a branch that gains there loses nothing."""
    found = [trial("rain", 0.9, 6.0), trial("haze", 0.1, -2.0), trial("clean", 0.0, -4.0)]

    measured = losses(found)

    assert (measured.rain, measured.haze, measured.noise) == (3.0, 9.0, 9.0)
    kinds = [trial("haze", 0.1, 2.0), trial("rain", 0.1, 2.0)]
    assert losses(kinds).rain == 0.0
    assert scaled(measured, 1.5).rain == 4.5


def test_score() -> None:
    """Mean gain of the decisions, clean pictures that were touched, damaged ones that went right."""
    found = [
        trial("rain", 0.9, 6.0),
        trial("rain", 0.3, 2.0),
        trial("clean", 0.3, -8.0),
        trial("clean", 0.0, -8.0),
    ]

    bold, shy = (
        score(found, PolicySettings(min_gain_db=0.1, wrong_branch_db=all_cost(cost)), TABLE)
        for cost in (0.0, 4.0)
    )

    assert (bold.touched, bold.right) == (0.5, 1.0)
    assert bold.gain == pytest.approx((6 + 2 - 8) / 4)
    assert (shy.touched, shy.right) == (0.0, 0.5)
    assert shy.gain == pytest.approx(6 / 4)
