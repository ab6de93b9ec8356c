"""Drawing rain streaks as light.

A layer is rendered upright and then turned: each streak adds +a at its head and -a below its tail, one
running sum down the columns draws all of them, whatever their lengths; a small anisotropic Gaussian gives
cross-section and soft ends; an affine warp turns the layer to its angle at a random sub-pixel phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ._arrays import Array


@dataclass(frozen=True, slots=True)
class StreakLayer:
    """Streaks of one direction and one distance from the camera."""

    light: float
    """Mean light the layer adds to the picture, display-coded, 0 to 1."""
    coverage: float
    """Mean number of streaks over a pixel; small: few bright streaks, large: a dense curtain."""
    length: float
    """Mean streak length in pixels: fall speed times exposure."""
    length_spread: float
    """Half width of the uniform length distribution, as a share of `length`, 0 to 1."""
    width: float
    """Sigma of the Gaussian cross-section in pixels."""
    angle: float
    """Direction in degrees from vertical, positive leaning to the right at the bottom."""
    shape: float
    """Shape of the gamma distribution of brightness: 1 exponential (a few glare), 4 nearly alike."""
    softness: float
    """Sigma of the fade at both ends as a share of `length`."""
    crisp: bool = False
    """True: turned without smoothing, so that slanted streaks have stairs, as Rain100's have."""


def render(
    layers: Sequence[StreakLayer], size: tuple[int, int], rng: np.random.Generator, swing: float = 0.0
) -> Array:
    """Streak light S (H, W) >= 0 of all layers, their angles turned by `swing` degrees."""
    total = np.zeros(size, np.float32)
    for layer in layers:
        if layer.light > 0.0:
            total += _render_layer(layer, size, rng, layer.angle + swing)
    return np.maximum(total, 0.0, out=total)  # the running sum leaves rounding errors around 0


def _render_layer(layer: StreakLayer, size: tuple[int, int], rng: np.random.Generator, angle: float) -> Array:
    height, width = size
    sin, cos = abs(np.sin(np.deg2rad(angle))), abs(np.cos(np.deg2rad(angle)))
    rows, cols = int(height * cos + width * sin) + 4, int(width * cos + height * sin) + 4
    reach = int(layer.length * (1.0 + layer.length_spread)) + 2  # streaks may begin above the picture
    # A streak covers length x width * sqrt(2 pi) pixels at its peak brightness.
    section = layer.width * 2.5066
    count = int(rng.poisson(layer.coverage * (rows + reach) * cols / (layer.length * section)))
    spread = rng.uniform(1.0 - layer.length_spread, 1.0 + layer.length_spread, count)
    lengths = np.maximum((layer.length * spread).astype(np.int64), 1)
    peaks = rng.gamma(layer.shape, layer.light / (layer.coverage * layer.shape), count) * section
    heads = rng.integers(0, rows + reach, count) - reach
    columns = rng.integers(0, cols, count)
    tails = np.minimum(heads + lengths, rows)
    places = np.concatenate((np.maximum(heads, 0) * cols + columns, np.maximum(tails, 0) * cols + columns))
    steps = np.bincount(places, np.concatenate((peaks, -peaks)), minlength=(rows + 1) * cols)
    canvas = np.cumsum(steps.reshape(rows + 1, cols)[:rows], axis=0).astype(np.float32)  # (rows, cols)
    # A bilinear warp widens the section: sigma^2 grows by about 0.12.
    across = max(np.sqrt(max(layer.width**2 - (0.0 if layer.crisp else 0.12), 0.0)), 0.3)
    along = max(layer.softness * layer.length, 0.3)
    kernel = (2 * int(np.ceil(2.5 * across)) + 1, 2 * int(np.ceil(2.0 * along)) + 1)
    canvas = cv2.GaussianBlur(canvas, kernel, across, sigmaY=along, borderType=cv2.BORDER_REFLECT)
    turn = cv2.getRotationMatrix2D((cols / 2, rows / 2), angle, 1.0)
    turn[:, 2] += (
        width / 2 - cols / 2 + rng.uniform(0.0, 1.0),
        height / 2 - rows / 2 + rng.uniform(0.0, 1.0),
    )
    flags = cv2.INTER_NEAREST if layer.crisp else cv2.INTER_LINEAR
    return np.asarray(
        cv2.warpAffine(canvas, turn, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
    )
