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
    conv_add,
    fold_input,
    fold_output,
)


@dataclass(frozen=True, slots=True)
class ExpertNetConfig:
    """Shape of an `ExpertNet`.

    Attributes:
        branches: one per weather.
        see_whole: of them, those that look at the whole picture before they look at a part.
        widths: maps at 1/4, 1/8 and 1/16 of the picture's size.
        blocks: residual blocks of the two coarser experts, and of each branch's own end.
        temporal_radius: past frames that are seen beside the present one.
    """

    branches: tuple[str, ...] = ("rain", "haze", "raindrop")
    see_whole: tuple[str, ...] = ("haze",)
    unshuffle: int = 4
    widths: tuple[int, int, int] = (64, 96, 128)
    blocks: tuple[int, int, int] = (1, 1, 0)
    temporal_radius: int = 0

    @property
    def maps(self) -> int:
        """Maps of one unshuffled RGB picture."""
        return 3 * self.unshuffle**2

    @property
    def halo(self) -> int:
        """Pixels around a block of `multiple_of` that its result depends on, besides the global path."""
        fine = 2 + 2 * self.blocks[2]  # back from the result: tail, own
        middle = -(-fine // 2)
        coarse = -(-middle // 2) + 2 * self.blocks[1]
        middle = max(2 * coarse, middle + 1) + 2 * self.blocks[0]  # the gates see one more
        return self.unshuffle * (2 * middle + 1)  # head


class GlobalPath(nn.Module):
    """What the whole picture looks like, place by place, at a size that is the same for all pictures.

    It sees a thumbnail of mean colours. Detail is kept from it, since a small picture's thumbnail
    holds more of it than a large one's, and frames are larger than what is trained on.

    Shape:
        (N, maps, h, w) -> (N, `OUT`, `SIDE` / 2, `SIDE` / 2).
    """

    SIDE = 64
    """Of the thumbnail."""
    OUT = 16
    WIDTHS = (64, 96, 128)
    """At 1/2, 1/4 and 1/8 of the thumbnail's size."""

    def __init__(self, config: ExpertNetConfig) -> None:
        super().__init__()
        fine, middle, coarse = self.WIDTHS
        self.means = nn.Conv2d(config.maps, 3, 1, bias=False).requires_grad_(False)
        self.head = nn.Conv2d(3, fine, 2, stride=2)
        self.fine = nn.Sequential(ResidualBlock(fine), ResidualBlock(fine))
        self.to_middle = Halve(fine, middle)
        self.middle = nn.Sequential(ResidualBlock(middle), ResidualBlock(middle))
        self.to_coarse = Halve(middle, coarse)
        self.coarse = nn.Sequential(ResidualBlock(coarse), ResidualBlock(coarse))
        self.whole = nn.Linear(2 * coarse, coarse)
        self.from_coarse = Enlarge(coarse, middle)
        self.from_middle = Enlarge(middle, fine)
        self.tail = nn.Conv2d(fine, self.OUT, 3, padding=1)
        with torch.no_grad():
            self.means.weight.zero_()
            for colour in range(3):
                self.means.weight[colour, colour * config.unshuffle**2] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        thumbnail = F.adaptive_avg_pool2d(self.means(x), self.SIDE)  # three maps, not all, are pooled
        fine = self.fine(conv_activate(self.head, thumbnail))
        middle = self.middle(conv_activate(self.to_middle, fine))
        coarse = self.coarse(conv_activate(self.to_coarse, middle))
        whole = torch.cat([coarse.mean(dim=(2, 3)), coarse.amax(dim=(2, 3))], dim=1)
        coarse = coarse + self.whole(whole)[..., None, None]
        middle = activate(self.from_coarse(coarse) + middle)
        maps: Tensor = self.tail(activate(self.from_middle(middle) + fine))
        return maps


class Modulation(nn.Module):
    """Scale and shift of maps, instead of a normalisation over space.

    Shape:
        x (N, C, h, w), context (N, `GlobalPath.OUT`, h, w) or None -> (N, C, h, w).
    """

    def __init__(self, width: int, *, sees_whole: bool) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(2 * width))
        self.placed = nn.Conv2d(GlobalPath.OUT, 2 * width, 1, bias=False) if sees_whole else None
        if self.placed is not None:
            with torch.no_grad():
                self.placed.weight.mul_(0.1)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        both = self.constant[:, None, None]
        if self.placed is None:
            both = both.to(x.dtype)
        else:
            with torch.autocast(x.device.type, enabled=False):  # for the sake of its gradients
                both = both + self.placed(context.to(self.placed.weight.dtype))
        scale, shift = both.chunk(2, dim=-3)
        return torch.addcmul(x + shift, x, scale)


class BranchEnd(nn.Module):
    """What one weather has for itself: modulation, gates over the experts, and the way out."""

    def __init__(self, config: ExpertNetConfig, *, sees_whole: bool) -> None:
        super().__init__()
        fine, middle, coarse = config.widths
        self.global_path = GlobalPath(config) if sees_whole else None
        self.at_middle = Modulation(middle, sees_whole=sees_whole)
        self.at_coarse = Modulation(coarse, sees_whole=sees_whole)
        self.gates = nn.Conv2d(middle, 3, 3, padding=1)
        self.own = nn.Conv2d(fine, fine, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(fine) for _ in range(config.blocks[2])))
        self.from_features = nn.Conv2d(fine, config.maps + 1, 3, padding=1)
        self.from_input = nn.Conv2d(config.maps, config.maps + 1, 3, padding=1, bias=False)
        with torch.no_grad():
            for layer in (self.gates, self.from_features, self.from_input):
                layer.weight.mul_(0.1)
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
        x (N, maps * T, h, w), the present frame first; context (N, M) -> (N, maps, h, w);
        h and w multiples of 4.
    """

    def __init__(self, config: ExpertNetConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = config.branches
        self.unshuffle = config.unshuffle
        self.frames = 1 + config.temporal_radius
        self.multiple_of = 4 * config.unshuffle
        self.halo = config.halo
        fine, middle, coarse = config.widths
        self.head = nn.Conv2d(config.maps * self.frames, fine, 3, padding=1)
        self.to_middle = Halve(fine, middle)
        self.middle = nn.Sequential(*(ResidualBlock(middle) for _ in range(config.blocks[0])))
        self.to_coarse = Halve(middle, coarse)
        self.coarse = nn.Sequential(*(ResidualBlock(coarse) for _ in range(config.blocks[1])))
        self.from_coarse = Enlarge(coarse, middle)
        self.to_fine = Enlarge(middle, fine)
        self.ends = nn.ModuleDict(
            {name: BranchEnd(config, sees_whole=name in config.see_whole) for name in config.branches}
        )

    def prepare(self, x: Tensor, branch: str, gates: Sequence[float] | None = None) -> Tensor | None:
        """Context of whole pictures: (N, maps, h, w) -> (N, M, h/2, w/2), or None for a local branch.

        Raises:
            UsageError: `gates` were given; those of this network follow from the picture.
        """
        if gates is not None:
            raise UsageError("gates can be set for the noise branch only")
        seen = self.look(x, branch)
        if seen is None:
            return None
        return F.interpolate(seen, (x.shape[-2] // 2, x.shape[-1] // 2), mode="bilinear")

    def look(self, x: Tensor, branch: str) -> Tensor | None:
        """Whole pictures (N, maps, h, w) as `GlobalPath` sees them, or None for a local branch."""
        end = self._end(branch)
        path = end.global_path
        if path is None:
            return None
        with torch.autocast(x.device.type, enabled=False):  # all places hang on it: its gradients need fp32
            now = x[:, : end.from_input.in_channels].to(path.tail.weight.dtype)
            seen: Tensor = path(now)
        return seen

    def forward(self, x: Tensor, branch: str, context: Tensor | None = None) -> Tensor:
        """Residual of one branch; the `context` of its place is made from x if not given."""
        end = self._end(branch)
        maps = end.from_input.in_channels
        now = x[:, :maps]
        context = self.prepare(x, branch) if context is None else context
        coarse_context = None if context is None else F.avg_pool2d(context, 2)

        fine = conv_activate(self.head, x)  # (N, C1, h, w)
        entry = conv_activate(self.to_middle, fine)  # (N, C2, h/2, w/2)
        middle = self.middle(end.at_middle(entry, context))
        coarse = conv_activate(self.to_coarse, middle)  # (N, C3, h/4, w/4)
        coarse = self.coarse(end.at_coarse(coarse, coarse_context))

        experts = (entry, middle, self.from_coarse(coarse))
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
            if end.global_path is not None:
                fold_input(end.global_path.means, inward)
            fold_input(end.from_input, inward)
            fold_output(end.from_input, outward)
            fold_output(end.from_features, outward)
        return net.requires_grad_(False).eval()
