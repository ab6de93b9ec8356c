"""What a training run is: one YAML file, checked on reading."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from streamrestore.settings import Settings, read_settings


class TaskConfig(Settings, frozen=True):
    """One branch's diet."""

    share: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    """Of the steps, relative to the other tasks'."""
    batch: int = 16
    crop: int = 128
    """Side of the square pictures, pixels; a multiple of the network's."""
    whole: bool = False
    """Crops are a third of a picture up to all of it, resized, for branches that look at whole pictures."""
    turn: bool = False
    """Quarter turns and upside-down flips (where gravity does not matter)."""
    coded: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.25
    """Share of samples that are compressed after the damage, as stored footage is."""
    identity: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.07
    """Share of samples made from clean pictures that stay clean."""
    eps: Annotated[float, msgspec.Meta(gt=0)] = 0.02
    """Of the loss: errors below it count squared."""
    pairs: dict[str, float] = {}
    """Folders of real pairs, and the share of samples taken from each.

    A folder is one of ours, or ``layout:folder`` (`training.layouts`).
    """
    lights: dict[str, float] = {}
    """Folders of real pairs whose added light is laid over other clean pictures, likewise (rain)."""
    depth: dict[str, float] = {}
    """Folders of RGB with depth, likewise (haze)."""


class TrainConfig(Settings, frozen=True, kw_only=True):
    """One network's training."""

    name: str
    network: str
    """Key of the registry."""
    shape: dict[str, Any] = {}
    """Fields of the network's config that differ from the defaults."""
    tasks: dict[str, TaskConfig]
    clean: list[str]
    """Folders of clean pictures under the data directory."""
    videos: list[str] = []
    """Folders of clean videos, for networks that see the past."""
    seed: int = 0
    minutes: float = 60.0
    """Time budget over all resumed runs; the rate falls to zero at its end."""
    peak_rate: float = 1.5e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    ema: float = 0.999
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    start_from: str = ""
    """Weights (safetensors) to start from instead of random ones."""


def read_config(path: Path) -> TrainConfig:
    """Read a run's YAML.

    Raises:
        UsageError: unknown keys or bad values.
    """
    return read_settings(TrainConfig, yaml.safe_load(path.read_text()))
