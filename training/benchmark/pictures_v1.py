"""Short synthesised clips for the router, and white noise on pictures, version 1. Frozen on 2026-11-21.

A camera that drifts a little over a still picture gives five frames at the picture's own scale; clips_v1 lets
weather come over them. Never trained on.

Six groups take turns, so that their shares are equal: *clean*, *rain*, *haze*, *raindrop*, *noise*, and
*mixed*, which has two weathers at once, all six pairs in turn, in the order in which they happen: in the air,
on the glass, in the sensor. 240 clips are 200 with at most one weather, 40 of each group, which a router's
accuracy counts, and 40 mixed ones, reported apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from training.benchmark.clips_v1 import WEATHERS, Picture, Weather, degrade_clip

VERSION = "pictures-v1"
FRAMES, FPS = 5, 25.0
GROUPS = ("clean", *WEATHERS, "mixed")

_ORDER: tuple[Weather, ...] = ("haze", "rain", "raindrop", "noise")
_MIXED = tuple(combinations(_ORDER, 2))


class RouterClip(NamedTuple):
    """One clip and what is to be seen in it."""

    frames: list[Picture]
    """`FRAMES` pictures (H, W, 3) RGB at `FPS`, a tenth smaller than the picture they come from."""
    labels: tuple[Weather, ...]
    """None for a clean clip, one, or two for a mixed one."""
    severity: dict[Weather, float]
    """Of each weather, in clips_v1's units; 0 where it is absent."""

    @property
    def group(self) -> str:
        """One of `GROUPS`."""
        return "mixed" if len(self.labels) > 1 else (*self.labels, "clean")[0]


def router_clips(pictures: Sequence[Picture], count: int, seed: int) -> Iterator[RouterClip]:
    """Clips with known weather from clean still pictures.

    Args:
        pictures: (H, W, 3) RGB each; all are used equally often, in another order in each round.
        count: number of clips; a multiple of 6 has equal groups, one of 36 equal pairs in the mixed one, too.
        seed: of the order and of the cameras; clip k's weather has the index 100000 * seed + k.
    """
    order: list[int] = []
    for number in range(count):
        rng = np.random.default_rng([3, seed, number])
        if not order:
            order = list(rng.permutation(len(pictures)))
        frames = pan(pictures[order.pop()], rng)
        turn, group = divmod(number, len(GROUPS))
        labels = ((), *((weather,) for weather in WEATHERS), _MIXED[turn % len(_MIXED)])[group]
        severity: dict[Weather, float] = dict.fromkeys(WEATHERS, 0.0)
        for weather in labels:
            frames, severity[weather] = degrade_clip(frames, weather, 100_000 * seed + number, FPS)
        yield RouterClip(frames, labels, severity)


def pan(picture: Picture, rng: np.random.Generator) -> list[Picture]:
    """Frames of a camera over a still picture: one in four stands still, the others drift, shake and zoom."""
    height, width = picture.shape[:2]
    size = (width - width // 10, height - height // 10)
    room = np.array([width // 10, height // 10]) // 2
    moves = float(rng.random() < 0.75)
    start, drift = rng.uniform(-0.5, 0.5, 2) * room, rng.uniform(-0.1, 0.1, 2) * room * moves
    zoom, shake = rng.uniform(-0.002, 0.002) * moves, rng.normal(0, 0.3, (FRAMES, 2)) * moves
    frames = []
    for time in range(FRAMES):
        factor = 1 + zoom * time
        shift = room + np.rint(start) + drift * time + shake[time]
        middle = np.array(size) / 2 * (1 - factor)
        view = np.array([[factor, 0, shift[0] + middle[0]], [0, factor, shift[1] + middle[1]]])
        flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(picture, view, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        frames.append(np.asarray(seen, np.uint8))
    return frames


def awgn(picture: Picture, sigma: float, index: int) -> npt.NDArray[np.float32]:
    """White noise as METHOD section 5 has it: added in floating point, neither clipped nor rounded.

    Args:
        picture: (H, W, 3) RGB.
        sigma: standard deviation on the 8-bit scale.
        index: of the picture in its sorted folder; the seed is [0, index].

    Returns:
        (H, W, 3), nominally in [0, 1].
    """
    noise = np.random.default_rng([0, index]).standard_normal(picture.shape)
    return (picture / 255.0 + noise * sigma / 255).astype(np.float32)
