"""Haze by its physics: a small network looks at the whole picture, and says how dense the veil is where.

The scattering model (Koschmieder) has I = J t + A (1 - t); hence J - I = s (I - A) with s = 1/t - 1. The
network estimates s and the airlight A from a thumbnail, so that all sizes of pictures look alike to it. The
gain s is a curve of brightness for each cell of a coarse grid (a bilateral grid: Chen, Paris and Durand,
2007; learnt: Gharbi et al., 2017, arXiv:1707.02880), so it follows edges that the thumbnail does not show.
Nothing else can be added to the picture: no texture is made up.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.errors import UsageError
from streamrestore.networks.basis import basis, inverse
from streamrestore.networks.blocks import Enlarge, Halve, ResidualBlock, activate, conv_activate

MARGIN = 8
"""Of repeated samples around the thumbnail, so that its border looks to the network like the rest."""
BRIGHTNESS = (0.299, 0.587, 0.114)
"""Of red, green and blue, in what the curves are curves of."""


@dataclass(frozen=True, slots=True)
class HazeNetConfig:
    """Shape of a `HazeNet`.

    Attributes:
        side: of the thumbnail.
        widths: maps at 1/2, 1/4, 1/8 and 1/16 of its size; the first is that of the grid.
        blocks: residual blocks there, on the way down.
        knots: of each curve.
        steady: frames whose estimates are averaged.
    """

    unshuffle: int = 4
    side: int = 128
    widths: tuple[int, int, int, int] = (64, 96, 128, 128)
    blocks: tuple[int, int, int, int] = (2, 3, 3, 2)
    knots: int = 6
    steady: int = 5

    @property
    def maps(self) -> int:
        """Maps of one unshuffled RGB picture."""
        return 3 * self.unshuffle**2


class Mix(nn.Module):
    """Linear combinations of maps by a matrix (O, M): (N, M, h, w) -> (N, O, h, w), in float32."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix: Tensor
        self.register_buffer("matrix", matrix.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return F.conv2d(x.float(), self.matrix.float()[:, :, None, None])


class HazeNet(nn.Module):
    """Residual of haze.

    `enter` leads to maps of which each belongs to one place of its block of pixels or to a few, `leave`
    back. Of those maps, `means` are the mean colours, `brightness` is that of each place, `spread` makes
    of a gain for each place one for each map, and `tint` makes maps of a colour.

    Shape:
        x (N, maps, h, w), context (N, `knots` + 3, a, b) -> (N, maps, h, w).
    """

    def __init__(self, config: HazeNetConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = ("haze",)
        self.unshuffle = self.multiple_of = config.unshuffle
        self.frames, self.steady = 1, config.steady
        self.halo, self.tileable = 0, True
        widths, count = config.widths, config.unshuffle**2
        self.head = nn.Conv2d(3, widths[0], 2, stride=2)
        self.down = nn.ModuleList(Halve(a, b) for a, b in itertools.pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(number)))
            for width, number in zip(widths, config.blocks, strict=True)
        )
        self.whole = nn.Linear(2 * widths[-1], widths[-1])
        self.up = nn.ModuleList(Enlarge(b, a) for a, b in itertools.pairwise(widths))
        self.gain = nn.Conv2d(widths[0], config.knots, 3, padding=1)
        self.airlight = nn.Conv2d(widths[-1], 3, 3, padding=1)
        with torch.no_grad():
            for layer in (self.gain, self.airlight):
                layer.weight.mul_(0.1)
            self.gain.bias = nn.Parameter(torch.zeros(config.knots))  # starts without haze
            self.airlight.bias = nn.Parameter(torch.full((3,), 0.8))
        places = torch.eye(count)
        self.enter: nn.Module = Mix(inverse(config.unshuffle))
        self.leave: nn.Module = Mix(basis(config.unshuffle))
        self.means = Mix(torch.kron(torch.eye(3), torch.ones(1, count) / count))
        self.brightness = Mix(torch.kron(torch.tensor([BRIGHTNESS]), places))
        self.spread = Mix(torch.kron(torch.ones(3, 1), places))
        self.tint = Mix(torch.kron(torch.eye(3), torch.ones(count, 1)))

    def prepare(self, x: Tensor, branch: str, gates: Sequence[float] | None = None) -> Tensor:  # noqa: ARG002 - seams.Network
        """Curves and airlight of whole pictures: (N, maps, h, w) -> (N, `knots` + 3, a, b), float32.

        Raises:
            UsageError: `gates` were given; this network has none.
        """
        if gates is not None:
            raise UsageError("gates can be set for the noise branch only")
        colours = self.means(self.enter(x))
        z = F.adaptive_avg_pool2d(colours, self.config.side).to(self.head.weight.dtype)
        z = F.pad(z, (MARGIN,) * 4, mode="replicate")
        z = conv_activate(self.head, z.contiguous(memory_format=torch.channels_last))
        levels = []
        for halve, blocks in zip((None, *self.down), self.blocks, strict=True):
            z = blocks(z if halve is None else conv_activate(halve, z))
            levels.append(z)
        whole = torch.cat([z.mean(dim=(2, 3)), z.amax(dim=(2, 3))], dim=1)
        z = activate(z + self.whole(whole)[..., None, None])
        airlight = self.airlight(z)
        for enlarge, level in zip(reversed(self.up), reversed(levels[:-1]), strict=True):
            z = activate(enlarge(z) + level)
        curves = self.gain(z)
        grid = torch.cat([curves.float(), _placed(airlight, curves)], dim=1)
        inner = slice(MARGIN // 2, -MARGIN // 2)
        return grid[..., inner, inner]

    def forward(self, x: Tensor, branch: str, context: Tensor | None = None) -> Tensor:
        """The residual in float32; `context` is made from x if not given."""
        context = self.prepare(x, branch) if context is None else context
        curves, airlight = _placed(context, x).split((self.config.knots, 3), dim=1)
        z = self.enter(x).float()
        gain = self.spread(_at(curves, self.brightness(z)))
        residual: Tensor = self.leave(gain * (z - self.tint(airlight)))
        return residual

    def folded(self, inward: Tensor, outward: Tensor) -> HazeNet:
        """The same function of other maps, of the kind that `enter` leads to; see `ExpertNet.folded`."""
        net = copy.deepcopy(self)
        a, b = inward.float(), outward.float()
        parts = b.reshape(len(b), 3, -1).abs().sum(dim=1)  # what each place is for each map
        net.enter, net.leave = nn.Identity(), nn.Identity()
        net.means, net.brightness = Mix(self.means.matrix @ a), Mix(self.brightness.matrix @ a)
        net.spread, net.tint = Mix(parts / parts.sum(dim=1, keepdim=True)), Mix(b @ self.tint.matrix)
        return net.requires_grad_(False).eval()


def _placed(maps: Tensor, like: Tensor) -> Tensor:
    """Maps of a whole picture at the size of others; in float32, as steps of bf16 would be seen in a sky."""
    return F.interpolate(maps.float(), like.shape[-2:], mode="bilinear")


def _at(curves: Tensor, brightness: Tensor) -> Tensor:
    """Piecewise linear curves over [0, 1], of whose ends nothing is seen beyond.

    Args:
        curves: values at the knots, (N, K, h, w).
        brightness: (N, P, h, w); P values for each curve.
    """
    last = curves.shape[1] - 1
    u = (brightness * last).clamp(0, last)
    slopes = curves[:, 1:] - curves[:, :-1]
    result = torch.addcmul(curves[:, :1], slopes[:, :1], u)
    for knot in range(1, last):
        bend = slopes[:, knot : knot + 1] - slopes[:, knot - 1 : knot]
        result = torch.addcmul(result, bend, (u - knot).clamp(min=0))
    return result
