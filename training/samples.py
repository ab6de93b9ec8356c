"""Batches of damaged and clean pictures: batch k follows from the seed and k alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training import degrade, layouts
from training.config import TaskConfig, TrainConfig
from training.data import DepthPicture, Pair, Picture, Place, Read, read_picture, read_videos, unit
from training.motion import Motion, draw_motion
from training.shards import open_data

Floats = npt.NDArray[np.float32]

ALONE = 0.3
"""Share of samples without a past: all frames are the present one, as in a picture or after a cut."""
VIDEOS = 0.4
"""Share of clean clips that are videos, where there are any; the others are pictures that move."""
CUTS = 0.05
"""Share of moving pictures whose past is another scene: a stream learns of a cut some frames late."""
RATE = 25.0
"""Frames per second of clips."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips, and what a network should make of them.

    Attributes:
        tasks: of each.
        degraded: (N, T, 3, S, S) RGB, nominally in [0, 1]; the present frame first, then the past. Of grey
            pictures (N, T, 1, S, S).
        target: (N, 3, S, S), the present frame without the task's weather.
        labels: (N,), for classifiers: the place of the task in the configuration, or a set's own labels.
    """

    tasks: tuple[str, ...]
    degraded: Tensor
    target: Tensor
    labels: Tensor

    @property
    def task(self) -> str:
        """The task of all, or ``mixed``."""
        return self.tasks[0] if len(set(self.tasks)) == 1 else "mixed"

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        degraded, target, labels = (x.to(device) for x in (self.degraded, self.target, self.labels))
        return Batch(self.tasks, degraded, target, labels)


@dataclass(frozen=True, slots=True)
class View:
    """Which part of a picture is cut, and how it is turned."""

    top: int
    left: int
    height: int
    width: int
    turns: int
    mirror: bool

    def cut(self, picture: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
        """The part as a square of `side` pixels, (S, S, ...)."""
        part = picture[self.top : self.top + self.height, self.left : self.left + self.width]
        if part.shape[:2] != (side, side):
            small = min(part.shape[:2]) < side
            part = cv2.resize(part, (side, side), interpolation=cv2.INTER_LINEAR if small else cv2.INTER_AREA)
        part = np.rot90(part, self.turns)
        return np.ascontiguousarray(part[:, ::-1] if self.mirror else part)


def draw_view(rng: np.random.Generator, size: tuple[int, int], task: TaskConfig) -> View:
    """A random part of a picture of `size` (height, width)."""
    height, width = size
    if task.whole:
        zoom = rng.uniform(0.5, 1.0)  # cameras see much or little of a street
        cut = tuple(int(zoom * rng.uniform(0.85, 1.0) * side) for side in size)
    else:
        # Mostly native pixels; sometimes shrunken ones, whose edges are sharper than any camera's.
        scale = 1.0 if task.plain or rng.random() < 0.7 else rng.uniform(1.0, 2.0)
        cut = (int(task.crop * scale), int(task.crop * scale))
    h, w = min(height, cut[0]), min(width, cut[1])
    return View(
        int(rng.integers(height - h + 1)),
        int(rng.integers(width - w + 1)),
        h,
        w,
        int(rng.integers(4)) if task.turn else 0,
        bool(rng.random() < 0.5),
    )


class Samples(Dataset[Batch]):
    """Every batch of a run.

    Args:
        config: the run.
        data: folder with the folders that the config names, or with a pack of them.
        read: how a file becomes a picture.
    """

    def __init__(self, config: TrainConfig, data: Path, read: Read = read_picture) -> None:
        self.config = config
        self.classes = len(config.tasks)
        self.frames = 1 + int(config.shape.get("temporal_radius", 0))
        self.grey = config.shape.get("channels") == 1
        if self.grey:
            read = grey_of(read)
        place = open_data(data)
        self.videos = [clip for name in config.videos for clip in read_videos(place / name, "train")]
        self.clean = [p for name in config.clean for p in layouts.clean(place, name, "train", read)]
        folders = {name for task in config.tasks.values() for name in task.pairs}
        self.pairs = {name: list(layouts.pairs(place, name, "train", read)) for name in sorted(folders)}
        folders = {name for task in config.tasks.values() for name in task.depth}
        self.depth = {name: list(layouts.depth(place, name, "train")) for name in sorted(folders)}
        folders = {name for task in config.tasks.values() for name in task.lights}
        self.lights = {
            name: [
                added_light(pair)
                for pair in layouts.pairs(place, name, "train", read)
                if not overexposed(pair)
            ]
            for name in sorted(folders)
        }
        shares = np.array([task.share for task in config.tasks.values()])
        self.shares = shares / shares.sum()

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.config.seed, step])
        known = list(self.config.tasks)
        if self.config.mixed:
            size = self.config.tasks[known[0]].batch
            names = [str(name) for name in rng.choice(known, size, p=self.shares)]
        else:
            name = str(rng.choice(known, p=self.shares))
            names = [name] * self.config.tasks[name].batch
        made = [self.sample(rng, name, self.config.tasks[name]) for name in names]
        degraded, target = (torch.stack(tensors) for tensors in zip(*made, strict=True))
        if self.grey:
            degraded, target = degraded[:, :, :1], target[:, :, :1]
        labels = torch.tensor([known.index(name) for name in names])
        return Batch(tuple(names), degraded, target[:, 0], labels)

    def sample(self, rng: np.random.Generator, name: str, task: TaskConfig) -> tuple[Tensor, Tensor]:
        """A damaged clip (T, 3, S, S), present first, and its clean frame (1, 3, S, S)."""
        kind, folder = _source(rng, task)
        if kind == "pairs":
            degraded, target = self._from_pair(rng, self.pairs[folder], task)
        elif kind == "depth":
            degraded, target = self._from_depth(rng, name, self.depth[folder], task)
        else:
            clip = self._clip(rng, task)
            clean = to_tensor(unit(clip) if task.plain else brighten(rng, clip))
            if kind == "lights":
                degraded, target = self._under_light(rng, clean, self.lights[folder], task)
            else:
                degraded, target = _apply(clean, draw_recipe(rng, name, task), rng)
        degraded = degraded.flip(0)
        return degraded if len(degraded) > 1 else degraded.expand(self.frames, -1, -1, -1), target[-1:]

    def _clip(self, rng: np.random.Generator, task: TaskConfig) -> npt.NDArray[np.uint8]:
        """Clean frames in the order of time, (T, S, S, 3); T is 1 for those without a past."""
        count = self.frames if self.frames > 1 and rng.random() >= ALONE else 1
        if count > 1 and self.videos and rng.random() < VIDEOS:
            video = self.videos[int(rng.integers(len(self.videos)))]
            view = draw_view(rng, video.shape[1:3], task)
            first = int(rng.integers(len(video) - count + 1))
            return np.stack([view.cut(frame, task.crop) for frame in video[first : first + count]])
        now = self._picture(rng, task)
        if count > 1 and rng.random() < CUTS:
            other = self._picture(rng, task)
            return np.stack([other] * (count - 1) + [now])
        motion = draw_motion(rng) if count > 1 else Motion()
        return np.stack([motion.before(now, count - 1 - k) for k in range(count)])

    def _picture(self, rng: np.random.Generator, task: TaskConfig) -> npt.NDArray[np.uint8]:
        picture = self.clean[int(rng.integers(len(self.clean)))]
        return draw_view(rng, picture.shape[:2], task).cut(picture, task.crop)

    def _from_pair(
        self, rng: np.random.Generator, pairs: list[Pair], task: TaskConfig
    ) -> tuple[Tensor, Tensor]:
        pair = pairs[int(rng.integers(len(pairs)))]
        view = draw_view(rng, pair.target.shape[:2], task)
        degraded, target = view.cut(pair.degraded, task.crop), view.cut(pair.target, task.crop)
        gain = np.float32(1.0) if task.plain else exposure(rng)
        return to_tensor(unit(degraded) * gain), to_tensor(unit(target) * gain)

    def _under_light(
        self, rng: np.random.Generator, clean: Tensor, lights: list[Picture], task: TaskConfig
    ) -> tuple[Tensor, Tensor]:
        chosen = lights[int(rng.integers(len(lights)))]
        views = [draw_view(rng, chosen.shape[:2], task) for _ in clean]
        cuts = np.stack([unit(view.cut(chosen, task.crop)) for view in views])  # other streaks in each frame
        light = float(rng.uniform(0.7, 1.3)) * torch.from_numpy(cuts)[:, None]
        coded = degrade.Recipe("rain", codec=degrade.codec.draw(rng) if rng.random() < task.coded else None)
        degraded, _ = _apply((clean + light).clamp(max=1.0), coded, rng)
        return degraded, _apply(clean, coded, rng)[1]

    def _from_depth(
        self, rng: np.random.Generator, name: str, pictures: list[DepthPicture], task: TaskConfig
    ) -> tuple[Tensor, Tensor]:
        chosen = pictures[int(rng.integers(len(pictures)))]
        view = draw_view(rng, chosen.picture.shape[:2], task)
        cut = view.cut(chosen.picture, task.crop)
        clean = unit(cut) if task.plain else brighten(rng, cut)
        depth = torch.from_numpy(view.cut(chosen.inverse_depth, task.crop))
        return _apply(to_tensor(clean), draw_recipe(rng, name, task), rng, depth)


def _source(rng: np.random.Generator, task: TaskConfig) -> tuple[str, str]:
    """Where a sample comes from: ``pairs``, ``depth`` or ``lights`` and a folder, or ``made``."""
    place = rng.random()
    for kind in ("pairs", "depth", "lights"):
        for folder, share in getattr(task, kind).items():
            if place < share:
                return kind, folder
            place -= share
    return "made", ""


def draw_recipe(rng: np.random.Generator, name: str, task: TaskConfig) -> degrade.Recipe:
    """What happens to a clean clip of a task."""
    if task.sigma is None:
        return degrade.draw_recipe(rng, name, identity=task.identity, coded=task.coded)
    white = replace(degrade.noise.draw(rng, "awgn"), sigma=float(rng.uniform(*task.sigma)))
    return degrade.Recipe(name, noise=white)


def _apply(
    clean: Tensor, recipe: degrade.Recipe, rng: np.random.Generator, depth: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Frames in the order of time, damaged, and their targets."""
    times = [frame / RATE for frame in range(len(clean))]
    sample = degrade.apply_recipe(clean, recipe, rng, times, depth)
    return sample.frames, sample.target


def added_light(pair: Pair) -> Picture:
    """What a pair's damaged picture has more than the clean one, (H, W) uint8.

    The most of the three colours: streaks are grey, and where one colour is full another is not.
    """
    added = pair.degraded.astype(np.int16) - pair.target
    return np.asarray(added.max(axis=2).clip(0, 255), dtype=np.uint8)


def overexposed(pair: Pair) -> bool:
    """Whether much of the damaged picture is white, where the added light cannot be told."""
    return float(np.mean(pair.degraded.min(axis=2) >= 253)) > 0.03


def exposure(rng: np.random.Generator) -> Floats:
    """Factors of the three colours for both sides of a pair: 1 half of the time, and never above."""
    darker = np.exp(rng.uniform(-0.5, 0.0)) * np.exp(rng.uniform(-0.06, 0.0, 3))
    return np.asarray(darker if rng.random() < 0.5 else np.ones(3), dtype=np.float32)


def brighten(rng: np.random.Generator, picture: Picture) -> Floats:
    """[0, 1], half of the time with another exposure and white balance, so that dusk is met, too."""
    clean = unit(picture)
    if rng.random() < 0.5:
        gain = np.exp(rng.uniform(-0.7, 0.15)) * np.exp(rng.uniform(-0.08, 0.08, 3))
        clean = np.minimum(clean * gain.astype(np.float32), 1.0) ** np.float32(np.exp(rng.uniform(-0.2, 0.2)))
    return clean


def grey_of(read: Read) -> Read:
    """Reads pictures as `read` does, but all three colours have their luma."""

    def grey(path: Place) -> Picture:
        return np.repeat(cv2.cvtColor(read(path), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)

    return grey


def to_tensor(pictures: Floats) -> Tensor:
    """A picture (H, W, 3), or (T, H, W, 3) -> (T, 3, H, W)."""
    frames = pictures[None] if pictures.ndim == 3 else pictures
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))


def batches(samples: Dataset[Batch], start: int, workers: int) -> Iterator[Batch]:
    """Batches from number `start` on, for ever; made in `workers` processes, or in this one if 0."""
    steps = range(start, 2**40)
    if workers == 0:
        return (samples[step] for step in steps)
    return iter(DataLoader(samples, batch_size=None, sampler=steps, num_workers=workers, prefetch_factor=4))
