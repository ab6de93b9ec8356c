"""Weather and camera damage for training: each module has `draw`, `apply` and a frozen params dataclass."""

from __future__ import annotations

from . import codec, distract, haze, noise, rain, raindrop
from ._streaks import StreakLayer
from .codec import CodecParams
from .distract import DistractParams
from .haze import HazeParams
from .mix import LABELS, VISIBLE, WEATHERS, Recipe, Sample, apply_recipe, draw_recipe
from .noise import NoiseParams
from .rain import RainParams
from .raindrop import RaindropParams

__all__ = [
    "LABELS",
    "VISIBLE",
    "WEATHERS",
    "CodecParams",
    "DistractParams",
    "HazeParams",
    "NoiseParams",
    "RainParams",
    "RaindropParams",
    "Recipe",
    "Sample",
    "StreakLayer",
    "apply_recipe",
    "codec",
    "distract",
    "draw_recipe",
    "haze",
    "noise",
    "rain",
    "raindrop",
]
