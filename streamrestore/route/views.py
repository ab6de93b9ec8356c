"""What the router sees of a picture: a thumbnail of all of it, and native crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from streamrestore import planes as native
from streamrestore.frames import Coding, Matrix

GRID = 16
"""Crops start on multiples of it, so that every chroma subsampling falls on whole samples."""
QUANTILES = (
    (1.0, 0.97, 0.9, 0.75, 0.5, 0.2),
    (0.99, 0.94, 0.85, 0.65, 0.4, 0.1),
    (0.98, 0.92, 0.8, 0.6, 0.3, 0.05),
)
"""Of the local contrast: mostly textured places, and some calm ones, where noise shows best.

One row per look, so that several looks at one scene see several places.
"""


@dataclass(frozen=True, slots=True)
class Views:
    """RGB in [0, 1]: thumbnail (3, S, S) and crops (K, 3, s, s)."""

    thumbnail: Tensor
    crops: Tensor


def places(luma: Tensor, side: int, count: int, look: int = 0) -> list[tuple[int, int]]:
    """(top, left) of crops of `side` pixels, by local contrast; deterministic.

    Args:
        luma: (H, W) float, any scale; at least `side` high and wide.
        look: which row of `QUANTILES`, counted on from the first after the last.
    """
    height, width = luma.shape
    small = F.avg_pool2d(luma[None, None], GRID // 4)  # noise counts less than structure
    cells = side // (GRID // 4)
    mean = F.avg_pool2d(small, cells, stride=4)
    contrast = F.avg_pool2d(small * small, cells, stride=4) - mean * mean
    rows, columns = contrast.shape[-2:]
    rows, columns = min(rows, (height - side) // GRID + 1), min(columns, (width - side) // GRID + 1)
    order = contrast[0, 0, :rows, :columns].flatten().argsort()
    ranks = [round(q * (len(order) - 1)) for q in QUANTILES[look % len(QUANTILES)][:count]]
    return [(int(order[r]) // columns * GRID, int(order[r]) % columns * GRID) for r in ranks]


def views_of(
    planes: Sequence[Tensor], coding: Coding, thumbnail: int, crop: int, count: int, look: int = 0
) -> Views:
    """Views of one picture, upright as displayed.

    Args:
        planes: integer planes of any subsampling, or three float RGB planes in [0, 1] with a
            coding whose matrix is RGB.
        thumbnail, crop: sides in pixels.
        count: number of crops.
        look: see `places`.
    """
    peak = 1.0 if planes[0].is_floating_point() else float((1 << coding.depth) - 1)
    luma = planes[1 if coding.matrix == Matrix.RGB else 0].float() / peak
    scaled = [_pool(p.float(), thumbnail) for p in planes]
    small = _rgb(scaled, coding, peak)
    height, width = luma.shape
    if min(height, width) < crop:
        size = (max(height, crop), max(width, crop))
        planes = [F.interpolate(p.float()[None, None], size)[0, 0] for p in planes]
        luma = F.interpolate(luma[None, None], size)[0, 0]
        height, width = size
    cuts = []
    for top, left in places(luma, crop, count, look):
        parts = []
        for plane in planes:
            y, x = round(height / plane.shape[0]), round(width / plane.shape[1])
            parts.append(plane[top // y : (top + crop) // y, left // x : (left + crop) // x])
        cuts.append(_rgb(parts, coding, peak))
    return Views(small, torch.stack(cuts))


def _pool(plane: Tensor, side: int) -> Tensor:
    return F.adaptive_avg_pool2d(plane[None], side)[0]


def _rgb(planes: Sequence[Tensor], coding: Coding, peak: float) -> Tensor:
    if coding.matrix == Matrix.RGB:
        return torch.stack([p.float() for p in planes]) / peak
    return native.to_rgb(planes, coding).clamp(0, 1)
