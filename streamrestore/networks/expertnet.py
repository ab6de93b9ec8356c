"""Experts shared by several weathers, weighted by each weather's own gates.

UFFN's idea (Zhou et al., IEEE Xplore 9658001) at a price that video can pay: the experts work on
pixel-unshuffled maps at three scales instead of three dilations, a gate of each branch weights them
per place, and only the branch that was chosen computes anything. Normalisation over space is
replaced by scale and shift from a global path, so that tiles give what whole pictures give.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.errors import UsageError
from streamrestore.networks.basis import basis, inverse
from streamrestore.networks.blocks import (
    Enlarge,
    Halve,
    ResidualBlock,
    activate,
    conv_activate,
    fold_input,
    fold_output,
)


@dataclass(frozen=True, slots=True)
class ExpertNetConfig:
    """Shape of an `ExpertNet`.

    Attributes:
        branches: one per weather.
        widths: maps at 1/4, 1/8 and 1/16 of the picture's size.
        blocks: residual blocks of the two coarser experts, and of each branch's own end.
        thumbnail: side of the whole picture's small copy that the global path sees.
        temporal_radius: past frames that are seen beside the present one.
    """

    branches: tuple[str, ...] = ("rain", "haze", "raindrop")
    unshuffle: int = 4
    widths: tuple[int, int, int] = (64, 96, 128)
    blocks: tuple[int, int, int] = (1, 1, 0)
    thumbnail: int = 32
    temporal_radius: int = 0

    @property
    def maps(self) -> int:
        """Maps of one unshuffled RGB picture."""
        return 3 * self.unshuffle**2

    @property
    def halo(self) -> int:
        """Pixels around a block of `multiple_of` that its result depends on, besides the global path."""
        reach = 2 + 2 * self.blocks[2]  # back from the result: tail, own
        reach = -(-reach // 2) + 1  # gates
        reach = -(-reach // 2) + 2 * self.blocks[1]
        reach = 2 * reach + 2 * self.blocks[0]
        return self.unshuffle * (2 * reach + 1)  # head


class GlobalPath(nn.Module):
    """What the whole picture looks like, as scale and shift of the experts' maps.

    Shape:
        pooled input (N, maps, S, S) -> features (N, 64).
    """

    width = 64

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(maps, 32, 1)
        self.second = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.third = nn.Conv2d(64, 64, 3, stride=2, padding=1)
        self.last = nn.Linear(128, self.width)

    def forward(self, pooled: Tensor) -> Tensor:
        z = activate(self.third(activate(self.second(activate(self.first(pooled))))))
        z = torch.cat([z.mean(dim=(2, 3)), z.amax(dim=(2, 3))], dim=1)  # (N, 128)
        return activate(self.last(z))


class BranchEnd(nn.Module):
    """What one weather has for itself: modulation, gates over the experts, and the way out."""

    def __init__(self, config: ExpertNetConfig) -> None:
        super().__init__()
        fine, middle, coarse = config.widths
        self.modulation = nn.Linear(GlobalPath.width, 2 * (middle + coarse))
        self.gates = nn.Conv2d(3 * middle, 3, 3, padding=1)
        self.own = nn.Conv2d(fine, fine, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(fine) for _ in range(config.blocks[2])))
        self.from_features = nn.Conv2d(fine, config.maps + 1, 3, padding=1)
        self.from_input = nn.Conv2d(config.maps, config.maps + 1, 3, padding=1, bias=False)
        with torch.no_grad():
            for layer in (self.modulation, self.gates, self.from_features, self.from_input):
                layer.weight.mul_(0.1)
            self.modulation.bias.zero_()
            self.from_features.bias = nn.Parameter(torch.zeros(config.maps + 1))
            self.gates.bias = nn.Parameter(torch.ones(3))  # all experts open


class ExpertNet(nn.Module):
    """Residuals of rain, haze and raindrops from one trunk.

    Three experts meet at 1/8 of the picture's size: what enters it, what residual blocks make of
    it there, and what they make of it at 1/16. Input and result are unshuffled RGB in the basis of
    `basis`; `folded` gives a network for any other. The residual is ``tail(features, x) + s x`` with
    one gain s per place: a veil is removed by multiplication (Koschmieder: J - I = (1/t - 1)(I - A)),
    and a gain that is the same for all maps of a place means the same in every basis.

    Shape:
        x (N, maps * T, h, w), the present frame first; context (N, 64) -> (N, maps, h, w);
        h and w multiples of 4.
    """

    def __init__(self, config: ExpertNetConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = config.branches
        self.multiple_of = 4 * config.unshuffle
        self.halo = config.halo
        fine, middle, coarse = config.widths
        frames = 1 + config.temporal_radius
        self.head = nn.Conv2d(config.maps * frames, fine, 3, padding=1)
        self.to_middle = Halve(fine, middle)
        self.middle = nn.Sequential(*(ResidualBlock(middle) for _ in range(config.blocks[0])))
        self.to_coarse = Halve(middle, coarse)
        self.coarse = nn.Sequential(*(ResidualBlock(coarse) for _ in range(config.blocks[1])))
        self.from_coarse = Enlarge(coarse, middle)
        self.to_fine = Enlarge(middle, fine)
        self.global_path = GlobalPath(config.maps)
        self.ends = nn.ModuleDict({name: BranchEnd(config) for name in config.branches})

    def prepare(self, x: Tensor, gates: Sequence[float] | None = None) -> Tensor:
        """Context of whole pictures: (N, maps, h, w) -> (N, 64).

        Raises:
            UsageError: `gates` were given; those of this network follow from the picture.
        """
        if gates is not None:
            raise UsageError("gates can be set for the noise branch only")
        pooled = F.adaptive_avg_pool2d(x, self.config.thumbnail)
        with torch.autocast(x.device.type, enabled=False):  # few values: their gradients need fp32
            features: Tensor = self.global_path(pooled.to(self.global_path.first.weight.dtype))
        return features

    def forward(self, x: Tensor, branch: str, context: Tensor | None = None) -> Tensor:
        """Residual of one branch; the whole picture's `context` is made from x if not given."""
        end = self.ends[branch]
        assert isinstance(end, BranchEnd)
        maps = end.from_input.in_channels
        now = x[:, :maps]
        context = self.prepare(now) if context is None else context
        _, width_m, width_c = self.config.widths
        modulation = end.modulation(context)[..., None, None]  # (N, 2 (C2 + C3), 1, 1)
        widths = [width_m, width_m, width_c, width_c]
        scale_m, shift_m, scale_c, shift_c = modulation.split(widths, dim=1)

        fine = conv_activate(self.head, x)  # (N, C1, h, w)
        entry = conv_activate(self.to_middle, fine)  # (N, C2, h/2, w/2)
        middle = self.middle(torch.addcmul(entry + shift_m, entry, scale_m))
        coarse = conv_activate(self.to_coarse, middle)  # (N, C3, h/4, w/4)
        coarse = self.coarse(torch.addcmul(coarse + shift_c, coarse, scale_c))

        experts = (entry, middle, self.from_coarse(coarse))
        gates = end.gates(torch.cat(experts, dim=1)).split(1, dim=1)  # 3 x (N, 1, h/2, w/2)
        mixed = gates[0] * experts[0]
        for gate, expert in zip(gates[1:], experts[1:], strict=True):
            mixed = torch.addcmul(mixed, gate, expert)
        features = end.blocks(conv_activate(end.own, activate(self.to_fine(mixed).add_(fine))))
        out = end.from_features(features).add_(end.from_input(now))  # (N, maps + 1, h, w)
        return torch.addcmul(out[:, :maps], out[:, maps:], now)

    def folded(self, inward: Tensor, outward: Tensor) -> ExpertNet:
        """The same function of other maps z.

        Args:
            inward: A, (maps, K): unshuffled RGB in [0, 1] is A z.
            outward: B, (K, maps): the result is B times the residual of unshuffled RGB; B A = 1.

        Returns:
            A network (N, K * T, h, w) -> (N, K, h, w) without gradients.
        """
        net = copy.deepcopy(self)
        inward = basis(self.config.unshuffle) @ inward
        outward = outward @ inverse(self.config.unshuffle)
        for conv in (net.head, net.global_path.first):
            fold_input(conv, inward)
        for end in net.ends.values():
            assert isinstance(end, BranchEnd)
            fold_input(end.from_input, inward)
            fold_output(end.from_input, outward)
            fold_output(end.from_features, outward)
        return net.requires_grad_(False).eval()
