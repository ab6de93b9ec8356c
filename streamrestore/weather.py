"""What was seen and what is done about it. Data only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Weather(StrEnum):
    """The damages that have a branch of their own, in the order of the networks' outputs."""

    RAIN = "rain"
    HAZE = "haze"
    RAINDROP = "raindrop"
    NOISE = "noise"


SEVERITY_UNITS: Mapping[Weather, str] = {
    Weather.RAIN: "mean light added by streaks, 0 to 1",
    Weather.HAZE: "1 - mean transmission",
    Weather.RAINDROP: "share of the picture covered by drops",
    Weather.NOISE: "standard deviation on the 8-bit scale",
}

Reason = Literal["classified", "clean", "unsure", "forced", "plan", "overload", "hdr", "mask"]


@dataclass(frozen=True, slots=True)
class WeatherEstimate:
    """What the router saw in a clip.

    Attributes:
        weathers: probability of each weather; several may be present at once.
        unknown: probability of a damage that has no branch (snow, blur, coding, night glare).
        severity: of each weather, in the unit of `SEVERITY_UNITS`.
    """

    weathers: Mapping[Weather, float]
    unknown: float = 0.0
    severity: Mapping[Weather, float] = field(default_factory=dict)

    @property
    def clean(self) -> float:
        """P(clean): none of the weathers, nor anything unknown."""
        return math.prod(1.0 - p for p in self.weathers.values()) * (1.0 - self.unknown)

    @property
    def probabilities(self) -> dict[str, float]:
        """Every probability by name, "clean" and "unknown" included."""
        named = {str(weather): p for weather, p in self.weathers.items()}
        return named | {"clean": self.clean, "unknown": self.unknown}


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with a clip.

    Attributes:
        branches: in order of application; empty means bypass.
        strength: factor of the residual, 0 to 1.5.
        reason: why.
        estimate: what it follows from, if anything was classified.
    """

    branches: tuple[Weather, ...] = ()
    strength: float = 1.0
    reason: Reason = "clean"
    estimate: WeatherEstimate | None = None

    @property
    def bypass(self) -> bool:
        """True if the frames stay as they are."""
        return not self.branches or self.strength == 0

    @property
    def label(self) -> str:
        """Short name: ``none``, ``rain``, ``rain+haze``."""
        return "+".join(self.branches) or "none"
