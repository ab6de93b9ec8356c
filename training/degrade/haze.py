r"""Haze by Koschmieder's law (METHOD section 6).

    I = J t + A (1 - t),   t = exp(-beta d)

in linear light for half of the clips and on display-coded values, as RESIDE does it, for the other half.
Distance d comes from inverse depth where the data have it; otherwise from a plausible field: ground plane
under a horizon, upright planes, smooth noise, then a guided filter on the picture so that t follows objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from torch import Tensor

from ._arrays import (
    Array,
    check_clip,
    clip01,
    decode_gamma,
    encode_gamma,
    grey,
    smooth_field,
    to_arrays,
    to_tensor,
)


@dataclass(frozen=True, slots=True)
class HazeParams:
    """One clip's haze."""

    beta: float
    """Extinction per unit of distance, 0.6 to 1.8 as RESIDE draws it; 0 is a clear day."""
    airlight: tuple[float, float, float]
    """A for R, G, B: display-coded, 0.7 to 1.0 by day."""
    linear: bool
    """True: mix in linear light; False: on display-coded values."""
    reach: float
    """Distance of the farthest point, in units of 1 / beta."""
    nearest: float
    """Distance of the nearest point as a share of the farthest, 0 to 1."""
    drift: float
    """Relative amplitude of beta's slow swing over a clip (period about 8 s)."""
    lamps: int
    """Number of lamps whose glow makes the airlight uneven (night); 0 by day."""
    planes: int
    """Number of segments of the picture that stand upright in the made-up depth field; 0: ground only."""
    seed: int
    """Seed of everything that stays put over the clip: depth field, lamps."""


def draw(rng: np.random.Generator, *, night: bool | None = None, street: bool | None = None) -> HazeParams:
    """Draw one clip's haze; without `night`, one in twenty is a night with lamps; half are a street's.

    On a street what is near is clear, what is far is gone, and the fog is as grey as the day; in
    RESIDE's rooms the haze is white and begins at the lens.
    """
    is_night = bool(rng.random() < 0.05) if night is None else night
    is_street = bool(rng.random() < 0.5) if street is None else street
    if is_night:
        level = float(rng.uniform(0.15, 0.5))
    elif is_street:
        level = float(rng.uniform(0.5, 0.97))
    else:  # SOTS has A near 1 throughout
        level = float(rng.uniform(0.7, 1.0)) if rng.random() < 0.5 else float(rng.uniform(0.92, 1.0))
    tint = rng.normal(0.0, 0.015, 3)
    r, g, b = np.clip(level + tint, 0.0, 1.0)
    low, high = (0.8, 3.5) if is_street else (0.35, 1.5)
    nearest, farthest = (0.01, 0.12) if is_street else (0.08, 0.6)
    return HazeParams(
        beta=float(rng.uniform(0.6, 1.8)),
        airlight=(float(r), float(g), float(b)),
        linear=bool(rng.random() < 0.5),
        reach=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
        nearest=float(np.exp(rng.uniform(np.log(nearest), np.log(farthest)))),
        drift=float(rng.uniform(0.0, 0.12)),
        lamps=int(rng.integers(1, 5)) if is_night else 0,
        planes=int(rng.integers(0, 9)),
        seed=int(rng.integers(2**31)),
    )


def scale(params: HazeParams, factor: float) -> HazeParams:
    """The same haze with `factor` times the extinction; 0 is the identity."""
    return replace(params, beta=params.beta * factor)


def apply(
    clean: Tensor,
    params: HazeParams,
    rng: np.random.Generator,
    *,
    times: Sequence[float] = (0.0,),
    depth: Tensor | None = None,
    floor: float = 1.0,
) -> tuple[Tensor, float]:
    """Lay haze over a clip; beta drifts slowly, the depth field stays.

    Args:
        clean: (T, 3, H, W) float32, display-coded RGB in [0, 1].
        params: the clip's haze.
        rng: draws the phase of the drift.
        times: T times in seconds.
        depth: (H, W) inverse depth, 1 = nearest, 0 = sky; without it a field is made up.
        floor: 1 for the haze itself; below 1, what of it is left once it was removed with a gain of at
            most 1 / floor (He, Sun, Tang, TPAMI 2011, eq. 22): t becomes min(1, t / floor).

    Returns:
        The hazy clip, (T, 3, H, W) in [0, 1], and the severity: 1 - mean t, 0 to 1.
    """
    check_clip(clean, len(times))
    if depth is not None and depth.shape != clean.shape[-2:]:
        raise ValueError(f"depth is {tuple(depth.shape)} for pictures of {tuple(clean.shape[-2:])}")
    phase = float(rng.uniform(0.0, 2.0 * np.pi))
    arrays = to_arrays(clean)
    static = np.random.default_rng(params.seed)
    inverse = plausible_depth(arrays[0], params, static) if depth is None else depth.numpy()
    far = distance(inverse.astype(np.float32, copy=False), params)
    airlight = _airlight(params, far.shape, static)
    frames, veiled = [], 0.0
    for frame, time in zip(arrays, times, strict=True):
        beta = params.beta * (1.0 + params.drift * float(np.sin(2.0 * np.pi * time / 8.0 + phase)))
        transmission = np.asarray(cv2.exp(far * np.float32(-beta)), np.float32)
        if floor < 1.0:
            transmission = np.minimum(transmission / np.float32(floor), np.float32(1.0))
        frames.append(scatter(frame, transmission, airlight, linear=params.linear))
        veiled += (1.0 - float(transmission.mean())) / len(times)
    return to_tensor(frames), veiled


def scatter(clean: Array, transmission: Array, airlight: Array, *, linear: bool) -> Array:
    """I = J t + A (1 - t) for J (H, W, 3), t (H, W) and A (3,) or (H, W, 3), all display-coded."""
    t = transmission[..., None]
    if not linear:
        return clip01(clean + (airlight - clean) * (1.0 - t))
    light = decode_gamma(np.ascontiguousarray(airlight))
    light = light.reshape(airlight.shape)
    scene = decode_gamma(clean)
    return clip01(encode_gamma(scene + (light - scene) * (1.0 - t)))


def distance(inverse: Array, params: HazeParams) -> Array:
    """Inverse depth (1 nearest, 0 sky) -> distance (H, W) in [nearest, 1] times `reach`."""
    slope = 1.0 / params.nearest - 1.0
    return np.asarray(np.float32(params.reach) / (1.0 + np.float32(slope) * inverse), np.float32)


def plausible_depth(picture: Array, params: HazeParams, rng: np.random.Generator) -> Array:
    """A made-up inverse depth field (H, W) in [0, 1] whose edges follow the picture's."""
    height, width = picture.shape[:2]
    rows = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None]
    cols = np.linspace(0.0, 1.0, width, dtype=np.float32)[None, :]
    horizon = rng.uniform(-0.6, 0.9)
    tilt = rng.uniform(-0.25, 0.25)
    ground = np.maximum(rows - np.float32(horizon) + np.float32(tilt) * (cols - 0.5), 0.0)  # (H, W)
    inverse = (ground / max(1.0 - horizon, 0.5)).astype(np.float32)
    if params.planes > 1:
        inverse = _stand_up(picture, inverse, params.planes, rng)
    inverse = inverse + np.float32(rng.uniform(0.0, 0.12)) * smooth_field(rng, (height, width), 5)
    inverse = inverse + np.float32(rng.uniform(-0.15, 0.15)) * (grey(picture) - 0.5)  # bright is often far
    radius = max(2, round(float(rng.uniform(0.03, 0.1)) * max(height, width)))
    inverse = guided(grey(picture), inverse, radius, 10.0 ** rng.uniform(-3.5, -2.0))
    return np.clip(inverse, 0.0, 1.0)


def _stand_up(picture: Array, ground: Array, planes: int, rng: np.random.Generator) -> Array:
    """Let segments of like colour and place stand on the ground: nearer where their foot is lower."""
    height, width = ground.shape
    cells = (min(28, height), min(28, width))
    small = cv2.resize(picture, cells[::-1], interpolation=cv2.INTER_AREA)
    places = np.stack(np.meshgrid(*(np.linspace(0.0, 1.0, n) for n in cells), indexing="ij"), axis=-1)
    spread = np.float32(rng.uniform(0.4, 1.5))  # how much place counts against colour
    features = np.concatenate((small, places.astype(np.float32) * spread), axis=-1).reshape(-1, 5)
    centres = features[rng.integers(0, len(features), planes)]
    for _ in range(3):  # a few rounds of k-means
        squares = ((features[:, None] - centres[None]) ** 2).sum(axis=-1)  # (cells, planes)
        labels = squares.argmin(axis=1)
        sums = np.stack([np.bincount(labels, column, planes) for column in features.T], axis=-1)
        centres = (sums / np.maximum(np.bincount(labels, minlength=planes), 1)[:, None]).astype(np.float32)
    labels = labels.reshape(cells)
    coarse = cv2.resize(ground, cells[::-1], interpolation=cv2.INTER_AREA)
    out = coarse.copy()
    for plane in range(planes):
        mine = labels == plane
        if not mine.any():
            continue
        foot = float(coarse[mine].max()) * rng.uniform(0.6, 1.0) + float(rng.uniform(0.0, 0.25))
        blend = rng.uniform(0.0, 1.0)  # 0 lies on the ground, 1 stands upright
        out[mine] = (1.0 - blend) * coarse[mine] + blend * foot
    return np.asarray(cv2.resize(out, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def guided(guide: Array, target: Array, radius: int, epsilon: float) -> Array:
    """Guided filter (He, Sun, Tang, ECCV 2010) of `target` by the grey `guide`, both (H, W).

    Here and not kornia's, which takes 20 to 60 times as long on one thread.
    """
    size = (2 * radius + 1, 2 * radius + 1)
    border = cv2.BORDER_REFLECT

    def mean(x: Array) -> Array:
        return np.asarray(cv2.blur(x, size, borderType=border), np.float32)

    guide_mean, target_mean = mean(guide), mean(target)
    cov = mean(guide * target) - guide_mean * target_mean
    var = mean(guide * guide) - guide_mean * guide_mean
    slope = (cov / (var + epsilon)).astype(np.float32)
    return mean(slope) * guide + mean(target_mean - slope * guide_mean)


def _airlight(params: HazeParams, size: tuple[int, ...], rng: np.random.Generator) -> Array:
    base = np.asarray(params.airlight, np.float32)  # (3,)
    if params.lamps == 0:
        return base
    height, width = size
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(max(height, width))
    field = np.broadcast_to(base, (height, width, 3)).copy()
    for _ in range(params.lamps):
        x, y, r = rng.uniform(0.0, 1.0), rng.uniform(0.0, 0.6), rng.uniform(0.08, 0.35)
        glow = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2.0 * r * r)).astype(np.float32)
        colour = np.asarray((1.0, rng.uniform(0.75, 1.0), rng.uniform(0.5, 1.0)), np.float32)
        field += (colour - base) * glow[..., None] * np.float32(rng.uniform(0.3, 0.8))
    return clip01(field)
