"""The basis in which networks see unshuffled RGB.

The maps of an unshuffled picture are nearly equal, all positive and hundreds of them meet in one
sum, so one step of an optimiser would throw the whole brightness about. In a basis of colour
differences and cosines they are decorrelated, the mean brightness damped. It is linear, hence free at
run time: it is folded into the convolutions together with everything else that is linear.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

COLOURS = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (0.5, -1.0, 0.5))
"""Brightness, red against blue, green against both."""
MEAN_SCALE = (0.25, 0.5, 0.5)
"""Of each colour's mean, so that it does not outweigh the detail."""


@lru_cache(maxsize=8)
def basis(unshuffle: int) -> Tensor:
    """D, (3 n^2, 3 n^2) float64: maps of the basis = D times unshuffled RGB maps; n = `unshuffle`."""
    n = unshuffle
    cosine = torch.tensor(
        [
            [
                math.sqrt((1 if k == 0 else 2) / n) * math.cos(math.pi * (2 * x + 1) * k / (2 * n))
                for x in range(n)
            ]
            for k in range(n)
        ],
        dtype=torch.float64,
    )
    colours = torch.tensor(COLOURS, dtype=torch.float64)
    colours = colours / colours.norm(dim=1, keepdim=True)
    matrix = torch.kron(colours, torch.kron(cosine, cosine))
    for colour, scale in enumerate(MEAN_SCALE):
        matrix[colour * n * n] *= scale
    return matrix


@lru_cache(maxsize=8)
def inverse(unshuffle: int) -> Tensor:
    """The inverse of `basis`."""
    matrix: Tensor = torch.linalg.inv(basis(unshuffle))
    return matrix


def to_basis(pictures: Tensor, unshuffle: int) -> Tensor:
    """(N, 3, H, W) RGB in [0, 1] -> (N, 3 n^2, H/n, W/n), channels last."""
    maps = F.pixel_unshuffle(pictures, unshuffle)
    x: Tensor = torch.einsum("km,nmhw->nkhw", basis(unshuffle).to(maps), maps)
    return x.contiguous(memory_format=torch.channels_last)


def from_basis(maps: Tensor, unshuffle: int) -> Tensor:
    """(N, 3 n^2, h, w) -> (N, 3, h n, w n) RGB."""
    rgb: Tensor = torch.einsum("mk,nkhw->nmhw", inverse(unshuffle).to(maps), maps)
    return F.pixel_shuffle(rgb, unshuffle)
