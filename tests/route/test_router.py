"""Pictures to estimates. Not how good they are: `training.evaluate` measures that."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.networks.routernet import RouterNet, RouterNetConfig
from streamrestore.planes import turned
from streamrestore.route.router import PICTURES_PER_CLIP, Router, spread
from streamrestore.weather import Weather
from tests.networks.nets import lively
from tests.restore.test_branch import FORMATS, make_batch


@pytest.fixture(scope="module")
def router() -> Router:
    """A small one with random weights."""
    return Router(lively(RouterNet(RouterNetConfig(thumbnail=32, crop=32, crops=3, widths=(8, 8, 8)))))


def test_estimate(router: Router) -> None:
    """A probability and a severity of every weather, and of the unknown."""
    views = [router.views_of_rgb(torch.rand(3, 60, 80)) for _ in range(3)]

    estimate = router.estimate(views)

    assert list(estimate.weathers) == list(Weather)
    assert list(estimate.severity) == list(Weather)
    assert all(0 <= p <= 1 for p in estimate.probabilities.values())
    assert all(s >= 0 for s in estimate.severity.values())
    assert set(estimate.probabilities) == {"rain", "haze", "raindrop", "noise", "clean", "unknown"}
    assert router.estimate(views) == estimate


def test_pictures_of_a_clip_are_equals(router: Router) -> None:
    """Their order means nothing."""
    views = [router.views_of_rgb(torch.rand(3, 60, 80)) for _ in range(3)]

    forward, backward = router.estimate(views), router.estimate(views[::-1])

    for weather in Weather:
        assert forward.weathers[weather] == pytest.approx(backward.weathers[weather], abs=1e-5)


def test_temperature(router: Router) -> None:
    """Calibration divides the logits: at a great temperature everything is a coin's toss."""
    network = lively(RouterNet(RouterNetConfig(thumbnail=32, crop=32, crops=3, widths=(8, 8, 8))))
    network.temperature.fill_(1e6)

    estimate = Router(network).estimate([router.views_of_rgb(torch.rand(3, 60, 80))])

    assert all(p == pytest.approx(0.5, abs=1e-3) for p in estimate.weathers.values())


@pytest.mark.parametrize("name", ["420", "422", "444", "420 10 bit", "gray", "rgb"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_seen_as_displayed(router: Router, name: str, rotation: int) -> None:
    """Stored sideways or upright, 8 bits or 10: the router sees one picture."""
    batch = make_batch(FORMATS[name], (96, 128), rotation=rotation)
    height, width = batch.displayed_size[::-1]

    views = router.views_of_frame(batch, batch.frames[0])

    luma = torch.from_numpy(batch.frames[0].planes[0].astype(np.int32))
    mean = turned(luma, rotation // 90).float().reshape(32, height // 32, 32, width // 32).mean(dim=(1, 3))
    if FORMATS[name].model == "rgb":
        assert torch.allclose(views.thumbnail[0], mean / FORMATS[name].peak, atol=1e-5)
    else:
        grey = views.thumbnail.mean(dim=0) - views.thumbnail.mean()
        aligned = mean - mean.mean()
        match = float((grey * aligned).sum() / (grey.norm() * aligned.norm()))
        assert match > (0.99 if FORMATS[name].model == "gray" else 0.5)


@given(st.integers(1, 500), st.integers(1, 9))
def test_spread(length: int, count: int) -> None:
    """At most so many positions, in order, inside, no two the same, in the middle of equal parts."""
    found = spread(length, count)

    assert len(found) == min(length, count)
    assert found == sorted(set(found))
    assert found[0] >= 0
    assert found[-1] < length
    assert abs(found[0] - (length - 1 - found[-1])) <= 1
    assert len(spread(length)) <= PICTURES_PER_CLIP
