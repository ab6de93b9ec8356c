"""Weights into the package."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from streamrestore.networks.routernet import RouterNet, RouterNetConfig
from streamrestore.restore.branch import BranchRunner
from streamrestore.route.router import Router
from streamrestore.weights import store
from tests.networks.nets import small_addunet
from tests.restore.test_branch import CPU, Grey
from tests.training.pictures import picture
from training import ship


def test_put(tmp_path: Path) -> None:
    """Half precision, the old notes and the new, and the hash of what was written."""
    store.write(tmp_path / "run.safetensors", "addunet", small_addunet(), {"minutes": "9"})

    digest = ship.put(tmp_path / "run.safetensors", "fast-noise", {"gains": "{}"}, tmp_path)

    weights = store.read(tmp_path / "fast-noise.safetensors", digest=digest)
    assert weights.notes == {"minutes": "9", "gains": "{}"}
    assert {t.dtype for t in weights.tensors.values()} == {torch.float16}
    weights.build()


@pytest.mark.parametrize("weather", ["noise", "haze"])
def test_gains(weather: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clean, then rising severities; gains do not fall, and a network that does nothing gains nothing."""
    monkeypatch.setattr(ship, "SAMPLES", 24)
    clean = [picture(n, (240, 232)) for n in range(2)]

    router = Router(RouterNet(RouterNetConfig()).eval())

    points = ship.fit_gains(BranchRunner(Grey(0.0), "noise", CPU), weather, clean, router, seed=1)

    severities, gains = zip(*points, strict=True)
    assert len(points) == 1 + ship.POINTS
    assert severities[0] == 0
    assert list(severities) == sorted(severities)
    assert gains == pytest.approx([0.0] * len(gains), abs=0.01)
    worse = ship.fit_gains(BranchRunner(Grey(0.2), "noise", CPU), weather, clean, router, seed=1)
    assert all(b >= a for (_, a), (_, b) in pairwise(worse))
    assert worse[0][1] < 0
