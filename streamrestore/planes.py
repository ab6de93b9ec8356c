"""Colour: native planes to network input, and residuals back.

A network estimates a residual of RGB. Both ways are linear in the samples once black level and
chroma centre are subtracted, so they are two small matrices; for 4:2:0 they act on pixel-unshuffled
planes (luma by 4: 16 maps, each chroma by 2: 4 maps) and are folded into the networks.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from streamrestore.frames import LUMA_WEIGHTS, Coding

LUMA_UNSHUFFLE, CHROMA_UNSHUFFLE = 4, 2
PLANE_MAPS = 24
RGB_MAPS = 48


def rgb_to_ycc(coding: Coding) -> Tensor:
    """3x3 matrix from RGB in [0, 1] to codes above black and off centre, float64 (ITU-T H.273)."""
    kr, kb = LUMA_WEIGHTS[coding.matrix]
    luma = torch.tensor([kr, 1 - kr - kb, kb], dtype=torch.float64)
    unit = torch.eye(3, dtype=torch.float64)
    cb = (unit[2] - luma) / (2 * (1 - kb))
    cr = (unit[0] - luma) / (2 * (1 - kr))
    luma_span, chroma_span = spans(coding)
    return torch.stack([luma * luma_span, cb * chroma_span, cr * chroma_span])


def spans(coding: Coding) -> tuple[float, float]:
    """Codes from black to white, and from the least to the greatest chroma."""
    if coding.full:
        return float((1 << coding.depth) - 1), float((1 << coding.depth) - 1)
    return 219.0 * (1 << coding.depth - 8), 224.0 * (1 << coding.depth - 8)


def zeros(coding: Coding) -> tuple[int, int]:
    """Codes of black and of grey: (16, 128) for limited 8 bit."""
    return (0 if coding.full else 16 << coding.depth - 8), 128 << coding.depth - 8


@lru_cache(maxsize=32)
def unshuffled_matrices(coding: Coding) -> tuple[Tensor, Tensor]:
    """The way in and the way out for 4:2:0 planes.

    Returns:
        inward (48, 24), unshuffled planes to unshuffled RGB, each chroma sample repeated in its
        2x2 block of luma; outward (24, 48), an RGB residual to planes, chroma the mean of its
        block. outward @ inward is the identity.
    """
    to_ycc = rgb_to_ycc(coding)
    to_rgb = torch.linalg.inv(to_ycc)
    n, m = LUMA_UNSHUFFLE, CHROMA_UNSHUFFLE
    inward = torch.zeros(3, n, n, PLANE_MAPS, dtype=torch.float64)
    outward = torch.zeros(PLANE_MAPS, 3, n, n, dtype=torch.float64)
    for y in range(n):
        for x in range(n):
            luma = y * n + x
            block = (y // m) * m + x // m
            inward[:, y, x, luma] = to_rgb[:, 0]
            outward[luma, :, y, x] = to_ycc[0]
            for plane in (0, 1):
                chroma = n * n + plane * m * m + block
                inward[:, y, x, chroma] = to_rgb[:, 1 + plane]
                outward[chroma, :, y, x] = to_ycc[1 + plane] / (m * m)
    return inward.reshape(RGB_MAPS, PLANE_MAPS), outward.reshape(PLANE_MAPS, RGB_MAPS)
