"""Haze by its physics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from streamrestore.errors import UsageError
from streamrestore.networks.basis import from_basis, to_basis
from streamrestore.networks.hazenet import BRIGHTNESS, HazeNet, HazeNetConfig, _at
from tests.networks.nets import small_hazenet

CONFIG = HazeNetConfig(side=32, widths=(8, 12, 16, 16), blocks=(1, 1, 1, 1))


def picture(*size: int, seed: int = 0) -> Tensor:
    """(1, 3, H, W), RGB in [0, 1]."""
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


class TestPhysics:
    """J - I = (1/t - 1) (I - A)."""

    @pytest.mark.parametrize("veil", [0.25, 0.9])
    def test_scattering_is_undone(self, veil: float) -> None:
        """With the true transmission and airlight the scene comes out, to the last bits of float32."""
        scene, airlight = picture(32, 48), torch.tensor([0.8, 0.85, 0.95])
        t = 1 - veil
        hazy = t * scene + (1 - t) * airlight[:, None, None]
        network = HazeNet(CONFIG)
        context = torch.cat([torch.full((CONFIG.knots,), 1 / t - 1), airlight])[None, :, None, None]

        residual = network(to_basis(hazy, 4), "haze", context.expand(-1, -1, 8, 12))

        assert torch.allclose(hazy + from_basis(residual, 4), scene, atol=1e-4)

    def test_edges_within_a_cell(self) -> None:
        """Bright places are behind more haze than dark ones: the curve tells them apart, pixel by pixel."""
        network = HazeNet(CONFIG)
        hazy = torch.where(picture(16, 16) > 0.5, 0.9, 0.1)[:, :1].expand(-1, 3, -1, -1)
        curve = torch.linspace(0, 1, CONFIG.knots)
        context = torch.cat([curve, torch.zeros(3)])[None, :, None, None].expand(-1, -1, 4, 4)

        residual = from_basis(network(to_basis(hazy, 4), "haze", context), 4)

        assert torch.allclose(residual, hazy * hazy, atol=1e-4)  # gain and brightness are the same here

    def test_starts_without_haze(self) -> None:
        """Before training it changes little."""
        hazy = picture(64, 64)

        with torch.no_grad():
            residual = HazeNet(CONFIG)(to_basis(hazy, 4), "haze")

        assert residual.abs().max() < 0.3


class TestCurves:
    """Piecewise linear, over brightness from 0 to 1."""

    @given(
        st.lists(st.floats(-2, 9, width=32), min_size=2, max_size=7),
        st.lists(st.floats(-1, 2, width=32), min_size=1, max_size=9),
    )
    def test_as_numpy_does(self, knots: list[float], brightness: list[float]) -> None:
        """Between knots; beyond the ends nothing changes any more."""
        expected = np.interp(brightness, np.linspace(0, 1, len(knots)), knots)

        found = _at(torch.tensor(knots)[None, :, None, None], torch.tensor(brightness)[None, :, None, None])

        assert found.flatten().numpy() == pytest.approx(expected, abs=2e-4)


class TestContext:
    """What the whole picture says."""

    def test_it_is_made_if_not_given(self) -> None:
        """`forward` prepares for itself; tiles are given their part of the whole picture's."""
        network, x = small_hazenet(), to_basis(picture(32, 48), 4)

        assert torch.equal(network(x, "haze", network.prepare(x, "haze")), network(x, "haze"))
        assert network.prepare(x, "haze").shape == (1, 4 + 3, 16, 16)
        assert not torch.allclose(network(x, "haze", network.prepare(1 - x, "haze")), network(x, "haze"))

    def test_sizes_look_alike(self) -> None:
        """A picture and a larger one of the same scene have the same haze."""
        network, small = small_hazenet(), picture(128, 128)
        large = F.interpolate(small, scale_factor=2)

        curves, larger = (network.prepare(to_basis(x, 4), "haze") for x in (small, large))

        assert torch.allclose(larger, curves, atol=1e-5)

    def test_gates_are_not_for_it(self) -> None:
        """The dial belongs to the denoiser; here it is refused, not ignored."""
        with pytest.raises(UsageError, match="noise branch only"):
            small_hazenet().prepare(torch.randn(1, 48, 8, 8), "haze", (1.0,))

    def test_brightness_is_one(self) -> None:
        """White is as bright as a curve is long."""
        assert sum(BRIGHTNESS) == pytest.approx(1)
