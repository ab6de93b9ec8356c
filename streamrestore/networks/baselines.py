"""What the additive U-Net is compared with: DnCNN, a plain auto-encoder, a U-Net that concatenates.

The last two are `addunet_paper` in all but what is compared: width, kernels, stem and head are the same.

    r_i = ReLU(Enc_i(r_{i-1})),  r_0 = ReLU(stem(image))        i = 1..L
    u_{i-1} = ReLU(Dec_i(u_i))                                  auto-encoder, u_L = r_L
    u_{i-1} = ReLU(Dec_i([u_i, r_i]))                           concatenating
    out = head(u_0)
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.networks.addunet_paper import halo_of
from streamrestore.networks.rgb import PictureHead, RgbNetwork


@dataclass(frozen=True, slots=True)
class DnCNNConfig:
    """Shape of a `DnCNN`.

    Attributes:
        width: maps of every layer but the last.
        depth: convolutions.
        norm: batch normalisation of all layers but the first and the last.
        channels: 3 for colour, 1 for grey.
    """

    width: int = 64
    depth: int = 17
    norm: bool = True
    channels: int = 3


class DnCNN(RgbNetwork):
    """Residual learning of a plain chain of convolutions (Zhang et al., 2017, arXiv:1608.03981).

    Eq. 1 has the network estimate the noise; ours is its negative, to be added.

    Shape:
        x (N, channels, H, W) in [0, 1] -> residual (N, channels, H, W).
    """

    def __init__(self, config: DnCNNConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = ("noise",)
        self.channels = config.channels
        self.halo = config.depth
        maps = (config.channels, *[config.width] * (config.depth - 1), config.channels)
        layers: list[nn.Module] = []
        for index, (a, b) in enumerate(itertools.pairwise(maps)):
            inner = 0 < index < config.depth - 1
            layers.append(nn.Conv2d(a, b, 3, padding=1, bias=not (inner and config.norm)))
            if inner and config.norm:
                layers.append(nn.BatchNorm2d(b))
            if index < config.depth - 1:
                layers.append(nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, branch: str = "noise", context: Tensor | None = None) -> Tensor:  # noqa: ARG002 - seams.Network
        residual: Tensor = self.layers(x)
        return residual


@dataclass(frozen=True, slots=True)
class PlainUNetConfig:
    """Shape of a `PlainUNet`; see `addunet_paper.PaperAddUNetConfig`.

    Attributes:
        skips: ``none`` makes it an auto-encoder.
    """

    skips: Literal["none", "concatenate"] = "concatenate"
    width: int = 64
    kernels: tuple[int, ...] = (9, 7, 5, 3, 1)
    channels: int = 3


class PlainUNet(RgbNetwork):
    """An auto-encoder, or a U-Net whose skips are concatenated.

    Shape:
        x (N, channels, H, W) in [0, 1] -> residual (N, channels, H, W) float32.
    """

    def __init__(self, config: PlainUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = ("noise",)
        self.channels = config.channels
        self.halo = halo_of(config.kernels)
        width = config.width
        self.stem = nn.Conv2d(config.channels, width, 3, padding=1)
        self.encoders, self.decoders = (
            nn.ModuleList(nn.Conv2d(maps, width, k, padding=k // 2) for k in config.kernels)
            for maps in (width, 2 * width if config.skips == "concatenate" else width)
        )
        self.head = PictureHead(width, config.channels)

    def forward(self, x: Tensor, branch: str = "noise", context: Tensor | None = None) -> Tensor:  # noqa: ARG002 - seams.Network
        state = F.relu(self.stem(x))
        encoded = []
        for encoder in self.encoders:
            state = F.relu(encoder(state))  # r_i
            encoded.append(state)
        for decoder, r in reversed([*zip(self.decoders, encoded, strict=True)]):
            joined = torch.cat([state, r], dim=1) if self.config.skips == "concatenate" else state
            state = F.relu(decoder(joined))  # u_{i-1}
        clean: Tensor = self.head(state, x)
        return clean
