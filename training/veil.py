"""How far away everything is, from a hazy picture and the same one without haze.

By Koschmieder's law each colour c of each pixel has I = J t + A (1 - t), and t = exp(-beta d) for all three
alike. Of two colours a and b, t falls out:

    A (I_b - I_a + J_a - J_b) = I_b J_a - I_a J_b,

which is linear in a grey airlight A, that RESIDE has (Li et al., TIP 2019): least squares over all pixels.
With A known, t is least squares over the three colours of a pixel, and says little where J is near A: there,
and around, it is filled from neighbours that say more.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from training.data import DepthPicture, Pair, unit
from training.degrade._arrays import Array

THINNEST = 0.02
"""Least transmission that 8 bits tell from none."""
REACHES = (5, 17, 65, 257)
"""Sides of the squares of neighbours from which is filled, pixels."""


def depth_of(pair: Pair) -> DepthPicture:
    """The clean picture with an inverse depth of which 1 is its nearest point, and 0 its farthest."""
    hazy, clean = unit(pair.degraded), unit(pair.target)
    transmission = transmission_between(hazy, clean, airlight_between(hazy, clean))
    near = -1.0 / np.log(transmission.clip(THINNEST, 1.0 - THINNEST))
    low, high = np.percentile(near, (0.5, 99.5))
    inverse = ((near - low) / max(high - low, 1e-6)).clip(0.0, 1.0)
    return DepthPicture(pair.name, pair.target, inverse.astype(np.float32))


def airlight_between(hazy: Array, clean: Array) -> float:
    """Grey airlight of a hazy picture and the clean one, both (H, W, 3) in [0, 1]; 1 where nothing tells."""
    above = below = 0.0
    for a, b in itertools.combinations(range(3), 2):
        faded = hazy[..., b] - hazy[..., a] + clean[..., a] - clean[..., b]
        crossed = hazy[..., b] * clean[..., a] - hazy[..., a] * clean[..., b]
        above += float(np.vdot(faded, crossed))
        below += float(np.vdot(faded, faded))
    return above / below if below > 0.0 else 1.0


def transmission_between(hazy: Array, clean: Array, airlight: float) -> Array:
    """Transmission (H, W) of both pictures (H, W, 3), smoothed over a few pixels."""
    contrast = ((airlight - clean) ** 2).sum(axis=2)
    weighted = ((airlight - hazy) * (airlight - clean)).sum(axis=2)
    weights = contrast**2
    values = weighted * contrast  # weights times t
    filled = np.full(weights.shape, values.sum() / max(float(weights.sum()), 1e-9), np.float32)
    for reach in reversed(REACHES):
        size = (reach, reach)
        trust = cv2.blur(weights, size)
        mean = cv2.blur(values, size) / np.maximum(trust, 1e-12)
        share = trust / (trust + 1e-3)
        filled += (share * (mean - filled)).astype(np.float32)
    return filled
