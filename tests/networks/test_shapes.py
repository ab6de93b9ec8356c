"""What callers rely on: sizes, halos and costs are as declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from streamrestore.networks import registry
from streamrestore.networks.baselines import DnCNN, DnCNNConfig, PlainUNet, PlainUNetConfig
from streamrestore.networks.cost import gmac_per_megapixel
from streamrestore.seams import Network
from tests.networks.nets import (
    lively,
    small_addunet,
    small_expertnet,
    small_hazenet,
    small_paper_addunet,
    small_uffn,
)


def without_norms(**shape: Any) -> nn.Module:
    """A `UFFN` of convolutions alone."""
    net = small_uffn(width=4, **shape)
    for module in [*net.modules()]:
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.Identity())
    return net


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "expertnet": small_expertnet,
    "expertnet, more blocks": lambda: small_expertnet(blocks=(2, 2, 1)),
    "expertnet, more scales": lambda: small_expertnet(widths=(8, 12, 16, 16, 8), blocks=(1, 1, 0, 1, 0)),
    "expertnet, fewer": lambda: small_expertnet(blocks=(0, 1, 0)),
    "hazenet": small_hazenet,
    "addunet": small_addunet,
    "addunet, one size": lambda: small_addunet(
        widths=(8,) * 3, halve=(False, False, False), kernels=(5, 3, 1)
    ),
    "addunet, five levels": lambda: small_addunet(
        widths=(8,) * 5, kernels=(5, 3, 3, 3, 1), halve=(False, True, False, True, False)
    ),
    "addunet-paper": lambda: small_paper_addunet(width=4),
    "plainunet": lambda: lively(PlainUNet(PlainUNetConfig(width=4))),
    "dncnn": lambda: lively(DnCNN(DnCNNConfig(width=4, depth=5))),
    "uffn": without_norms,
    "uffn, no gates": lambda: without_norms(gates="none"),
}
FAST = {"addunet": ["noise"], "expertnet": ["rain", "raindrop"], "hazenet": ["haze"]}


@pytest.mark.parametrize("name", NETWORKS)
def test_halo_is_true_and_tight(name: str) -> None:
    """A block of `multiple_of` pixels depends on what lies within the halo around it, and that far."""
    network = NETWORKS[name]().double()
    branch, step = network.branches[0], network.multiple_of // network.unshuffle
    halo = -(-network.halo // network.unshuffle)
    side = (2 * halo // step + 7) * step
    maps = 3 * network.unshuffle**2
    x = torch.randn(1, maps, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    context = network.prepare(x, branch)
    before = network(x, branch, context)
    reached = 0
    for place in range(side // 2, side // 2 + step):  # every position within a block
        changed = x.clone()
        changed[:, :, place, place] += 1.0
        moved = (network(changed, branch, context) - before).abs().amax(dim=(0, 1)) > 0
        for line in (moved.any(dim=0), moved.any(dim=1)):
            first = int(line.nonzero().min()) // step * step
            last = int(line.nonzero().max()) // step * step + step - 1
            reached = max(
                reached, place - last, first - place, place - (first + step - 1), last - step + 1 - place
            )

    assert reached == halo


@pytest.mark.parametrize("name", NETWORKS)
def test_result_has_the_shape_of_the_picture(name: str) -> None:
    """At the least size, and at sizes that are not square."""
    network = NETWORKS[name]()
    least = network.multiple_of // network.unshuffle
    for h, w in ((least, least), (3 * least, 2 * least)):
        x = torch.randn(2, 3 * network.unshuffle**2, h, w)
        assert network(x, network.branches[0]).shape == x.shape


@pytest.mark.parametrize(("name", "branch"), [(n, b) for n, bs in FAST.items() for b in bs])
def test_fast_tier_is_affordable(name: str, branch: str) -> None:
    """At most 10 GMAC per megapixel from planes to planes, as the budget says; and it is no toy."""
    network: Network = registry.build(name, {})  # type: ignore[assignment]

    planes, rgb = (gmac_per_megapixel(network, branch, rgb=rgb) for rgb in (False, True))

    assert 1 < planes <= 10
    assert planes < rgb


PUBLISHED = [
    ("uffn", {}, 2.489e6, 393),
    ("uffn", {"width": 32}, 0.634e6, 102),
    ("addunet-paper", {"channels": 1}, 1.353e6, 1352),
    ("addunet-paper", {}, 1.354e6, 1354),
]


@pytest.mark.parametrize(("name", "shape", "parameters", "gmac"), PUBLISHED)
def test_published_networks_are_as_large_as_was_counted(
    name: str, shape: dict[str, Any], parameters: float, gmac: float
) -> None:
    """Parameters, and GMAC per megapixel of one branch, within 1 %."""
    network = registry.build(name, shape)

    assert sum(p.numel() for p in network.parameters()) == pytest.approx(parameters, rel=0.01)
    assert gmac_per_megapixel(network, network.branches[0]) == pytest.approx(gmac, rel=0.01)  # type: ignore[arg-type,index]


@pytest.mark.parametrize("name", ["uffn", "addunet-paper", "dncnn", "plainunet"])
def test_published_networks_see_rgb_alone(name: str) -> None:
    """As it is they take it, and nothing else; the copy has the same tensors and no gradients."""
    network = registry.build(name, {"width": 8})
    unit = torch.eye(3, dtype=torch.float64)

    folded = network.folded(unit, unit)

    assert not folded.training
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in folded.state_dict().items())
    assert not any(p.requires_grad for p in folded.parameters())
    with pytest.raises(ValueError, match="3 channels"):
        network.folded(2 * unit, unit / 2)
    with pytest.raises(ValueError, match="3 channels"):
        network.folded(torch.eye(48), torch.eye(48))


def test_cost_of_a_known_network() -> None:
    """One 3x3 convolution from 24 to 24 maps at a quarter of the size: 24 * 24 * 9 / 16 per pixel."""

    class One(nn.Module):
        branches, unshuffle, frames, multiple_of, halo = ("noise",), 4, 1, 4, 4

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(24, 24, 3, padding=1)

        def folded(self, inward: torch.Tensor, outward: torch.Tensor) -> One:
            assert inward.shape == (48, 24)
            assert outward.shape == (24, 48)
            return self

        def forward(self, x: torch.Tensor, branch: str) -> torch.Tensor:
            assert branch == "noise"
            return self.conv(x)

    cost = gmac_per_megapixel(One(), "noise")  # type: ignore[arg-type]

    assert cost == pytest.approx(24 * 24 * 9 / 16 / 1000)
