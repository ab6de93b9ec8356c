"""Restorers whose networks are small and random, and whose router is told what to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from streamrestore.engine import Restorer, load_restorer
from streamrestore.networks.routernet import RouterNet, RouterNetConfig
from streamrestore.route.router import Router
from streamrestore.route.views import Views
from streamrestore.weather import Weather, WeatherEstimate
from streamrestore.weights import store
from tests.networks.nets import lively, small_addunet, small_expertnet, small_hazenet

RAIN, HAZE, DROPS, NOISE = Weather
TABLE = {w: [(0.0, 6.0)] for w in Weather}
INDEX = store.Index(
    {"fast": {"rain": "weather", "haze": "haze", "raindrop": "weather", "noise": "noise"}, "bare": {}},
    "router",
    {},
)


class ByBrightness(Router):
    """A router that is told what to see by how bright a picture is."""

    def estimate(self, views: Sequence[Views]) -> WeatherEstimate:
        """Dark is clean, then rain, then rain and haze, then haze; white is snow."""
        level = float(views[-1].thumbnail.mean())
        return WeatherEstimate(
            {RAIN: float(0.2 < level < 0.6), HAZE: float(0.4 < level < 0.8), DROPS: 0.0, NOISE: 0.0},
            float(level > 0.8),
            dict.fromkeys(Weather, 0.5),
        )


CLEAN_LEVEL, RAIN_LEVEL, BOTH_LEVEL, HAZE_LEVEL, SNOW_LEVEL = 0.1, 0.3, 0.5, 0.7, 0.9


def without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let restorers be made that read no files."""
    monkeypatch.setattr(store, "read_index", lambda: INDEX)
    monkeypatch.setattr(Restorer, "gains", TABLE)


def small_restorer(**arguments: Any) -> Restorer:
    """One of those; `without_weights` comes first."""
    restorer = load_restorer(device="cpu", precision="fp32", **arguments)
    restorer._networks = {"weather": small_expertnet(), "haze": small_hazenet(), "noise": small_addunet()}
    shape = RouterNetConfig(thumbnail=16, crop=16, crops=2, widths=(4, 4, 4))
    restorer._router = ByBrightness(lively(RouterNet(shape)))
    return restorer
