"""What a network costs, counted."""

from __future__ import annotations

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from streamrestore.seams import Network

HEIGHT, WIDTH = 704, 1280
"""Of the picture, about 720p: what is done once per picture counts little."""


def gmac_per_megapixel(network: Network, branch: str, *, rgb: bool = False) -> float:
    """Billions of multiply-adds of one branch for a million pixels of 4:2:0 planes, or of RGB."""
    n = network.unshuffle
    planes = 3 * n**2 // 2
    maps = 2 * planes if rgb else planes
    matrix = torch.zeros(2 * planes, maps, dtype=torch.float64)
    folded = copy.deepcopy(network).folded(matrix, matrix.T)
    x = torch.zeros(1, maps * network.frames, HEIGHT // n, WIDTH // n)
    with FlopCounterMode(display=False) as counter, torch.enable_grad():  # fused operators count nothing
        folded(x, branch)
    return float(counter.get_total_flops()) / 2 / 1e9 / (HEIGHT * WIDTH / 1e6)
