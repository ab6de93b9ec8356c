"""The additive U-Net, as published; `networks.addunet` is our own, faster form.

After "Multi-Task Learning with Additive U-Net for Image Denoising and Classification" (Lakkavalli,
Sinha; arXiv 2602.12649). Nothing is made smaller or larger; all levels have the same number of maps:

    x_0 = ReLU(stem(image))
    r_i = Enc_i(x_{i-1})                       convolution K_i x K_i and ReLU, i = 1..L
    x_i = x_{i-1} - r_i                        "real"; "pseudo" is x_i = r_i
    u_L = x_L
    u_{i-1} = Dec_i(u_i + a_i r_i)             convolution K_i x K_i and ReLU, i = L..1
    out = head(u_0)                            1x1: the clean picture
    logits = classifier(x_L)                   the joint form

Subtraction, gates a_i = softplus(b_i) >= 0 and head are those of its predecessor, "Rethinking Skip
Connections: Additive U-Net for Robust and Interpretable Denoising" (arXiv 2601.13208). Where both are
silent, ours: 64 maps, a stem of 3x3, levels of one convolution with ReLU, gates that start near 1, what
"pseudo" means, and what the classifier is made of. The result is given as a residual, out - image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.networks.blocks import gate_scales
from streamrestore.networks.rgb import PictureHead, RgbNetwork

HIDDEN = {"small": 0, "large": 256}
"""Width of the classifier's hidden layer by its capacity; 0: it has none."""


@dataclass(frozen=True, slots=True)
class PaperAddUNetConfig:
    """Shape of a `PaperAddUNet`.

    Attributes:
        width: C, maps of every level.
        kernels: K, side of each level's convolutions.
        channels: 3 for colour, 1 for grey.
        real: subtractive encoding; otherwise "pseudo".
        classifier: capacity of the classifier of the joint form.
        classes: that it tells apart.
    """

    width: int = 64
    kernels: tuple[int, ...] = (9, 7, 5, 3, 1)
    channels: int = 3
    real: bool = True
    classifier: Literal["none", "small", "large"] = "none"
    classes: int = 4


def halo_of(kernels: Sequence[int]) -> int:
    """Pixels around one that its result depends on: of the stem, and of each level twice."""
    return 1 + 2 * sum(kernel // 2 for kernel in kernels)


class Classifier(nn.Module):
    """Global average pooling, a hidden layer if there is one, logits: (N, C, H, W) -> (N, classes)."""

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden) if hidden else None
        self.logits = nn.Linear(hidden or width, classes)

    def forward(self, bottleneck: Tensor) -> Tensor:
        z = bottleneck.mean(dim=(2, 3))
        if self.hidden is not None:
            z = F.relu(self.hidden(z))
        logits: Tensor = self.logits(z)
        return logits


class PaperAddUNet(RgbNetwork):
    """Residual of noise. The only branch is `noise`.

    Shape:
        x (N, channels, H, W) in [0, 1] -> residual (N, channels, H, W) float32.
    """

    def __init__(self, config: PaperAddUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = ("noise",)
        self.channels = config.channels
        self.halo = halo_of(config.kernels)
        width = config.width
        self.stem = nn.Conv2d(config.channels, width, 3, padding=1)
        self.encoders, self.decoders = (
            nn.ModuleList(nn.Conv2d(width, width, k, padding=k // 2) for k in config.kernels)
            for _ in range(2)
        )
        self.gates = nn.Parameter(torch.full((len(config.kernels),), 0.5))  # b_1..b_L
        self.head = PictureHead(width, config.channels)
        self.classifier = (
            None
            if config.classifier == "none"
            else Classifier(width, HIDDEN[config.classifier], config.classes)
        )

    def prepare(
        self,
        x: Tensor,
        branch: str = "noise",  # noqa: ARG002 - seams.Network
        gates: Sequence[float] | None = None,
    ) -> Tensor | None:
        """Context: a multiplier of each level's gate, (L,), or None; to set a_i to a, give a / a_i.

        Raises:
            UsageError: not as many gates as levels.
        """
        return gate_scales(gates, len(self.encoders), x.device)

    def forward(self, x: Tensor, branch: str = "noise", context: Tensor | None = None) -> Tensor:  # noqa: ARG002 - seams.Network
        """Residual; `context` scales the gates."""
        bottleneck, residuals = self._encoded(x)
        return self._decoded(bottleneck, residuals, x, context)

    def joint(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Residual, and the classifier's logits (N, classes). There has to be a classifier."""
        assert self.classifier is not None
        bottleneck, residuals = self._encoded(x)
        return self._decoded(bottleneck, residuals, x), self.classifier(bottleneck)

    def _encoded(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """x_L and r_1..r_L."""
        state = F.relu(self.stem(image))  # x_0
        residuals = []
        for encoder in self.encoders:
            r = F.relu(encoder(state))  # r_i
            state = state - r if self.config.real else r  # x_i
            residuals.append(r)
        return state, residuals

    def _decoded(
        self, state: Tensor, residuals: list[Tensor], image: Tensor, scales: Tensor | None = None
    ) -> Tensor:
        gates = F.softplus(self.gates)  # a_1..a_L
        gates = (gates if scales is None else gates * scales.to(gates)).to(state.dtype)
        for decoder, gate, r in reversed([*zip(self.decoders, gates, residuals, strict=True)]):
            state = F.relu(decoder(torch.addcmul(state, gate, r)))  # u_{i-1}
        clean: Tensor = self.head(state, image)
        return clean
