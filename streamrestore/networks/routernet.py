"""A small classifier of weather from a whole-picture thumbnail and native-resolution crops.

Haze and drops show in the whole picture, streaks and noise only in native pixels. Sigmoid outputs:
several weathers may be present at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    """

    labels: tuple[str, ...] = ("rain", "haze", "raindrop", "noise", "unknown")
    severities: int = 4
    scales: tuple[float, ...] = (0.1, 1.0, 1.0, 50.0)
    thumbnail: int = 96
    crop: int = 64
    crops: int = 6
    width: int = 32


def _stage(width_in: int, width_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, 3, stride=stride, padding=1),
        nn.GroupNorm(4, width_out),
        nn.LeakyReLU(0.1, inplace=True),
    )


class RouterNet(nn.Module):
    """Thumbnails and crops -> logits and severities.

    Shape:
        thumbnail (N, 3, S, S), crops (N, K, 3, s, s), RGB in [0, 1]
        -> logits (N, 5), severities (N, 4) >= 0 in their units.
    """

    def __init__(self, config: RouterNetConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.whole = nn.Sequential(
            _stage(12, w, 1), _stage(w, 2 * w, 2), _stage(2 * w, 3 * w, 2), _stage(3 * w, 3 * w, 2)
        )
        self.detail = nn.Sequential(
            _stage(12, w, 1), _stage(w, 2 * w, 2), _stage(2 * w, 3 * w, 2), _stage(3 * w, 3 * w, 1)
        )
        self.hidden = nn.Linear(6 * w + 4 * 3 * w, 128)
        self.logits = nn.Linear(128, len(config.labels))
        self.severity = nn.Linear(128, config.severities)
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(len(config.labels)))
        self.scales: Tensor
        self.register_buffer("scales", torch.tensor(config.scales))

    def forward(self, thumbnail: Tensor, crops: Tensor) -> tuple[Tensor, Tensor]:
        n, k = crops.shape[:2]
        whole = self.whole(F.pixel_unshuffle(thumbnail - 0.45, 2))  # (N, 3w, S/16, S/16)
        detail = self.detail(F.pixel_unshuffle(crops.flatten(0, 1) - 0.45, 2))  # (N K, 3w, s/8, s/8)
        pooled = torch.cat([detail.mean(dim=(2, 3)), detail.amax(dim=(2, 3))], dim=1).unflatten(0, (n, k))
        z = torch.cat(
            [whole.mean(dim=(2, 3)), whole.amax(dim=(2, 3)), pooled.mean(dim=1), pooled.amax(dim=1)], dim=1
        )
        z = activate(self.hidden(z))
        return self.logits(z), F.softplus(self.severity(z)) * self.scales
