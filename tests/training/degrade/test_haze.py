"""Tests of training/degrade/haze.py."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from training.degrade import haze

from .clips import make_clip


def make_params(**changes: Any) -> haze.HazeParams:
    """Haze of extinction 1, A = (0.9, 0.8, 0.7), on display-coded values, steady."""
    params = haze.HazeParams(
        beta=1.0,
        airlight=(0.9, 0.8, 0.7),
        linear=False,
        reach=1.0,
        nearest=0.2,
        drift=0.0,
        lamps=0,
        planes=4,
        seed=1,
    )
    return replace(params, **changes)


class TestFormula:
    """Koschmieder's law against hand computation."""

    def test_by_hand(self) -> None:
        """I = J t + A (1 - t): 0.5 * 0.25 + 0.9 * 0.75 = 0.8, and so on."""
        clean = np.full((1, 1, 3), 0.5, np.float32)
        t = np.full((1, 1), 0.25, np.float32)
        out = haze.scatter(clean, t, np.asarray((0.9, 0.8, 0.7), np.float32), linear=False)

        np.testing.assert_allclose(out[0, 0], (0.8, 0.725, 0.65), atol=1e-6)

    def test_by_hand_in_linear_light(self) -> None:
        """The same in linear light: (0.5^2.2 * 0.25 + 0.9^2.2 * 0.75)^(1 / 2.2)."""
        clean = np.full((1, 1, 3), 0.5, np.float32)
        t = np.full((1, 1), 0.25, np.float32)
        out = haze.scatter(clean, t, np.asarray((0.9, 0.8, 0.7), np.float32), linear=True)
        expected = [(0.25 * 0.5**2.2 + 0.75 * a**2.2) ** (1 / 2.2) for a in (0.9, 0.8, 0.7)]

        np.testing.assert_allclose(out[0, 0], expected, atol=1e-5)

    def test_what_is_left(self) -> None:
        """With a floor f, t becomes min(1, t / f): near things are clear, far ones as if f were removed."""
        depth = torch.zeros(32, 32)
        depth[16:] = 1.0
        clean = torch.full((1, 3, 32, 32), 0.3)
        params = make_params(reach=3.0)
        out, _ = haze.apply(clean, params, np.random.default_rng(0), depth=depth, floor=0.5)
        t_sky = np.exp(-3.0) / 0.5  # near: exp(-0.6) is above the floor

        assert float(out[0, 0, 4, 4]) == pytest.approx(0.3 * t_sky + 0.9 * (1 - t_sky), abs=1e-5)
        assert float(out[0, 2, 28, 4]) == pytest.approx(0.3, abs=1e-5)

    def test_depth_gives_transmission(self) -> None:
        """Sky is at `reach`, the nearest point at `nearest * reach`; t = exp(-beta d) there."""
        depth = torch.zeros(32, 32)
        depth[16:] = 1.0
        clean = torch.full((1, 3, 32, 32), 0.3)
        out, severity = haze.apply(clean, make_params(), np.random.default_rng(0), depth=depth)
        t_sky, t_near = np.exp(-1.0), np.exp(-0.2)

        assert float(out[0, 0, 4, 4]) == pytest.approx(0.3 * t_sky + 0.9 * (1 - t_sky), abs=1e-5)
        assert float(out[0, 2, 28, 4]) == pytest.approx(0.3 * t_near + 0.7 * (1 - t_near), abs=1e-5)
        assert severity == pytest.approx(1 - (t_sky + t_near) / 2, abs=1e-5)

    def test_depth_of_another_size_is_refused(self) -> None:
        """A depth map that does not fit is an error that names both sizes."""
        with pytest.raises(ValueError, match=r"depth is \(8, 8\)"):
            haze.apply(make_clip(), make_params(), np.random.default_rng(0), depth=torch.zeros(8, 8))


class TestClip:
    """Haze over time."""

    def test_field_stays_and_beta_drifts_slowly(self) -> None:
        """Of a still clip the haze changes, but by little from frame to frame."""
        clean = make_clip((64, 64), 3)
        params = make_params(drift=0.1)
        out, _ = haze.apply(clean, params, np.random.default_rng(0), times=(0.0, 0.04, 2.0))

        assert 0.0 < float((out[1] - out[0]).abs().max()) < 0.01
        assert float((out[2] - out[0]).abs().max()) < 0.1

    def test_no_drift_no_change(self) -> None:
        """Without drift all frames of a still clip are the same."""
        out, _ = haze.apply(make_clip(frames=2), make_params(), np.random.default_rng(0), times=(0.0, 1.0))

        assert torch.equal(out[0], out[1])


class TestField:
    """Made-up depth and airlight."""

    def test_made_up_depth_is_in_range(self) -> None:
        """Inverse depth is in [0, 1] and not the same everywhere."""
        picture = make_clip((48, 64))[0].permute(1, 2, 0).contiguous().numpy()
        for seed in range(10):
            rng = np.random.default_rng(seed)
            field = haze.plausible_depth(picture, haze.draw(rng), rng)

            assert field.shape == (48, 64)
            assert 0.0 <= float(field.min()) < float(field.max()) <= 1.0

    def test_guided_filter_keeps_the_guides_edge(self) -> None:
        """A blurred step becomes sharp again where the guide has its edge."""
        guide = np.zeros((32, 32), np.float32)
        guide[:, 16:] = 1.0
        ramp = (
            np.clip((np.arange(32, dtype=np.float32)[None] - 12) / 8, 0, 1)
            .repeat(32, axis=0)
            .astype(np.float32)
        )
        out = haze.guided(guide, ramp, 6, 1e-4)

        assert float(out[16, 16] - out[16, 15]) > 0.35

    def test_lamps_make_the_airlight_uneven(self) -> None:
        """With lamps a flat dark scene in dense haze shows bright places."""
        clean = torch.full((1, 3, 64, 64), 0.05)
        params = make_params(beta=3.0, airlight=(0.2, 0.2, 0.2), lamps=3)
        out, _ = haze.apply(clean, params, np.random.default_rng(0), depth=torch.zeros(64, 64))

        assert float(out.max()) > 0.4
        assert float(out.median()) < 0.4
