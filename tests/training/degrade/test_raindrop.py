"""Tests of training/degrade/raindrop.py."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from training.degrade import raindrop

from .clips import make_clip


def make_params(**changes: Any) -> raindrop.RaindropParams:
    """Middling drops that stay in place."""
    params = replace(raindrop.draw(np.random.default_rng(0)), coverage=0.25, radius=7.0, sliding=0.0, seed=4)
    return replace(params, **changes)


def touched(out: Tensor, clean: Tensor) -> Tensor:
    """Where drops are: (T, H, W) of bool."""
    return (out - clean).abs().amax(1) > 0.02


class TestClip:
    """Drops over time."""

    def test_drops_stay_in_place(self) -> None:
        """Over a still scene all frames are the same, at any time and with any generator."""
        clean = make_clip(frames=2)
        out, _ = raindrop.apply(clean, make_params(), np.random.default_rng(0), times=(0.0, 3.0))
        later, _ = raindrop.apply(clean[:1], make_params(), np.random.default_rng(9), times=(7.0,))

        assert touched(out, clean).any()
        assert torch.equal(out[0], out[1])
        assert torch.equal(out[0], later[0])

    def test_drops_stay_while_the_scene_moves(self) -> None:
        """What lies between the drops is the scene, untouched, in each frame at the same pixels."""
        still = make_clip((64, 96))
        clean = torch.cat((still, still.roll(9, dims=3)))
        params = make_params(defocus=0.8, coverage=0.15)
        out, _ = raindrop.apply(clean, params, np.random.default_rng(0), times=(0.0, 0.1))
        free = (out == clean).all(1)

        assert 0.4 < float(free[0].float().mean()) < 0.99
        assert float((free[0] ^ free[1]).float().mean()) < 0.02

    def test_sliding_drops_move_down(self) -> None:
        """With sliding drops later frames differ, the drops that stick do not."""
        clean = make_clip((96, 96), 2)
        params = make_params(sliding=0.3, speed=40.0, coverage=0.12, defocus=0.8)
        out, _ = raindrop.apply(clean, params, np.random.default_rng(0), times=(0.0, 1.0))
        where = touched(out, clean)

        assert not torch.equal(out[0], out[1])
        assert float((where[0] & where[1]).float().sum() / where[0].float().sum()) > 0.4


class TestOptics:
    """What drops cover and show."""

    @pytest.mark.parametrize("coverage", [0.05, 0.2, 0.4])
    def test_coverage_is_near_the_aim(self, coverage: float) -> None:
        """The measured share of covered picture is within half of the aim, on average over panes."""
        clean = make_clip((128, 128))
        shares = [
            raindrop.apply(clean, make_params(coverage=coverage, seed=seed), np.random.default_rng(0))[1]
            for seed in range(12)
        ]

        assert float(np.mean(shares)) == pytest.approx(coverage, rel=0.5)

    def test_a_drop_shows_the_scene_upside_down(self) -> None:
        """Under a bright sky drops are dark above and bright below."""
        clean = torch.full((1, 3, 128, 128), 0.1)
        clean[:, :, :64] = 0.9
        params = make_params(radius=14.0, spread=0.05, view=0.5, rim=0.0, spot=0.0, gain=1.0, wobble=0.0,
                             defocus=0.6, fine=0.0, bulge=0.0)  # fmt: skip
        darker, brighter = [], []
        for seed in range(6):
            out, _ = raindrop.apply(clean, replace(params, seed=seed), np.random.default_rng(0))
            change = (out - clean)[0].mean(0)
            darker.append(float((change[20:60] < -0.3).float().mean()))
            brighter.append(float((change[68:108] > 0.3).float().mean()))

        assert float(np.mean(darker)) > 0.02
        assert float(np.mean(brighter)) > 0.02
