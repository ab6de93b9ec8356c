"""Figures against hand-computed values (METHOD section 5)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.config import PathRouted
from training.losses import charbonnier, joint, uffn
from training.measures import align_brightness, psnr, ssim, to_8bit, y_full, y_studio

RED = np.zeros((4, 4, 3))
RED[..., 0] = 1.0
WHITE, BLACK = np.ones((4, 4, 3)), np.zeros((4, 4, 3))


def noise(seed: int, size: tuple[int, ...] = (24, 32, 3)) -> np.ndarray:
    """A picture without structure."""
    return np.random.default_rng(seed).random(size)


class TestPsnr:
    """Over all pixels and channels."""

    @pytest.mark.parametrize(("error", "expected"), [(0.1, 20.0), (0.01, 40.0), (1.0, 0.0), (0.5, 6.0206)])
    def test_constant_error(self, error: float, expected: float) -> None:
        """10 log10(1 / e^2)."""
        assert psnr(BLACK, BLACK + error) == pytest.approx(expected, abs=1e-4)

    def test_mean_over_channels(self) -> None:
        """An error of 0.3 in one of three channels: 10 log10(3 / 0.09)."""
        assert psnr(BLACK, RED * 0.3) == pytest.approx(10 * math.log10(3 / 0.09))

    def test_identical(self) -> None:
        """No error."""
        assert psnr(WHITE, WHITE) == math.inf

    def test_float32_loses_nothing(self) -> None:
        """Small errors are summed in double precision."""
        clean = np.full((500, 500, 3), 0.5, np.float32)
        assert psnr(clean, clean + np.float32(2**-12)) == pytest.approx(20 * math.log10(2**12), abs=1e-3)


class TestLuma:
    """Two that are never to be mixed."""

    def test_full(self) -> None:
        """0.299 R + 0.587 G + 0.114 B."""
        assert y_full(RED) == pytest.approx(np.full((4, 4), 0.299))
        assert y_full(WHITE) == pytest.approx(np.ones((4, 4)))

    def test_studio(self) -> None:
        """BT.601 codes 16 to 235 over 255: black 16, white 235, red 81.481."""
        assert y_studio(BLACK) * 255 == pytest.approx(np.full((4, 4), 16.0))
        assert y_studio(WHITE) * 255 == pytest.approx(np.full((4, 4), 235.0))
        assert y_studio(RED) * 255 == pytest.approx(np.full((4, 4), 81.481))

    @given(st.integers(0, 99))
    def test_studio_is_higher_by_a_constant(self, seed: int) -> None:
        """By 20 log10(255 / 219) = 1.32 dB, whatever the pictures."""
        a, b = noise(seed), noise(seed + 1)

        assert psnr(y_studio(a), y_studio(b)) - psnr(y_full(a), y_full(b)) == pytest.approx(1.3218, abs=1e-3)


class TestSsim:
    """Gaussian window 11x11, sigma 1.5, valid region."""

    def test_identical(self) -> None:
        """Is 1."""
        assert ssim(noise(0), noise(0)) == pytest.approx(1.0)

    def test_flat(self) -> None:
        """Without variance the formula is (2 a b + C1) / (a^2 + b^2 + C1)."""
        a, b = np.full((16, 16, 3), 0.4), np.full((16, 16, 3), 0.6)

        assert ssim(a, b) == pytest.approx((2 * 0.24 + 1e-4) / (0.16 + 0.36 + 1e-4))

    def test_by_hand(self) -> None:
        """The definition, window by window."""
        a, b = noise(1, (12, 13, 3)), noise(2, (12, 13, 3))
        x = np.arange(11) - 5
        line = np.exp(-(x**2) / (2 * 1.5**2))
        window = np.outer(line, line)[..., None] / line.sum() ** 2
        scores = []
        for top in range(2):
            for left in range(3):
                p, q = (pic[top : top + 11, left : left + 11] for pic in (a, b))
                mp, mq = (window * p).sum((0, 1)), (window * q).sum((0, 1))
                vp, vq = (window * p * p).sum((0, 1)) - mp**2, (window * q * q).sum((0, 1)) - mq**2
                cov = (window * p * q).sum((0, 1)) - mp * mq
                c1, c2 = 0.01**2, 0.03**2
                scores.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))

        assert ssim(a, b) == pytest.approx(float(np.mean(scores)), abs=1e-9)

    def test_symmetric(self) -> None:
        """And lower for more noise."""
        clean, grain = noise(3), noise(4) - 0.5
        little, much = ssim(clean, clean + 0.1 * grain), ssim(clean, clean + 0.5 * grain)

        assert ssim(clean + 0.1 * grain, clean) == pytest.approx(little)
        assert 1 > little > much


class TestRounding:
    """As a stored picture has it."""

    @given(st.floats(-1, 2))
    def test_to_8bit(self, value: float) -> None:
        """Clipped, and the nearest multiple of 1/255."""
        rounded = float(to_8bit(np.array([value]))[0])

        assert rounded * 255 == pytest.approx(round(rounded * 255), abs=1e-9)
        assert abs(rounded - min(max(value, 0), 1)) <= 0.5 / 255 + 1e-12

    def test_align_brightness(self) -> None:
        """Each channel's mean is the target's; a picture of another exposure becomes exact."""
        target = noise(5) * 0.5

        assert np.allclose(align_brightness(target * np.array([0.5, 0.9, 1.5]), target), target)


class TestLoss:
    """Charbonnier."""

    def test_by_hand(self) -> None:
        """sqrt(e^2 + eps^2) - eps: e = 3, eps = 4 gives 1."""
        assert charbonnier(torch.tensor([3.0, 0.0]), torch.tensor([0.0, 0.0]), 4.0) == pytest.approx(0.5)

    @given(st.floats(1e-3, 1.0), st.floats(-1, 1))
    def test_between_squared_and_absolute(self, eps: float, error: float) -> None:
        """Below eps about e^2 / 2 eps, above about |e| - eps; never more than either."""
        loss = float(charbonnier(torch.tensor([error]).double(), torch.zeros(1).double(), eps))

        assert loss <= error**2 / (2 * eps) + 1e-9
        assert abs(error) - eps - 1e-9 <= loss <= abs(error) + 1e-9

    def test_smooth_at_zero(self) -> None:
        """No error, no gradient."""
        output = torch.zeros(3, requires_grad=True)
        charbonnier(output, torch.zeros(3), 0.02).backward()

        assert output.grad is not None
        assert torch.equal(output.grad, torch.zeros(3))

    def test_joint(self) -> None:
        """Mean squared error 0.04 and lambda times the cross-entropy ln 2 of even odds."""
        output, target = torch.full((2, 3, 4, 4), 0.7), torch.full((2, 3, 4, 4), 0.5)

        loss = joint(output, target, torch.zeros(2, 2), torch.tensor([0, 1]), 0.5)

        assert float(loss) == pytest.approx(0.04 + 0.5 * math.log(2))

    def test_uffn(self) -> None:
        """Its three terms: errors of 0.5 and 51 codes, SSIM as pictures are measured, odds of three."""
        clean = torch.from_numpy(noise(1, (16, 16, 3)).transpose(2, 0, 1)[None]).float() * 0.7
        degraded, faint = clean + 0.2, clean + 0.5 / 255
        logits, labels = torch.zeros(1, 3), torch.tensor([2])

        def loss(output: torch.Tensor, spent: float = 0.0, **lambdas: float) -> float:
            only = PathRouted(**{"smooth": 0.0, "structure": 0.0, "path": 0.0, **lambdas})
            return float(uffn(output, clean, logits, labels, spent, only))

        pictures = (x[0].numpy().transpose(1, 2, 0) for x in (degraded, clean))
        assert loss(degraded, smooth=2.0) == pytest.approx(2 * (51 - 0.5), rel=1e-4)
        assert loss(faint, smooth=1.0) == pytest.approx(0.5 * 0.5**2, rel=1e-3)
        assert loss(degraded, structure=3.0) == pytest.approx(3 * (1 - ssim(*pictures)), abs=1e-4)
        for spent, share in ((0.0, 1.0), (0.5, 0.5), (1.0, 0.0), (1.1, 0.0)):
            assert loss(clean, spent, path=1.0) == pytest.approx(share * math.log(3), abs=1e-6)
