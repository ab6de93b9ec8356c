"""The additive U-Net against its formulas."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from streamrestore.errors import UsageError
from streamrestore.networks.addunet import AddUNet
from tests.networks.nets import small_addunet


def by_formula(net: AddUNet, image: Tensor, alphas: Sequence[float | None]) -> Tensor:
    """The module's docstring, level by level; None leaves a skip out altogether."""

    def act(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.1 * x)

    x = act(net.stem(image))
    residuals = []
    for down, encoder in zip(net.down, net.encoders, strict=True):
        x = down(x)
        residuals.append(act(encoder(x)))
        x = x - residuals[-1]
    for level in (2, 1, 0):
        alpha = alphas[level]
        u = x if alpha is None else x + alpha * residuals[level]
        x = net.up[level](act(net.decoders[level](u)))
    return net.from_features(x) + net.from_input(image)


@pytest.fixture
def net() -> AddUNet:
    """In float64."""
    return small_addunet().double()


@pytest.fixture
def image() -> Tensor:
    """Maps of a picture."""
    return torch.randn(2, 48, 8, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class TestAddUNet:
    """Gated additive skips."""

    def test_formula(self, net: AddUNet, image: Tensor) -> None:
        """Subtractive encoding, additive skips, gates of softplus."""
        alphas = [float(F.softplus(b)) for b in net.gates]

        assert min(alphas) > 0
        assert torch.allclose(net(image), by_formula(net, image, alphas))

    @pytest.mark.parametrize("off", [0, 1, 2])
    def test_gate_of_zero_is_no_skip(self, net: AddUNet, image: Tensor, off: int) -> None:
        """Scaling a level's gate to 0 gives what a network without that skip gives."""
        alphas: list[float | None] = [float(F.softplus(b)) for b in net.gates]
        alphas[off] = None
        scales = [0.0 if level == off else 1.0 for level in range(3)]

        result = net(image, context=net.prepare(image, "noise", scales))

        assert torch.allclose(result, by_formula(net, image, alphas))
        assert not torch.allclose(result, net(image))

    def test_gates_scale_what_was_learnt(self, net: AddUNet, image: Tensor) -> None:
        """1 is as trained; other multipliers act on their own level."""
        alphas = [float(F.softplus(b)) * k for b, k in zip(net.gates, (0.5, 1.0, 2.0), strict=True)]

        assert torch.equal(net(image, context=net.prepare(image, "noise", (1, 1, 1))), net(image))
        assert torch.allclose(
            net(image, context=net.prepare(image, "noise", (0.5, 1, 2))), by_formula(net, image, alphas)
        )

    @pytest.mark.parametrize("gates", [(), (1.0, 1.0), (1.0,) * 4])
    def test_wrong_number_of_gates(self, net: AddUNet, image: Tensor, gates: tuple[float, ...]) -> None:
        """The error says how many levels there are."""
        with pytest.raises(UsageError, match="3 levels"):
            net.prepare(image, "noise", gates)

    def test_no_gates_no_context(self, net: AddUNet, image: Tensor) -> None:
        """Without the dial nothing is prepared."""
        assert net.prepare(image) is None

    def test_multiple_of(self, net: AddUNet) -> None:
        """Two halvings of pictures unshuffled by four."""
        assert net.multiple_of == 16
        assert small_addunet(halve=(False, False, False)).multiple_of == 4
