"""A small classifier of weather from a whole-picture thumbnail and native-resolution crops.

Haze and drops show in the whole picture, streaks and noise only in native pixels. Sigmoid outputs:
several weathers may be present at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.networks.basis import to_basis
from streamrestore.networks.blocks import activate


@dataclass(frozen=True, slots=True)
class RouterNetConfig:
    """Shape of a `RouterNet`.

    Attributes:
        labels: outputs, the weathers first and ``unknown`` last.
        severities: number of weathers with a severity.
        scales: what a severity output of 1 stands for, in the weather's unit.
        thumbnail, crop: sides in pixels.
        crops: native crops per picture.
        widths: maps at 1/4, 1/8 and (thumbnail) 1/16 of a view's size.
    """

    labels: tuple[str, ...] = ("rain", "haze", "raindrop", "noise", "unknown")
    severities: int = 4
    scales: tuple[float, ...] = (0.1, 1.0, 1.0, 50.0)
    thumbnail: int = 96
    crop: int = 64
    crops: int = 6
    unshuffle: int = 4
    widths: tuple[int, int, int] = (64, 96, 128)


GREY = 0.45
"""About the mean of pictures."""


def _stage(width_in: int, width_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, 3, stride=stride, padding=1),
        nn.GroupNorm(4, width_out),
        nn.LeakyReLU(0.1, inplace=True),
    )


def _pooled(maps: Tensor) -> Tensor:
    """(N, C, h, w) -> mean and most over places, (N, 2 C)."""
    return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


class RouterNet(nn.Module):
    """Thumbnails and crops -> logits and severities.

    Both are seen in the basis of `networks.basis`, and by the roots of its magnitudes: streaks and
    noise are told by how strong each frequency is, whatever its sign.

    Shape:
        thumbnail (N, 3, S, S), crops (N, K, 3, s, s), RGB in [0, 1]
        -> logits (N, 5), severities (N, 4) >= 0 in their units.
    """

    def __init__(self, config: RouterNetConfig) -> None:
        super().__init__()
        self.config = config
        seen = 2 * 3 * config.unshuffle**2
        first, second, last = config.widths
        self.whole = nn.Sequential(_stage(seen, first, 1), _stage(first, second, 2), _stage(second, last, 2))
        self.detail = nn.Sequential(_stage(seen, first, 1), _stage(first, second, 2), _stage(second, last, 1))
        self.hidden = nn.Linear(6 * last, 128)
        self.logits = nn.Linear(128, len(config.labels))
        self.severity = nn.Linear(128, config.severities)
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(len(config.labels)))
        self.scales: Tensor
        self.register_buffer("scales", torch.tensor(config.scales))

    def forward(self, thumbnail: Tensor, crops: Tensor) -> tuple[Tensor, Tensor]:
        n, k = crops.shape[:2]
        whole = _pooled(self.whole(self._seen(thumbnail)))  # (N, 2 C)
        detail = _pooled(self.detail(self._seen(crops.flatten(0, 1)))).unflatten(0, (n, k))  # (N, K, 2 C)
        z = activate(self.hidden(torch.cat([whole, detail.mean(dim=1), detail.amax(dim=1)], dim=1)))
        return self.logits(z), F.softplus(self.severity(z)) * self.scales

    def _seen(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 6 n^2, H/n, W/n)."""
        maps = 2 * to_basis(pictures - GREY, self.config.unshuffle)
        return torch.cat([maps, maps.abs().sqrt()], dim=1)
