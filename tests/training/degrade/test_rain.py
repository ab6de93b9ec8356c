"""Tests of training/degrade/rain.py."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from training.degrade import StreakLayer, rain
from training.degrade._streaks import render

from .clips import make_clip, psnr


def make_layer(**changes: Any) -> StreakLayer:
    """One layer of thin, nearly vertical streaks."""
    layer = StreakLayer(
        light=0.05,
        coverage=0.3,
        length=40.0,
        length_spread=0.3,
        width=0.7,
        angle=0.0,
        shape=2.0,
        softness=0.05,
    )
    return replace(layer, **changes)


class TestRender:
    """Streak light of layers."""

    @pytest.mark.parametrize("angle", [-30.0, 0.0, 15.0])
    def test_mean_light_is_as_asked(self, angle: float) -> None:
        """The mean of S is the layer's light, whatever its direction."""
        streaks = render([make_layer(angle=angle)], (256, 256), np.random.default_rng(0))

        assert float(streaks.mean()) == pytest.approx(0.05, rel=0.15)
        assert float(streaks.min()) >= 0.0

    @pytest.mark.parametrize("angle", [-25.0, 0.0, 25.0])
    def test_streaks_lean_as_asked(self, angle: float) -> None:
        """S is alike along the given direction (positive: right at the bottom) and not along its mirror."""
        streaks = render([make_layer(angle=angle, length=60.0)], (200, 200), np.random.default_rng(1))
        shift = round(20 * np.tan(np.deg2rad(angle)))

        def alike(dx: int) -> float:
            a, b = streaks[:-20, 40:160], streaks[20:, 40 + dx : 160 + dx]
            return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])

        assert alike(shift) > 0.35
        assert alike(shift) > alike(shift + 12) + 0.2
        assert alike(shift) > alike(shift - 12) + 0.2

    def test_dense_layers_leave_less_dry(self) -> None:
        """Coverage decides how many pixels stay dry at equal light."""
        rng = np.random.default_rng(2)
        dry = [
            float((render([make_layer(coverage=c)], (128, 128), rng) < 0.005).mean()) for c in (0.1, 0.5, 3.0)
        ]

        assert dry[0] > dry[1] > dry[2]
        assert dry[0] > 0.6
        assert dry[2] < 0.15


class TestApply:
    """Rain over clips."""

    def test_frames_have_new_streaks(self) -> None:
        """Streaks of neighbouring frames have nothing in common."""
        clean = make_clip((96, 96), 2)
        params = rain.RainParams((make_layer(),), "add", (1.0, 1.0, 1.0))
        out, _ = rain.apply(clean, params, np.random.default_rng(0), times=(0.0, 0.04))
        first, second = (out - clean).mean(1).flatten(1)

        assert abs(float(torch.corrcoef(torch.stack((first, second)))[0, 1])) < 0.2

    def test_additive_rain_adds_its_light(self) -> None:
        """On a dark picture I - J is the streaks; severity is their mean."""
        clean = torch.full((1, 3, 128, 128), 0.1)
        layer = make_layer(light=0.02)
        out, severity = rain.apply(
            clean, rain.RainParams((layer,), "add", (1.0, 1.0, 1.0)), np.random.default_rng(0)
        )

        assert float((out - clean).min()) >= 0.0
        assert float((out - clean).mean()) == pytest.approx(severity, rel=0.02)

    def test_screen_saves_bright_pixels(self) -> None:
        """Screening adds less light where the picture is bright, as 1 - (1 - I)(1 - S) says."""
        clean = torch.cat((torch.full((1, 3, 64, 32), 0.2), torch.full((1, 3, 64, 32), 0.8)), dim=3)
        params = rain.RainParams((make_layer(coverage=2.0, light=0.1),), "screen", (1.0, 1.0, 1.0))
        out, _ = rain.apply(clean, params, np.random.default_rng(0))
        dark, bright = (out - clean)[..., :32].mean(), (out - clean)[..., 32:].mean()

        assert float(bright / dark) == pytest.approx(0.25, rel=0.35)


class TestDraw:
    """The distribution of rain."""

    @pytest.mark.parametrize(
        ("style", "low", "high"), [("light", 23.0, 33.0), ("heavy", 9.0, 16.0), ("real", 15.0, 33.0)]
    )
    def test_styles_have_the_benchmarks_strength(self, style: rain.Style, low: float, high: float) -> None:
        """The median input PSNR lies where the benchmark of the style has its pictures."""
        clean = make_clip((96, 96))
        figures = []
        for seed in range(30):
            rng = np.random.default_rng(seed)
            figures.append(psnr(rain.apply(clean, rain.draw(rng, style), rng)[0], clean))

        assert low < float(np.median(figures)) < high

    def test_ranges(self) -> None:
        """At most five layers, within about 40 degrees of vertical, positive widths and lengths."""
        for seed in range(200):
            params = rain.draw(np.random.default_rng(seed))

            assert 1 <= len(params.layers) <= 5
            for layer in params.layers:
                assert abs(layer.angle) < 45.0
                assert layer.width > 0.3
                assert layer.length >= 4.0
                assert layer.coverage > 0.0
