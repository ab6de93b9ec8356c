"""What a network costs, counted."""

from __future__ import annotations

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from streamrestore.networks.rgb import RgbNetwork
from streamrestore.seams import Network

SIZE = (704, 1280)
"""Height and width of the picture, about 720p: what is done once per picture counts little."""
SIZE_RGB = (128, 128)
"""For the published networks, which do all they do at every pixel, and a hundred times as much."""


def gmac_per_megapixel(network: Network, branch: str, *, rgb: bool = False) -> float:
    """Billions of multiply-adds of one branch for a million pixels of 4:2:0 planes, or of RGB.

    Networks that know nothing but RGB (or grey) are counted for that.
    """
    n = network.unshuffle
    if isinstance(network, RgbNetwork):
        height, width = SIZE_RGB
        maps = network.channels
        matrix = torch.eye(maps, dtype=torch.float64)
    else:
        height, width = SIZE
        planes = 3 * n**2 // 2  # chroma has a quarter each
        maps = 2 * planes if rgb else planes
        matrix = torch.zeros(2 * planes, maps, dtype=torch.float64)
    folded = copy.deepcopy(network).folded(matrix, matrix.T)
    x = torch.zeros(1, maps * network.frames, height // n, width // n)
    with FlopCounterMode(display=False) as counter, torch.enable_grad():  # fused operators count nothing
        folded(x, branch)
    return float(counter.get_total_flops()) / 2 / 1e9 / (height * width / 1e6)
