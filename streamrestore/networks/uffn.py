"""The unified feature fusion network with path router, as published.

After "Unified Feature Fusion Network with Path Router for Multi-task Image Restoration" (Zhou et al.,
IEEE Xplore 9658001). An encoder and E experts serve all tasks; a path router opens one task's branch:

    J = (R, G, B, |d_x g| + |d_y g|)           g: the grey picture
    f = Encoder(J)                             half the picture's size
    task = argmax Router(f)
    m = gate1(Expert_1(f), .., Expert_E(f))    gate(v_1, .., v_k) = sum_i map_i v_i
    residual = Decoder(gate2(m, A(m), B(A(m))))

where the maps of a gate are one 3x3 convolution of all its inputs, and Expert, A and B are groups of
dilated convolutions (Eq. 1) in residual blocks.

Where the paper is silent, ours: the edge channel is the sum of magnitudes of forward differences, 0 past
the border; layers of encoder and decoder, and gates, after GCANet (Chen et al., 2018,
arXiv:1811.08747); three experts; groups of three blocks with dilations 1, 2, 4, smoothed by shared
separable convolutions (Wang, Ji, 2018, arXiv:1808.08931); stride 2 in the router. While it is trained
the label opens the branch. A picture whose sides are not even is padded by the caller, and what is
padded takes part in the normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.networks.rgb import RgbNetwork

DILATIONS = (1, 2, 4)
"""Of the blocks of a group."""
GREY = (0.299, 0.587, 0.114)
"""Red, green and blue in the grey picture whose edges are seen."""
EVERYBODY = "all"
"""Whose gate 1 is, where it is shared."""


@dataclass(frozen=True, slots=True)
class UFFNConfig:
    """Shape of a `UFFN`.

    Attributes:
        branches: the tasks.
        width: C, maps everywhere.
        experts: E; where gates are ``none`` there is only one.
        gates: an ablation. ``own``: each task has its gates. ``shared``: gate 1 serves all tasks.
            ``none``: one expert, and the last of a gate's inputs is taken as it is.
    """

    branches: tuple[str, ...] = ("rain", "haze", "raindrop")
    width: int = 64
    experts: int = 3
    gates: Literal["own", "shared", "none"] = "own"

    @property
    def groups(self) -> int:
        """Experts that there are."""
        return 1 if self.gates == "none" else self.experts

    @property
    def halo(self) -> int:
        """Pixels around a block of 2 that the convolutions see; the normalisation sees all."""
        group = sum(2 * (2 * d - 1) for d in DILATIONS)  # twice: dilated by d, smoothed by d - 1
        gate = 0 if self.gates == "none" else 1
        half = 1 + gate + 2 * group + gate + group  # back from the decoder, at half the size
        return 2 * half + 1 + 2  # encoder; edges look to that side where its stride looks one less far


def learns_on_cpu(x: Tensor, weight: Tensor) -> bool:
    """Whether gradients will be computed there, where some of torch's take ten times as long as others."""
    return x.device.type == "cpu" and torch.is_grad_enabled() and weight.requires_grad


class InstanceNorm(nn.GroupNorm):
    """Each map of each picture to mean 0 and variance 1, then scaled and shifted.

    As groups of one map: torch's own InstanceNorm leaves channels_last. Gradients do so, and come back.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, width)

    def forward(self, x: Tensor) -> Tensor:
        if not learns_on_cpu(x, self.weight):
            return super().forward(x)
        return super().forward(x.contiguous()).contiguous(memory_format=torch.channels_last)


def with_edges(x: Tensor) -> Tensor:
    """RGB (N, 3, H, W) -> RGB and edges (N, 4, H, W)."""
    grey = torch.einsum("c,nchw->nhw", x.new_tensor(GREY), x)[:, None]
    across = F.pad(grey.diff(dim=3), (0, 1))
    down = F.pad(grey.diff(dim=2), (0, 0, 0, 1))
    joined = torch.cat([x, across.abs() + down.abs()], dim=1)
    return joined.contiguous(memory_format=torch.channels_last)


class Smoothing(nn.Module):
    """Shared separable convolution: one kernel for all maps, the identity at first.

    Without it dilated convolutions leave grids, since neighbours share no sample. Of side 1, in front of
    a convolution that is not dilated, it is a factor that the normalisation takes back.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(1, 1, side, side))
        with torch.no_grad():
            self.kernel[..., side // 2, side // 2] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        maps, side = x.shape[1], self.kernel.shape[-1]
        if learns_on_cpu(x, self.kernel):
            apart = torch.eye(maps, device=x.device)[
                ..., None, None
            ]  # each map for itself, as a dense kernel
            return F.conv2d(x, apart * self.kernel, padding=side // 2)
        return F.conv2d(x, self.kernel.expand(maps, -1, -1, -1), padding=side // 2, groups=maps)


class DilatedBlock(nn.Module):
    """Smoothed dilated residual block, (N, C, h, w) -> the same.

    y = ReLU(IN(conv_d(s(x))));  y = IN(conv_d(s(y)));  ReLU(x + y)
    """

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Sequential(
                Smoothing(2 * dilation - 1),
                nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
                InstanceNorm(width),
            )
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


def group(width: int) -> nn.Sequential:
    """An expert, or a step of a branch."""
    return nn.Sequential(*(DilatedBlock(width, dilation) for dilation in DILATIONS))


class Gate(nn.Module):
    """Weights inputs per place: k of (N, C, h, w) -> (N, C, h, w)."""

    def __init__(self, width: int, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs * width, inputs, 3, padding=1)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        maps = self.conv(torch.cat(list(inputs), dim=1)).split(1, dim=1)
        mixed: Tensor = maps[0] * inputs[0]
        for weight, value in zip(maps[1:], inputs[1:], strict=True):
            mixed = torch.addcmul(mixed, weight, value)
        return mixed


class Last(nn.Module):
    """No gate: the last input as it is."""

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        return inputs[-1]


def gate(config: UFFNConfig, inputs: int) -> Gate | Last:
    """As the ablation has it."""
    return Last() if config.gates == "none" else Gate(config.width, inputs)


class TaskBranch(nn.Module):
    """What one task has for itself behind gate 1: (N, C, h, w) -> residual (N, 3, 2 h, 2 w)."""

    def __init__(self, config: UFFNConfig) -> None:
        super().__init__()
        width = config.width
        self.a, self.b = group(width), group(width)
        self.gate2 = gate(config, 3)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, bias=False),
            InstanceNorm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            InstanceNorm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 3, 1),
        )

    def forward(self, mixed: Tensor) -> Tensor:
        a = self.a(mixed)
        residual: Tensor = self.decoder(self.gate2((mixed, a, self.b(a))))
        return residual


class PathRouter(nn.Module):
    """Which task a picture needs: features (N, C, h, w) -> logits (N, tasks)."""

    def __init__(self, width: int, tasks: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
        )
        self.linear = nn.Linear(width, tasks)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.convs(features).mean(dim=(2, 3)))
        return logits


class UFFN(RgbNetwork):
    """Residuals of several tasks; for each picture one branch is computed, and no other.

    Shape:
        x (N, 3, H, W), RGB in [0, 1], H and W even -> residual (N, 3, H, W).
    """

    multiple_of = 2
    tileable = False  # the normalisation sees the whole picture

    def __init__(self, config: UFFNConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = config.branches
        self.halo = config.halo
        width = config.width
        self.encoder = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(maps, width, 3, stride=stride, padding=1, bias=False),
                    InstanceNorm(width),
                    nn.ReLU(inplace=True),
                )
                for maps, stride in ((4, 1), (width, 1), (width, 2))
            )
        )
        self.experts = nn.ModuleList(group(width) for _ in range(config.groups))
        owners = config.branches if config.gates == "own" else (EVERYBODY,)
        self.gate1 = nn.ModuleDict({owner: gate(config, config.groups) for owner in owners})
        self.tasks = nn.ModuleDict({name: TaskBranch(config) for name in config.branches})
        self.router = PathRouter(width, len(config.branches))

    def forward(
        self,
        x: Tensor,
        branch: str | Sequence[str] | None = None,
        context: Tensor | None = None,  # noqa: ARG002 - seams.Network
    ) -> Tensor:
        """Residuals.

        Args:
            branch: of all pictures, or of each; None: as the path router says.
        """
        features = self.encoder(with_edges(x))
        if branch is None:
            chosen = [self.branches[task] for task in self.router(features).argmax(dim=1).tolist()]
        else:
            chosen = [branch] * len(x) if isinstance(branch, str) else list(branch)
        return self._restored(features, chosen)

    def joint(self, x: Tensor, tasks: Sequence[str]) -> tuple[Tensor, Tensor]:
        """For training: residuals of the branches that labels open, and the router's logits (N, tasks)."""
        features = self.encoder(with_edges(x))
        return self._restored(features, tasks), self.router(features)

    def route(self, x: Tensor) -> Tensor:
        """Logits (N, tasks) of the path router, in the order of `branches`."""
        logits: Tensor = self.router(self.encoder(with_edges(x)))
        return logits

    def _restored(self, features: Tensor, tasks: Sequence[str]) -> Tensor:
        """Pictures of one task go through its branch together, and back to their places."""
        experts = [expert(features) for expert in self.experts]
        places: dict[str, list[int]] = {}
        for place, task in enumerate(tasks):
            places.setdefault(task, []).append(place)
        if len(places) == 1:
            return self._branch(experts, tasks[0])
        parts = [self._branch([e[rows] for e in experts], task) for task, rows in places.items()]
        order = torch.tensor([row for rows in places.values() for row in rows], device=features.device)
        return torch.cat(parts)[order.argsort()]

    def _branch(self, experts: Sequence[Tensor], task: str) -> Tensor:
        gate1 = self.gate1[task if task in self.gate1 else EVERYBODY]
        residual: Tensor = self.tasks[task](gate1(experts))
        return residual
