"""A pane of glass with drops: where they are at a time, and what is seen through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._arrays import Array

if TYPE_CHECKING:
    from .raindrop import RaindropParams

_EDGE = 1.45  # a drop's field ends at _EDGE * r; F crosses the threshold near r
THRESHOLD = (1.0 - 1.0 / _EDGE**2) ** 2  # F of a lone drop at distance r


@dataclass(frozen=True, slots=True)
class Drops:
    """N drops at one time: middles and radii in pixels, height over width."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    r: NDArray[np.float64]
    tall: NDArray[np.float64]


def scatter_drops(params: RaindropParams, size: tuple[int, int], rng: np.random.Generator) -> Drops:
    """Drop by chance on a picture (H, W) and a margin around it until the coverage is reached."""
    margin = 1.5 * params.radius
    height, width = size[0] + 2.0 * margin, size[1] + 2.0 * margin
    limit = 0.22 * max(size)
    radii = []
    for share, median in ((1.0 - params.fine, params.radius), (params.fine, max(0.25 * params.radius, 1.2))):
        # Mean drop area: pi E[r^2] of the log-normal; overlaps are made up for by -log(1 - coverage).
        area = np.pi * median**2 * np.exp(2.0 * params.spread**2)
        wanted = -np.log1p(-min(params.coverage * share, 0.95)) * height * width / area
        count = min(int(wanted) + int(rng.random() < wanted % 1.0), 4000)
        radii.append(np.clip(median * np.exp(params.spread * rng.standard_normal(count)), 1.0, limit))
    r = np.concatenate(radii)
    return Drops(
        x=rng.uniform(-margin, width - margin, r.size),
        y=rng.uniform(-margin, height - margin, r.size),
        r=r,
        tall=rng.uniform(0.85, 1.35, r.size),
    )


def slide(
    pane: Drops, params: RaindropParams, phases: NDArray[np.float64], time: float, size: tuple[int, int]
) -> Drops:
    """Where the drops are at `time`: sliding ones stick half of each second, and leave a trail above."""
    moving = phases < params.sliding
    if not moving.any():
        return pane
    phase = phases[moving] / params.sliding
    clock = time + phase
    path = np.floor(clock) + np.clip(2.0 * (clock - np.floor(clock)), 0.0, 1.0) - np.clip(2 * phase, 0.0, 1.0)
    shift = params.speed * (0.4 + 1.2 * phase) * path  # pixels since time 0
    y = pane.y.copy()
    y[moving] += shift
    steps = np.arange(1, 9)[:, None]  # up to eight trail drops each, fixed on the glass
    gap = 1.1 * pane.r[moving][None]
    first = np.floor(y[moving][None] / gap) * gap
    trail_y = first - (steps - 1) * gap
    trail_r = pane.r[moving][None] * (0.42 - 0.035 * steps)
    sway = 0.25 * pane.r[moving][None] * np.sin(trail_y * 0.7 + 40.0 * phase)
    trail_x = pane.x[moving][None] + sway
    keep = (trail_r > 0.8) & (trail_y > -size[0]) & (y[moving][None] - trail_y > 0.8 * pane.r[moving][None])
    return Drops(
        x=np.concatenate((pane.x, trail_x[keep])),
        y=np.concatenate((y, trail_y[keep])),
        r=np.concatenate((pane.r, trail_r[keep])),
        tall=np.concatenate((pane.tall, np.full(int(keep.sum()), 1.15))),
    )


def optics(
    drops: Drops, params: RaindropParams, size: tuple[int, int], warp: Array
) -> tuple[Array, Array, Array, Array]:
    """Field F, bright spots, and the places (x, y) seen through the drops, each (H, W)."""
    height, width = size
    pixels = height * width
    sums = np.zeros((4, pixels))  # F, F * view x, F * view y, spots
    view = params.view * max(size)
    aim = np.deg2rad(params.light)
    spot_x, spot_y = 0.45 * np.sin(aim), -0.45 * np.cos(aim)
    flat = warp.reshape(pixels, 2)
    octave = np.ceil(2.0 * np.log2(drops.r * np.maximum(drops.tall, 1.0) + 1e-6)).astype(int)
    for level in np.unique(octave):  # drops of about one size share one disc of pixel offsets
        chosen = octave == level
        reach = _EDGE * 2.0 ** (level / 2.0) + params.wobble * params.radius + 1.0
        dy, dx = np.mgrid[-int(reach) : int(reach) + 1, -int(reach) : int(reach) + 1]
        disc = dx * dx + dy * dy <= reach * reach
        middle_x, middle_y, radius = drops.x[chosen], drops.y[chosen], drops.r[chosen]
        xs = np.rint(middle_x).astype(int)[:, None] + dx[disc]  # (N, K)
        ys = np.rint(middle_y).astype(int)[:, None] + dy[disc]
        inside = (xs >= 0) & (xs < width) & (ys >= 0) & (ys < height)
        which = np.nonzero(inside)[0]
        px, py = xs[inside], ys[inside]
        places = py * width + px
        moved = flat[places]
        cx, cy, r = middle_x[which], middle_y[which], radius[which]
        u = (px + moved[:, 0] - cx) / r
        v = (py + moved[:, 1] - cy) / (r * drops.tall[chosen][which])
        square = u * u + v * v
        field = np.maximum(1.0 - square / _EDGE**2, 0.0) ** 2
        bend = view * (1.0 + params.bulge * np.minimum(square, 1.5))
        sums[0] += np.bincount(places, field, pixels)
        sums[1] += np.bincount(places, field * (cx - u * bend), pixels)
        sums[2] += np.bincount(places, field * (cy - v * bend), pixels)
        if params.spot > 0.0:
            glint = np.exp(-((u - spot_x) ** 2 + (v - spot_y) ** 2) / 0.03)
            sums[3] += np.bincount(places, glint, pixels)
    total = np.maximum(sums[0], 1e-6)
    maps = np.stack((sums[0], sums[3], sums[1] / total, sums[2] / total)).astype(np.float32)
    field, spots, x, y = maps.reshape(4, height, width)
    return field, spots, x, y
