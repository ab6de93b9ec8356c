"""Clean clips for the tests, made from numbers alone."""

import numpy as np
import torch
from torch import Tensor

SIZES = [(16, 16), (33, 47), (160, 120)]


def make_clip(size: tuple[int, int] = (64, 80), frames: int = 1) -> Tensor:
    """A still clip (T, 3, H, W) of smooth colours with edges, values in 0.05 to 0.85."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(max(size))
    planes = [
        0.45 + 0.25 * np.sin(9.0 * x + c) + 0.15 * np.sign(np.sin(14.0 * y + 5.0 * x + c)) for c in range(3)
    ]
    picture = torch.from_numpy(np.stack(planes).astype(np.float32))
    return picture[None].repeat(frames, 1, 1, 1)


def psnr(a: Tensor, b: Tensor) -> float:
    """PSNR in dB of two clips with peak 1."""
    return float(-10.0 * torch.log10(((a - b) ** 2).mean().clamp_min(1e-12)))
