"""Experts shared by several weathers, weighted by each weather's own gates.

UFFN's idea (Zhou et al., IEEE Xplore 9658001) at a price that video can pay: the experts work on
pixel-unshuffled maps at three scales instead of three dilations, a gate of each branch weights them
per place, and only the branch that was chosen computes anything. Normalisation over space is
replaced by a scale and shift of each branch, so that tiles give what whole pictures give.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from streamrestore.errors import UsageError
from streamrestore.networks.basis import basis, inverse
from streamrestore.networks.blocks import (
    Enlarge,
    Halve,
    ResidualBlock,
    activate,
    conv_activate,
    conv_add,
    fold_input,
    fold_output,
)


@dataclass(frozen=True, slots=True)
class ExpertNetConfig:
    """Shape of an `ExpertNet`.

    Attributes:
        branches: one per weather.
        widths: maps at 1/n of the picture's size (n is `unshuffle`), 1/2n, 1/4n and, for the third expert to
            see further, at any number of coarser scales.
        blocks: residual blocks at all of these but the first, and of each branch's own end.
        temporal_radius: past frames that are seen beside the present one.
    """

    branches: tuple[str, ...] = ("rain", "raindrop")
    unshuffle: int = 4
    widths: tuple[int, ...] = (64, 96, 128)
    blocks: tuple[int, ...] = (1, 1, 0)
    temporal_radius: int = 0

    @property
    def maps(self) -> int:
        """Maps of one unshuffled RGB picture."""
        return 3 * self.unshuffle**2

    @property
    def halo(self) -> int:
        """Pixels around a block of `multiple_of` that its result depends on."""
        fine = 2 + 2 * self.blocks[-1]  # back from the result: tail, own
        middle = -(-fine // 2)
        coarse = _reach(-(-middle // 2), self.blocks[1:-1])
        middle = max(2 * coarse, middle + 1) + 2 * self.blocks[0]  # the gates see one more
        return self.unshuffle * (2 * middle + 1)  # head


def _reach(need: int, blocks: tuple[int, ...]) -> int:
    """Samples around `need` of a scale's result that its input has to have; coarser scales follow."""
    further = 2 * _reach(-(-need // 2), blocks[1:]) if blocks[1:] else 0
    return max(need, further) + 2 * blocks[0]


class Scale(nn.Module):
    """One scale further down, and back up: (N, `fine`, h, w) <-> (N, `coarse`, h/2, w/2)."""

    def __init__(self, fine: int, coarse: int, blocks: int) -> None:
        super().__init__()
        self.down = Halve(fine, coarse)
        self.blocks = nn.Sequential(*(ResidualBlock(coarse) for _ in range(blocks)))
        self.up = Enlarge(coarse, fine)


class BranchEnd(nn.Module):
    """What one weather has for itself: modulation, gates over the experts, and the way out."""

    def __init__(self, config: ExpertNetConfig) -> None:
        super().__init__()
        fine, middle = config.widths[:2]
        self.modulation = nn.Parameter(torch.zeros(2 * sum(config.widths[1:])))
        self.gates = nn.Conv2d(middle, 3, 3, padding=1)
        self.own = nn.Conv2d(fine, fine, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(fine) for _ in range(config.blocks[-1])))
        self.from_features = nn.Conv2d(fine, config.maps + 1, 3, padding=1)
        self.from_input = nn.Conv2d(config.maps, config.maps + 1, 3, padding=1, bias=False)
        with torch.no_grad():
            for layer in (self.gates, self.from_features, self.from_input):
                layer.weight.mul_(0.1)
            self.from_features.bias = nn.Parameter(torch.zeros(config.maps + 1))
            self.gates.bias = nn.Parameter(torch.ones(3))  # all experts open


class ExpertNet(nn.Module):
    """Residuals of rain and raindrops from one trunk.

    Three experts meet at 1/8 of the picture's size (1/2n): what enters it, what residual blocks make of it
    there, and what they make of it at 1/16 and coarser scales. Input and result are unshuffled RGB in the
    basis of `basis`; `folded` gives a network for any other. The residual is ``tail(features, x) + s x`` with
    one gain s per place: a veil is removed by multiplication (Koschmieder: J - I = (1/t - 1)(I - A)),
    and a gain that is the same for all maps of a place means the same in every basis.

    Shape:
        x (N, maps * T, h, w), the present frame first -> (N, maps, h, w); h and w multiples of
        `multiple_of` / n.
    """

    def __init__(self, config: ExpertNetConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = config.branches
        self.unshuffle = config.unshuffle
        self.frames, self.steady = 1 + config.temporal_radius, 1
        self.multiple_of = config.unshuffle * 2 ** (len(config.widths) - 1)
        self.halo, self.tileable = config.halo, True
        widths, blocks = config.widths, config.blocks
        self.head = nn.Conv2d(config.maps * self.frames, widths[0], 3, padding=1)
        self.to_middle = Halve(widths[0], widths[1])
        self.middle = nn.Sequential(*(ResidualBlock(widths[1]) for _ in range(blocks[0])))
        self.scales = nn.ModuleList(
            Scale(fine, coarse, number)
            for (fine, coarse), number in zip(itertools.pairwise(widths[1:]), blocks[1:-1], strict=True)
        )
        self.to_fine = Enlarge(widths[1], widths[0])
        self._modulated = [width for width in widths[1:] for _ in ("scale", "shift")]
        self.ends = nn.ModuleDict({name: BranchEnd(config) for name in config.branches})

    def prepare(
        self,
        x: Tensor,  # noqa: ARG002 - seams.Network
        branch: str,  # noqa: ARG002 - seams.Network
        gates: Sequence[float] | None = None,
    ) -> None:
        """No branch needs to see the whole picture.

        Raises:
            UsageError: `gates` were given; those of this network follow from the picture.
        """
        if gates is not None:
            raise UsageError("gates can be set for the noise branch only")

    def forward(self, x: Tensor, branch: str, context: Tensor | None = None) -> Tensor:  # noqa: ARG002 - seams.Network
        """Residual of one branch."""
        end = self._end(branch)
        maps = end.from_input.in_channels
        now = x[:, :maps]
        modulation = iter(end.modulation.to(x.dtype)[:, None, None].split(self._modulated))

        fine = conv_activate(self.head, x)  # (N, C1, h, w)
        entry = conv_activate(self.to_middle, fine)  # (N, C2, h/2, w/2)
        middle = z = self.middle(_modulated(entry, modulation))
        scales, found = cast("list[Scale]", [*self.scales]), []
        for scale in scales:
            z = scale.blocks(_modulated(conv_activate(scale.down, z), modulation))  # (N, C3, h/4, w/4) ...
            found.append(z)
        z = found.pop()
        for scale in reversed(scales[1:]):
            z = activate(scale.up(z)) + found.pop()
        experts = (entry, middle, scales[0].up(z))

        gates = end.gates(middle).split(1, dim=1)  # 3 x (N, 1, h/2, w/2)
        mixed = gates[0] * experts[0]
        for gate, expert in zip(gates[1:], experts[1:], strict=True):
            mixed = torch.addcmul(mixed, gate, expert)
        features = end.blocks(conv_activate(end.own, self.to_fine(mixed).add_(fine)))
        out = conv_add(end.from_input, now, end.from_features(features))  # (N, maps + 1, h, w)
        return torch.addcmul(out[:, :maps], out[:, maps:], now)

    def _end(self, branch: str) -> BranchEnd:
        end = self.ends[branch]
        assert isinstance(end, BranchEnd)
        return end

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
        fold_input(net.head, inward)
        for branch in net.branches:
            end = net._end(branch)  # noqa: SLF001 - a copy of itself
            fold_input(end.from_input, inward)
            fold_output(end.from_input, outward)
            fold_output(end.from_features, outward)
        return net.requires_grad_(False).eval()


def _modulated(x: Tensor, modulation: Iterator[Tensor]) -> Tensor:
    """By the next scale and shift."""
    scale, shift = next(modulation), next(modulation)
    return torch.addcmul(x + shift, x, scale)
