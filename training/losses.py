"""What is minimised."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from training.config import PathRouted


def charbonnier(output: Tensor, target: Tensor, eps: float) -> Tensor:
    """Mean of sqrt(e^2 + eps^2) - eps: squared for errors below eps, L1 above.

    A small eps lets a network that is unsure where the damage is do best by doing nothing, since L1
    seeks the median. Any shape, values nominally in [0, 1].
    """
    return (torch.sqrt((output - target) ** 2 + eps**2) - eps).mean()


def joint(output: Tensor, target: Tensor, logits: Tensor, labels: Tensor, weight: float) -> Tensor:
    """AddUNet's joint objective: L_den + lambda L_cls, the mean squared error and cross-entropy.

    Args:
        output, target: pictures of any shape, nominally in [0, 1].
        logits: (N, classes), and labels (N,).
        weight: lambda.
    """
    return F.mse_loss(output, target) + weight * F.cross_entropy(logits, labels)


def uffn(
    output: Tensor,
    target: Tensor,
    logits: Tensor,
    labels: Tensor,
    spent: float,
    lambdas: PathRouted,
) -> Tensor:
    """UFFN's loss (Eq. 3-5): l1 smoothL1 + l2 (1 - SSIM) + cosdecay(l3) CE.

    Smooth L1 turns from squared to linear at 1, on the scale from 0 to 255 (ours: in [0, 1] no error
    would be linear, and the term nothing beside the others).

    Args:
        output, target: (N, 3, H, W) in [0, 1], of at least 11 x 11.
        logits: (N, tasks) of the path router, and labels (N,).
        spent: share of the training that is over, 0 to 1; l3 falls to 0 along a cosine.
    """
    from kornia.metrics import ssim  # not at the top: other objectives need no kornia

    smooth = F.smooth_l1_loss(255 * output, 255 * target, beta=1.0)
    structure = 1 - ssim(output, target, window_size=11, padding="valid").mean()
    decayed = lambdas.path * 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))
    path = F.cross_entropy(logits, labels)
    loss: Tensor = lambdas.smooth * smooth + lambdas.structure * structure + decayed * path
    return loss
