"""What is minimised."""

from __future__ import annotations

import torch
from torch import Tensor


def charbonnier(output: Tensor, target: Tensor, eps: float) -> Tensor:
    """Mean of sqrt(e^2 + eps^2) - eps: squared for errors below eps, L1 above.

    A small eps lets a network that is unsure where the damage is do best by doing nothing, since L1
    seeks the median. Any shape, values nominally in [0, 1].
    """
    return (torch.sqrt((output - target) ** 2 + eps**2) - eps).mean()
