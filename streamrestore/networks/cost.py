"""What a network costs, counted."""

from __future__ import annotations

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from streamrestore.seams import Network

SIDE = 256


def gmac_per_megapixel(network: Network, branch: str, maps: int = 24, unshuffle: int = 4) -> float:
    """Billions of multiply-adds of one branch for a million pixels.

    Args:
        maps: per unshuffled picture: 24 for 4:2:0 planes, 48 for RGB.
    """
    rgb = 3 * unshuffle**2
    matrix = torch.zeros(rgb, maps, dtype=torch.float64)
    folded = copy.deepcopy(network).folded(matrix, matrix.T)
    side = SIDE // unshuffle
    with FlopCounterMode(display=False) as counter, torch.enable_grad():  # fused operators count nothing
        folded(torch.zeros(1, maps, side, side), branch)
    return float(counter.get_total_flops()) / 2 / 1e9 / (SIDE * SIDE / 1e6)
