"""What the published networks have in common: they see RGB as it is, at full size."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.errors import UsageError


class RgbNetwork(nn.Module):
    """A `seams.Network` of one frame of RGB in [0, 1], neither unshuffled nor in another basis.

    Attributes:
        channels: 3, or 1 for grey pictures (those are no tier's, since a tier restores RGB).

    Shape:
        x (N, channels, H, W) -> residual (N, channels, H, W).
    """

    branches: tuple[str, ...]
    unshuffle = frames = steady = multiple_of = 1
    tileable = True
    halo: int
    channels = 3

    def prepare(
        self,
        x: Tensor,  # noqa: ARG002 - seams.Network
        branch: str,  # noqa: ARG002 - seams.Network
        gates: Sequence[float] | None = None,
    ) -> Tensor | None:
        """No context.

        Raises:
            UsageError: `gates` were given.
        """
        if gates is not None:
            raise UsageError("gates can be set for the noise branch of an additive U-Net only")
        return None

    def folded(self, inward: Tensor, outward: Tensor) -> Self:
        """A copy without gradients. There is nothing to fold: only the identity is taken.

        Raises:
            ValueError: other maps than RGB are asked for.
        """
        unit = torch.eye(self.channels, dtype=inward.dtype)
        if not all(matrix.shape == unit.shape and torch.equal(matrix, unit) for matrix in (inward, outward)):
            raise ValueError(f"{type(self).__name__} sees {self.channels} channels, not other maps")
        return copy.deepcopy(self).requires_grad_(False).eval()


class PictureHead(nn.Module):
    """1x1 convolution to the clean picture, of which the residual is given.

    In float32: bf16 would round the picture, bright parts of it by half a code of 8 bits.

    Shape:
        features (N, C, H, W), image (N, channels, H, W) -> (N, channels, H, W) float32.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, channels, 1)

    def forward(self, features: Tensor, image: Tensor) -> Tensor:
        weight, bias = self.conv.weight, self.conv.bias
        assert bias is not None
        with torch.autocast(features.device.type, enabled=False):
            return F.conv2d(_exact(features), _exact(weight), _exact(bias)) - _exact(image)


def _exact(x: Tensor) -> Tensor:
    """At least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
