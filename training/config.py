"""What a training run is: one YAML file, checked on reading."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from streamrestore.errors import UsageError
from streamrestore.settings import Settings, read_settings

Sigma = Annotated[float, msgspec.Meta(ge=0)]
"""Standard deviation of noise on the scale from 0 to 255."""
Weight = Annotated[float, msgspec.Meta(ge=0)]


class Charbonnier(Settings, frozen=True, tag_field="kind", tag="charbonnier"):
    """`losses.charbonnier`; eps is each task's."""


class SquaredError(Settings, frozen=True, tag_field="kind", tag="squared"):
    """Mean squared error."""


class Joint(Settings, frozen=True, tag_field="kind", tag="joint"):
    """`losses.joint`, of a network with a classifier: mean squared error and cross-entropy."""

    weight: Weight = 0.1
    """lambda, of the cross-entropy."""


class PathRouted(Settings, frozen=True, tag_field="kind", tag="uffn"):
    """`losses.uffn`, of a network with a path router; its lambdas, which the paper does not give.

    At 25 dB the three terms are about 10, 2 and (before the router has learnt) 1.
    """

    smooth: Weight = 1.0
    structure: Weight = 10.0
    path: Weight = 1.0


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
    plain: bool = False
    """Crops at the pictures' own scale and exposure, as papers take them."""
    sigma: tuple[Sigma, Sigma] | None = None
    """White noise, not clipped, of a sigma between these, in place of noise of all kinds."""
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
    objective: Charbonnier | SquaredError | Joint | PathRouted = Charbonnier()
    """What is minimised: ``kind``, and its weights."""
    tasks: dict[str, TaskConfig]
    mixed: bool = False
    """Each batch has samples of all tasks; their batch and crop are then the same."""
    labelled: Literal["", "digits"] = ""
    """Pictures with labels in place of the clean ones (`training.digits`)."""
    clean: list[str]
    """Folders of clean pictures under the data directory."""
    videos: list[str] = []
    """Folders of clean videos, for networks that see the past."""
    seed: int = 0
    minutes: float = 60.0
    """Time budget over all resumed runs; the rate falls to zero at its end."""
    steps: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Budget in steps, in place of minutes."""
    peak_rate: float = 1.5e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    ema: float = 0.999
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    start_from: str = ""
    """Weights (safetensors) to start from instead of random ones."""

    def __post_init__(self) -> None:
        if self.mixed and len({(task.batch, task.crop) for task in self.tasks.values()}) > 1:
            raise ValueError("tasks that share batches (`mixed`) must have the same batch and crop")
        if self.mixed and isinstance(self.objective, Charbonnier):
            raise ValueError("`charbonnier` has each task's eps: batches of several (`mixed`) have none")


def read_config(path: Path) -> TrainConfig:
    """Read a run's YAML.

    Raises:
        UsageError: no YAML, unknown keys or bad values.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    return read_settings(TrainConfig, values)
