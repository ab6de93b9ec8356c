"""How near two pictures are to each other: PSNR and SSIM."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[Any]

WINDOW = 11
"""Pixels across the window of SSIM."""
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_ROWS = 8
"""Rows of the result at a time: what is in use then stays in the cache."""


def psnr(first: Sequence[Plane], second: Sequence[Plane], peak: int) -> float:
    """PSNR in dB over all planes, each sample with the same weight; infinite if they are equal.

        10 log10(peak^2 / MSE)

    Args:
        first, second: planes (h, w) of integers, of the same sizes.
        peak: greatest code.
    """
    squares = sum(_squares(a, b) for a, b in zip(first, second, strict=True))
    if not squares:
        return math.inf
    samples = sum(plane.size for plane in first)
    return 10 * math.log10(peak * peak * samples / squares)


def ssim(first: Plane, second: Plane, peak: int) -> float:
    """Mean SSIM of two luma planes (Wang et al. 2004), 1 if they are equal.

    Gaussian windows of 11x11 with a standard deviation of 1.5, K1 = 0.01, K2 = 0.03, and only
    windows that lie within the picture. A picture that is smaller than that has no window: NaN.

        (2 ma mb + C1)(2 sab + C2) / (ma^2 + mb^2 + C1)(sa^2 + sb^2 + C2)

    Args:
        first, second: (h, w) of integers.
        peak: greatest code.
    """
    rows, columns = (int(side) - WINDOW + 1 for side in first.shape)
    if rows < 1 or columns < 1:
        return math.nan
    total = 0.0
    for top in range(0, rows, _ROWS):
        part = slice(top, min(top + _ROWS, rows) + WINDOW - 1)
        total += _similarity(first[part], second[part], peak)
    return total / (rows * columns)


def _similarity(first: Plane, second: Plane, peak: int) -> float:
    """Sum of SSIM over the windows within a part of two planes."""
    a, b = (plane.astype(np.float32) * np.float32(1 / peak) for plane in (first, second))
    mean_a, mean_b, power, product = _smooth(np.stack((a, b, a * a + b * b, a * b)))
    means, squares = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    c1, c2 = np.float32(_K1**2), np.float32(_K2**2)
    above = (2 * means + c1) * (2 * (product - means) + c2)
    below = (squares + c1) * (power - squares + c2)
    return float((above / below).sum(dtype=np.float64))


def _gaussian() -> npt.NDArray[np.float32]:
    places = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(places**2) / (2 * _SIGMA**2))
    return np.asarray(weights / weights.sum(), np.float32)


_WEIGHTS = _gaussian()


def _smooth(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(N, h, w) -> (N, h - 10, w - 10): Gaussian means of the windows within."""
    for axis in (1, 2):
        length = maps.shape[axis] - WINDOW + 1
        shifted = [
            maps[:, place : place + length] if axis == 1 else maps[:, :, place : place + length]
            for place in range(WINDOW)
        ]
        result: npt.NDArray[np.float32] = shifted[0] * _WEIGHTS[0]
        for weight, part in zip(_WEIGHTS[1:], shifted[1:], strict=True):
            result += weight * part
        maps = result
    return maps


def _squares(first: Plane, second: Plane) -> int:
    """Sum of squared differences, exact."""
    away = first.astype(np.int32) - second
    return int(np.einsum("ij,ij->", away, away, dtype=np.int64))
