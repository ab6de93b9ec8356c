"""The additive U-Net: gated additive skips, subtractive encoding.

After "Multi-Task Learning with Additive U-Net for Image Denoising and Classification" (Lakkavalli,
Sinha; arXiv 2602.12649) and its predecessor (arXiv 2601.13208):

    x_0 = act(stem(image))
    r_i = Enc_i(x_{i-1})
    x_i = x_{i-1} - r_i                        i = 1..L
    u_{i-1} = Dec_i(u_i + a_i r_i)             i = L..1,  a_i = softplus(b_i) >= 0
    residual = head(u_0, image)

Ours: pixel-unshuffled input; levels may be halved in size with a change of width between them,
which the paper's form does not; leaky ReLU; the head sees the image again, since few maps cannot
carry as many channels of noise; and the head gives the residual.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.networks.basis import basis, inverse
from streamrestore.networks.blocks import Enlarge, Halve, conv_activate, fold_input, fold_output, gate_scales


@dataclass(frozen=True, slots=True)
class AddUNetConfig:
    """Shape of an `AddUNet`.

    Attributes:
        widths: maps of each level; each level after the first has half the size of the one before
            where `halve` says so.
        kernels: side of each level's convolutions.
        halve: whether the picture is halved in front of the level.
    """

    unshuffle: int = 4
    widths: tuple[int, ...] = (48, 96, 128)
    kernels: tuple[int, ...] = (3, 3, 3)
    halve: tuple[bool, ...] = (False, True, True)
    temporal_radius: int = 0

    @property
    def maps(self) -> int:
        """Maps of one unshuffled RGB picture."""
        return 3 * self.unshuffle**2

    @property
    def halo(self) -> int:
        """Pixels around a block of `multiple_of` that its result depends on."""
        levels = list(zip(self.kernels, self.halve, strict=True))
        reach = 1  # back from the result: head
        for kernel, halve in levels:
            reach = (-(-reach // 2) if halve else reach) + kernel // 2
        for kernel, halve in reversed(levels):
            reach = (reach + kernel // 2) * (2 if halve else 1)
        return self.unshuffle * (reach + 1)  # stem


class AddUNet(nn.Module):
    """Residual of noise.

    Input and result are unshuffled RGB in the basis of `basis`; `folded` gives a network for any
    other. The only branch is `noise`.

    Shape:
        x (N, maps * T, h, w), the present frame first -> (N, maps, h, w).
    """

    def __init__(self, config: AddUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = ("noise",)
        self.levels = len(config.widths)
        self.unshuffle = config.unshuffle
        self.frames, self.steady = 1 + config.temporal_radius, 1
        self.multiple_of = config.unshuffle * 2 ** sum(config.halve)
        self.halo, self.tileable = config.halo, True
        widths, kernels = config.widths, config.kernels
        self.stem = nn.Conv2d(config.maps * self.frames, widths[0], 3, padding=1)
        before = (widths[0], *widths[:-1])
        self.down = nn.ModuleList(
            Halve(a, b) if halve else nn.Identity()
            for a, b, halve in zip(before, widths, config.halve, strict=True)
        )
        self.up = nn.ModuleList(
            Enlarge(b, a) if halve else nn.Identity()
            for a, b, halve in zip(before, widths, config.halve, strict=True)
        )
        self.encoders = nn.ModuleList(
            nn.Conv2d(c, c, k, padding=k // 2) for c, k in zip(widths, kernels, strict=True)
        )
        self.decoders = nn.ModuleList(
            nn.Conv2d(c, c, k, padding=k // 2) for c, k in zip(widths, kernels, strict=True)
        )
        self.gates = nn.Parameter(torch.full((len(widths),), 0.5))  # b_1..b_L
        self.from_features = nn.Conv2d(widths[0], config.maps, 3, padding=1)
        self.from_input = nn.Conv2d(config.maps, config.maps, 3, padding=1, bias=False)
        with torch.no_grad():
            for layer in (self.from_features, self.from_input):
                layer.weight.mul_(0.1)

    def prepare(
        self,
        x: Tensor,
        branch: str = "noise",  # noqa: ARG002 - seams.Network
        gates: Sequence[float] | None = None,
    ) -> Tensor | None:
        """Context: a multiplier of each level's gate, (L,), or None; the network's own dial.

        Raises:
            UsageError: not as many gates as levels.
        """
        return gate_scales(gates, self.levels, x.device)

    def forward(self, x: Tensor, branch: str = "noise", context: Tensor | None = None) -> Tensor:  # noqa: ARG002 - seams.Network
        """Residual; `context` scales the gates."""
        gates = F.softplus(self.gates)  # (L,)
        gates = (gates if context is None else gates * context.to(gates)).to(x.dtype)
        state = conv_activate(self.stem, x)
        residuals = []
        for down, encoder in zip(self.down, self.encoders, strict=True):
            state = down(state)
            r = conv_activate(cast("nn.Conv2d", encoder), state)  # r_i
            state = state - r  # x_i
            residuals.append(r)
        for level in reversed(range(len(residuals))):
            skip = torch.addcmul(state, gates[level], residuals[level])  # u_i + a_i r_i
            state = self.up[level](conv_activate(cast("nn.Conv2d", self.decoders[level]), skip))  # u_{i-1}
        residual: Tensor = self.from_features(state)
        return residual.add_(self.from_input(x[:, : self.from_input.in_channels]))

    def folded(self, inward: Tensor, outward: Tensor) -> AddUNet:
        """The same function of other maps; see `ExpertNet.folded`."""
        net = copy.deepcopy(self)
        inward = basis(self.config.unshuffle) @ inward
        outward = outward @ inverse(self.config.unshuffle)
        fold_input(net.stem, inward)
        fold_input(net.from_input, inward)
        fold_output(net.from_input, outward)
        fold_output(net.from_features, outward)
        return net.requires_grad_(False).eval()
