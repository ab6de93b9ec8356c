"""Small networks for tests, all parts of which matter."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn

from streamrestore.networks.addunet import AddUNet, AddUNetConfig
from streamrestore.networks.addunet_paper import PaperAddUNet, PaperAddUNetConfig
from streamrestore.networks.expertnet import ExpertNet, ExpertNetConfig
from streamrestore.networks.hazenet import HazeNet, HazeNetConfig
from streamrestore.networks.uffn import UFFN, UFFNConfig

N = TypeVar("N", bound=nn.Module)


def lively(network: N, seed: int = 0) -> N:
    """Random weights of usual size everywhere: networks as built keep most of their parts silent."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            noise = torch.randn(value.shape, generator=random, dtype=torch.float64)
            if name == "gates":  # of AddUNet, one per level
                value.copy_(noise)
            elif value.ndim > 1:
                weaker = 0.3 if "blocks" in name and "second" in name else 1.0  # many blocks add up
                value.copy_(weaker * noise / value[0].numel() ** 0.5)
            else:
                norm = name.endswith("weight")  # only normalisation has weights in one dimension
                value.copy_(norm + 0.1 * noise)
    return network.requires_grad_(False).eval()


def small_expertnet(seed: int = 0, **shape: Any) -> ExpertNet:
    """Two weathers, few maps."""
    shape = {"widths": (8, 12, 16), **shape}
    return lively(ExpertNet(ExpertNetConfig(**shape)), seed)


def small_hazenet(seed: int = 0, **shape: Any) -> HazeNet:
    """A small thumbnail, few maps, no memory."""
    small = {"side": 32, "widths": (8, 12, 16, 16), "blocks": (1, 1, 1, 1), "knots": 4, "steady": 1}
    return lively(HazeNet(HazeNetConfig(**{**small, **shape})), seed)


def small_uffn(seed: int = 0, **shape: Any) -> UFFN:
    """Three tasks, few maps."""
    return lively(UFFN(UFFNConfig(**{"width": 8, **shape})), seed)


def small_paper_addunet(seed: int = 0, **shape: Any) -> PaperAddUNet:
    """Five levels, few maps."""
    return lively(PaperAddUNet(PaperAddUNetConfig(**{"width": 8, **shape})), seed)


def small_addunet(seed: int = 0, **shape: Any) -> AddUNet:
    """Three levels, few maps."""
    return lively(AddUNet(AddUNetConfig(**{"widths": (8, 12, 16), **shape})), seed)
