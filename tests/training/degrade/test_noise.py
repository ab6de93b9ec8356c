"""Tests of training/degrade/noise.py."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.degrade import noise

from .clips import make_clip


class TestWhite:
    """White Gaussian noise."""

    @pytest.mark.parametrize("sigma", [5.0, 25.0, 50.0])
    def test_sigma_is_on_the_8_bit_scale(self, sigma: float) -> None:
        """The error's standard deviation is sigma / 255; the error is neither clipped nor biased."""
        clean = make_clip((160, 160))
        params = replace(noise.draw(np.random.default_rng(0), "awgn"), sigma=sigma)
        out, severity = noise.apply(clean, params, np.random.default_rng(1))

        assert severity == sigma
        assert float((out - clean).std()) * 255.0 == pytest.approx(sigma, rel=0.02)
        assert abs(float((out - clean).mean())) * 255.0 < 0.02 * sigma

    def test_awgn_goes_beyond_the_range(self) -> None:
        """On black half of the values are negative, as the benchmark protocol wants it."""
        params = replace(noise.draw(np.random.default_rng(0), "awgn"), sigma=25.0)
        out, _ = noise.apply(torch.zeros(1, 3, 64, 64), params, np.random.default_rng(1))

        assert 0.45 < float((out < 0.0).float().mean()) < 0.55

    def test_clipped_is_what_8_bit_holds(self) -> None:
        """`clipped` values are whole numbers of 1/255 in [0, 1]."""
        params = replace(noise.draw(np.random.default_rng(0), "clipped"), sigma=40.0)
        out, _ = noise.apply(make_clip(), params, np.random.default_rng(1))
        codes = out * 255.0

        assert float((codes - codes.round()).abs().max()) < 1e-3

    def test_sigma_is_uniform(self) -> None:
        """Sigma is drawn evenly over 0 to 55."""
        sigmas = [noise.draw(np.random.default_rng(seed), "awgn").sigma for seed in range(300)]

        assert 0.0 <= min(sigmas) < 3.0
        assert 52.0 < max(sigmas) <= 55.0
        assert float(np.mean(sigmas)) == pytest.approx(27.5, abs=2.5)


class TestCamera:
    """Noise through an inverted camera pipeline."""

    @pytest.mark.parametrize("bayer", [False, True])
    def test_severity_is_the_measured_sigma(self, bayer: bool) -> None:
        """The severity is the RMS error on the 8-bit scale."""
        clean = make_clip((96, 96))
        params = replace(noise.draw(np.random.default_rng(0), "camera"), bayer=bayer, shot=0.01, read=1e-4)
        out, severity = noise.apply(clean, params, np.random.default_rng(1))

        assert severity == pytest.approx(float(((out - clean) ** 2).mean().sqrt()) * 255.0, rel=1e-3)
        assert 2.0 < severity < 60.0

    def test_bayer_noise_is_smoother(self) -> None:
        """Demosaicing spreads noise: neighbours are correlated, and the colours keep their mean."""
        clean = torch.full((1, 3, 128, 128), 0.5)
        params = noise.NoiseParams("camera", 0.0, 0.005, 1e-4, (2.0, 1.0, 1.5), bayer=True, banding=0.0)

        def neighbours(bayer: bool) -> float:
            out, _ = noise.apply(clean, replace(params, bayer=bayer), np.random.default_rng(1))
            error = out - clean
            return float((error[..., 1:] * error[..., :-1]).mean() / error.square().mean())

        assert abs(neighbours(bayer=False)) < 0.05
        assert neighbours(bayer=True) > 0.2

    def test_banding_moves_whole_rows(self) -> None:
        """Row means vary more with banding."""
        clean = torch.full((1, 3, 128, 128), 0.3)
        params = noise.NoiseParams("camera", 0.0, 1e-5, 1e-4, (1.5, 1.0, 1.5), bayer=False, banding=1.0)

        def rows(banding: float) -> float:
            out, _ = noise.apply(clean, replace(params, banding=banding), np.random.default_rng(1))
            return float(out.mean(dim=(1, 3)).std())

        assert rows(1.0) > 3.0 * rows(0.0)


def test_noise_is_new_in_each_frame() -> None:
    """The errors of two frames are uncorrelated."""
    clean = make_clip((96, 96), 2)
    for kind in ("awgn", "clipped", "camera"):
        params = replace(
            noise.draw(np.random.default_rng(0), kind), sigma=20.0, shot=0.01, read=1e-4, banding=0.0
        )
        out, _ = noise.apply(clean, params, np.random.default_rng(1), times=(0.0, 0.04))
        errors = (out - clean).flatten(1)

        assert abs(float(torch.corrcoef(errors)[0, 1])) < 0.1
