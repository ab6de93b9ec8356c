"""What the router learns from: damaged pictures of every kind, real ones by weather, and clean ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from streamrestore.frames import Coding, Matrix
from streamrestore.networks.routernet import RouterNetConfig
from streamrestore.route.views import Views, views_of
from streamrestore.settings import Settings
from training import degrade, layouts
from training.data import (
    Part,
    Picture,
    list_pictures,
    read_picture,
    read_videos,
    unit,
)
from training.samples import brighten, to_tensor
from training.shards import open_data

RGB = Coding(Matrix.RGB, full=True)

ABSENT, PRESENT, UNSAID = 0.0, 1.0, -1.0
"""Labels; what nobody said is left out of the loss."""

LEAST = degrade.VISIBLE | {"haze": 0.12}
"""Severities that count. Far things are a little veiled on any day: that is no haze."""

REAL_LABELS: dict[str, dict[str, float]] = {
    "rain": {"rain": PRESENT, "haze": UNSAID, "raindrop": UNSAID, "noise": UNSAID, "unknown": UNSAID},
    "fog": {"rain": ABSENT, "haze": PRESENT, "raindrop": ABSENT, "noise": UNSAID, "unknown": UNSAID},
    "raindrop": {"rain": UNSAID, "haze": ABSENT, "raindrop": PRESENT, "noise": ABSENT, "unknown": UNSAID},
    "clear": {"rain": ABSENT, "haze": ABSENT, "raindrop": ABSENT, "noise": ABSENT, "unknown": ABSENT},
    "snow": {"rain": ABSENT, "haze": UNSAID, "raindrop": ABSENT, "noise": UNSAID, "unknown": PRESENT},
    "night": {"rain": ABSENT, "haze": ABSENT, "raindrop": ABSENT, "noise": UNSAID, "unknown": UNSAID},
    "other": {"rain": ABSENT, "haze": ABSENT, "raindrop": ABSENT, "noise": UNSAID, "unknown": UNSAID},
}
"""What a folder of real photographs says about its pictures."""


class RouterConfig(Settings, frozen=True, kw_only=True):
    """A router's training."""

    clean: list[str]
    depth: list[str] = []
    """Folders of pictures with depth, whose pictures are clean, too."""
    videos: list[str] = []
    """Folders of clean videos; the first and the last frame of each is seen."""
    real: str
    """Folder with one folder per weather."""
    pairs: dict[str, str]
    """Folders of pairs, and the weather of their inputs."""
    shape: dict[str, int] = {}
    batch: int = 24
    memory: int = 20000
    """Made samples that are kept to be learnt from again."""
    reuse: int = 3
    """Steps for each batch that is made."""
    seed: int = 0
    minutes: float = 20.0
    peak_rate: float = 1e-3
    start_from: str = ""
    """Weights (safetensors) to start from instead of random ones."""
    shares: dict[str, float] = msgspec.field(
        default_factory=lambda: {"made": 0.55, "real": 0.25, "pairs": 0.1, "clean": 0.1}
    )


@dataclass(frozen=True, slots=True)
class RouterBatch:
    """thumbnails (N, 3, S, S), crops (N, K, 3, s, s), labels (N, 5), severities (N, 4; -1: unsaid)."""

    thumbnails: Tensor
    crops: Tensor
    labels: Tensor
    severities: Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled picture."""

    views: Views
    labels: list[float]
    severities: list[float]


class RouterSamples(Dataset["RouterBatch"]):
    """Every batch of a router's training, or of its calibration (`part` = split)."""

    def __init__(
        self, config: RouterConfig, shape: RouterNetConfig, data: Path, part: Part = "train"
    ) -> None:
        self.config, self.shape = config, shape
        self.stream = 0 if part == "train" else 1
        place = open_data(data)
        self.clean = [p for name in config.clean for p in layouts.clean(place, name, part)]
        self.clean += [d.picture for name in config.depth for d in layouts.depth(place, name, part)]
        self.clean += [
            clip[i] for name in config.videos for clip in read_videos(place / name, part) for i in (0, -1)
        ]
        self.real = {
            name: [read_picture(p) for p in list_pictures(place / config.real / name, part)]
            for name in REAL_LABELS
        }
        self.pairs = {name: list(layouts.pairs(place, name, part)) for name in config.pairs}

    def __getitem__(self, step: int) -> RouterBatch:
        rng = np.random.default_rng([self.config.seed, self.stream, step])
        kinds = list(self.config.shares)
        shares = np.array([self.config.shares[k] for k in kinds])
        drawn = rng.choice(kinds, size=self.config.batch, p=shares / shares.sum())
        return collate([self.example(rng, str(kind)) for kind in drawn])

    def example(self, rng: np.random.Generator, kind: str) -> Example:
        """One picture of a kind: ``made``, ``real``, ``pairs`` or ``clean``."""
        labels = self.shape.labels
        if kind == "real":
            name = str(rng.choice([k for k, pictures in self.real.items() if pictures]))
            picture = unit(_part(rng, self.real[name][int(rng.integers(len(self.real[name])))]))
            said = REAL_LABELS[name]
            return Example(self._views(to_tensor(picture)), [said[k] for k in labels], [-1.0] * 4)
        if kind == "pairs":
            folder = str(rng.choice(list(self.pairs)))
            pair = self.pairs[folder][int(rng.integers(len(self.pairs[folder])))]
            damaged = bool(rng.random() < 0.7)
            picture = unit(pair.degraded if damaged else pair.target)
            weather = self.config.pairs[folder] if damaged else ""
            return Example(self._views(to_tensor(picture)), [float(k == weather) for k in labels], [-1.0] * 4)
        picture = brighten(rng, _part(rng, self.clean[int(rng.integers(len(self.clean)))]))
        if kind == "clean":
            recipe = degrade.Recipe(None, codec=degrade.codec.draw(rng) if rng.random() < 0.5 else None)
        else:
            recipe = degrade.draw_recipe(rng)
        sample = degrade.apply_recipe(to_tensor(picture), recipe, rng)
        severities = [float(sample.severity[k]) for k in labels[:4]]
        found = [label_of(sample.severity[k], LEAST[k]) for k in labels]
        return Example(self._views(sample.frames, int(rng.integers(3))), found, severities)

    def _views(self, frames: Tensor, look: int = 0) -> Views:
        quantised = (frames[0].clamp(0, 1) * 255).round() / 255
        return views_of(list(quantised), RGB, self.shape.thumbnail, self.shape.crop, self.shape.crops, look)


def label_of(severity: float, least: float) -> float:
    """Whether a weather is there: nobody says so between half of the least that counts and all of it."""
    if severity > least:
        return PRESENT
    return ABSENT if severity <= least / 2 else UNSAID


class Memory:
    """The last examples, as a video holds them (8 bit), to be learnt from several times.

    To make a sample costs more than a step on it.

    Args:
        size: examples that are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[RouterBatch] = []

    def add(self, batch: RouterBatch) -> bool:
        """Take a batch in, and let the oldest go; True."""
        codes = (to_codes(batch.thumbnails), to_codes(batch.crops))
        self._kept.append(RouterBatch(*codes, batch.labels, batch.severities))
        if len(self._kept) * len(batch.labels) > self._size:
            self._kept.pop(0)
        return True

    def draw(self, rng: np.random.Generator, count: int) -> RouterBatch:
        """A batch of examples of any age."""
        picks = [(self._kept[int(rng.integers(len(self._kept)))]) for _ in range(count)]
        rows = [int(rng.integers(len(b.labels))) for b in picks]

        def rows_of(name: str) -> Tensor:
            return torch.stack([getattr(b, name)[row] for b, row in zip(picks, rows, strict=True)])

        return RouterBatch(
            rows_of("thumbnails").float() / 255,
            rows_of("crops").float() / 255,
            rows_of("labels"),
            rows_of("severities"),
        )


def to_codes(pictures: Tensor) -> Tensor:
    """[0, 1] -> uint8."""
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8)


def collate(examples: list[Example]) -> RouterBatch:
    """Examples -> batch."""
    return RouterBatch(
        torch.stack([e.views.thumbnail for e in examples]),
        torch.stack([e.views.crops for e in examples]),
        torch.tensor([e.labels for e in examples]),
        torch.tensor([e.severities for e in examples]),
    )


def _part(rng: np.random.Generator, picture: Picture) -> Picture:
    """A part of no fixed size, often as seen from further away, mirrored half of the time."""
    if rng.random() < 0.5:
        picture = _further(picture, float(rng.uniform(1.0, 1.8)))
    height, width = picture.shape[:2]
    h, w = (min(side, int(rng.uniform(144, 512))) for side in (height, width))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    part = picture[top : top + h, left : left + w]
    return np.ascontiguousarray(part[:, ::-1] if rng.random() < 0.5 else part)


def _further(picture: Picture, times: float) -> Picture:
    """A picture with smaller sides, but none below 144 pixels by it."""
    height, width = picture.shape[:2]
    times = min(times, max(1.0, min(height, width) / 144))
    size = round(width / times), round(height / times)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
