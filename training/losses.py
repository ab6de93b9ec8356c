"""What is minimised."""

from __future__ import annotations

import torch
from torch import Tensor


def charbonnier(output: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
    """Mean of sqrt(e^2 + eps^2): L1 with a smooth tip; any shape, values nominally in [0, 1]."""
    return torch.sqrt((output - target) ** 2 + eps**2).mean()
