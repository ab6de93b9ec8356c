"""The depth of a pair is that from which its haze was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.pictures import picture, write
from training import layouts
from training.data import Pair, unit
from training.veil import airlight_between, depth_of

SIDE = 120


def hazy_pair(airlight: float, beta: float) -> tuple[Pair, np.ndarray]:
    """A coloured picture in haze, as 8 bits hold it, and how far away everything is."""
    colours = picture(3, (SIDE, SIDE))
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    distance = (0.5 + 1.5 * rows + 0.5 * columns)[..., None]
    veil = 1.0 - np.exp(-beta * distance)
    hazy = unit(colours) * (1.0 - veil) + airlight * veil
    return Pair("1", np.rint(hazy * 255).astype(np.uint8), colours), distance[..., 0]


@pytest.mark.parametrize("airlight", [0.75, 0.98])
@pytest.mark.parametrize("beta", [0.4, 1.2])
def test_airlight_and_depth_are_those_of_the_haze(airlight: float, beta: float) -> None:
    """Through 8 bits."""
    pair, distance = hazy_pair(airlight, beta)
    assert airlight_between(unit(pair.degraded), unit(pair.target)) == pytest.approx(airlight, abs=0.01)
    near = 1.0 / distance
    expected = (near - near.min()) / (near.max() - near.min())
    found = depth_of(pair).inverse_depth
    assert np.abs(found - expected).mean() < 0.05
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.97


def test_a_pair_without_haze_or_colour_has_some_depth() -> None:
    """Nothing is divided by zero."""
    grey = np.full((20, 30, 3), 128, np.uint8)
    found = depth_of(Pair("1", grey, grey)).inverse_depth
    assert found.shape == (20, 30)
    assert np.isfinite(found).all()


def test_depth_of_pairs_is_a_layout(tmp_path: Path) -> None:
    """Of pairs in any layout."""
    pair, _ = hazy_pair(0.9, 0.8)
    write(tmp_path / "ours" / "input" / "1.png", pair.degraded)
    write(tmp_path / "ours" / "target" / "1.png", pair.target)
    (read,) = layouts.depth(tmp_path, "veiled:ours", "all")
    assert np.array_equal(read.picture, pair.target)
    assert np.array_equal(read.inverse_depth, depth_of(pair).inverse_depth)
