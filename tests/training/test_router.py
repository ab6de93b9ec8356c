"""The router's training: labels that nobody gave do not count, and calibration finds the temperature."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from streamrestore.networks.routernet import RouterNetConfig
from streamrestore.settings import read_settings
from tests.training.pictures import write_clean, write_depth, write_pairs, write_video
from training.data import in_part
from training.router_samples import (
    ABSENT,
    PRESENT,
    REAL_LABELS,
    UNSAID,
    Memory,
    RouterBatch,
    RouterConfig,
    RouterSamples,
)
from training.train_router import calibrate, router_loss

LABELS = RouterNetConfig().labels


class TestLoss:
    """Cross-entropy of what is said, and severities that are known."""

    def loss(self, logits: Tensor, severities: Tensor, labels: Tensor, truth: Tensor) -> float:
        """As a number."""
        return float(router_loss(logits, severities, labels, truth))

    def test_what_nobody_said_does_not_count(self) -> None:
        """Neither an unsaid label's logit nor an unknown severity's output changes anything."""
        labels = torch.tensor([[1.0, 0.0, -1.0, 0.0, -1.0]])
        truth = torch.tensor([[0.05, -1.0, 0.0, -1.0]])
        logits, severities = torch.randn(1, 5), torch.rand(1, 4)
        other_logits, other = logits.clone(), severities.clone()
        other_logits[0, [2, 4]] += 5
        other[0, [1, 3]] += 5

        first = self.loss(logits, severities, labels, truth)

        assert self.loss(other_logits, other, labels, truth) == pytest.approx(first)
        other_logits[0, 0] += 1
        assert self.loss(other_logits, other, labels, truth) != pytest.approx(first)

    def test_right_is_less_than_wrong(self) -> None:
        """Sure and right is nearly nothing; severities count, too."""
        labels, truth = torch.tensor([[1.0, 0, 0, 0, 0]]), torch.tensor([[0.05, 0, 0, 0]])
        right = labels * 40 - 20

        assert self.loss(right, truth, labels, truth) == pytest.approx(0, abs=1e-6)
        assert self.loss(-right, truth, labels, truth) > 10
        assert self.loss(right, truth * 3, labels, truth) > 0.01

    def test_gradients_are_finite(self) -> None:
        """Also for severities that are nothing."""
        severities = torch.zeros(1, 4, requires_grad=True)
        logits = torch.zeros(1, 5, requires_grad=True)
        router_loss(logits, severities, torch.zeros(1, 5), torch.zeros(1, 4)).backward()

        assert severities.grad is not None
        assert torch.isfinite(severities.grad).all()


def test_calibration_finds_the_temperature() -> None:
    """Logits that are three times too sure are divided by three, per label; unsaid ones are left out."""
    random = torch.Generator().manual_seed(0)
    z = torch.randn(4000, 5, generator=random) * 2
    y = (torch.rand(4000, 5, generator=random) < torch.sigmoid(z)).float()
    y[::2, 1] = -1
    factors = torch.tensor([3.0, 1.0, 0.5, 2.0, 1.0])

    class Network:
        def __call__(self, thumbnails: Tensor, _crops: None) -> tuple[Tensor, None]:
            return thumbnails * factors, None

    batches = [SimpleNamespace(thumbnails=z[i::4], crops=None, labels=y[i::4]) for i in range(4)]

    found = calibrate(Network(), batches, 4)  # type: ignore[arg-type]

    assert torch.allclose(found, factors, rtol=0.15)
    before, after = (
        F.binary_cross_entropy_with_logits(z * factors / t, y.clamp(min=0)) for t in (1.0, found)
    )
    assert after < before


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean pictures, pairs, and a folder for each real weather, on both sides of the split."""
    folder = tmp_path_factory.mktemp("router")
    names = [f"p_{n}" for n in range(60)]
    stems = [s for s in names if in_part(s, "train")][:3] + [s for s in names if in_part(s, "split")][:2]
    write_clean(folder / "clean", stems)
    write_pairs(folder / "pairs", stems)
    for weather in REAL_LABELS:
        write_clean(folder / "real" / weather, stems)
    return folder


class TestSamples:
    """What the router learns from."""

    def samples(self, data: Path, part: Any = "train", **more: Any) -> RouterSamples:
        """Small views."""
        values = {"clean": ["clean"], "real": "real", "pairs": {"pairs": "rain"}, "batch": 3, **more}
        shape = RouterNetConfig(thumbnail=32, crop=32, crops=2)
        return RouterSamples(read_settings(RouterConfig, values), shape, data, part)

    def test_batches(self, data: Path) -> None:
        """Shapes, labels that are said or unsaid, severities that are known or not; the same for a step."""
        samples = self.samples(data)
        for step in range(6):
            batch, again = samples[step], samples[step]
            assert batch.thumbnails.shape == (3, 3, 32, 32)
            assert batch.crops.shape == (3, 2, 3, 32, 32)
            assert set(batch.labels.unique().tolist()) <= {ABSENT, PRESENT, UNSAID}
            assert ((batch.severities >= 0) | (batch.severities == -1)).all()
            assert 0 <= batch.crops.min() <= batch.crops.max() <= 1
            assert torch.equal(batch.crops, again.crops)
            assert torch.equal(batch.labels, again.labels)

    def test_parts_do_not_meet(self, data: Path) -> None:
        """Calibration sees other pictures, and other random numbers, than training."""
        train, split = self.samples(data), self.samples(data, "split")

        assert (len(train.clean), len(split.clean)) == (3, 2)
        assert not any((a == b).all() for a in train.clean for b in split.clean)
        assert not torch.equal(train[0].thumbnails, split[0].thumbnails)

    @pytest.mark.parametrize("shares", [{"pairs": 1.0}, {"real": 1.0}, {"clean": 1.0}])
    def test_labels(self, data: Path, shares: dict[str, float]) -> None:
        """Of pairs, of real photographs, and of clean pictures."""
        labels = torch.cat([(s := self.samples(data, shares=shares, batch=8))[k].labels for k in range(3)])
        assert s.shape.labels == LABELS

        if "pairs" in shares:
            assert set(labels[:, 0].tolist()) == {ABSENT, PRESENT}
            assert (labels[:, 1:] == ABSENT).all()
        elif "clean" in shares:
            assert (labels == ABSENT).all()
        else:
            known = {tuple(said[name] for name in LABELS) for said in REAL_LABELS.values()}
            assert {tuple(row) for row in labels.tolist()} <= known

    def test_more_clean_pictures(self, data: Path, tmp_path: Path) -> None:
        """Those with depth, and the first and the last frame of videos."""
        stems = [s for n in range(60) if in_part(s := f"d_{n}", "train")][:2]
        (tmp_path / "clean").symlink_to(data / "clean")
        (tmp_path / "pairs").symlink_to(data / "pairs")
        (tmp_path / "real").symlink_to(data / "real")
        write_depth(tmp_path / "rgbd", stems)
        write_video(tmp_path / "videos" / f"{stems[0]}.mp4", frames=3)

        samples = self.samples(tmp_path, depth=["rgbd"], videos=["videos"])

        assert len(samples.clean) == 3 + 2 + 2


class TestMemory:
    """Samples that are learnt from several times."""

    def batch(self, value: float) -> RouterBatch:
        """Two examples, all alike."""
        return RouterBatch(
            torch.full((2, 3, 4, 4), value),
            torch.full((2, 1, 3, 4, 4), value),
            torch.full((2, 5), value),
            torch.full((2, 4), value),
        )

    def test_draws_what_it_was_given(self) -> None:
        """Views to the nearest code, labels exactly, all of one example together."""
        memory, rng = Memory(100), np.random.default_rng(0)
        for value in (0.2, 0.6, 1.0):
            assert memory.add(self.batch(value))

        drawn = memory.draw(rng, 40)

        values = drawn.labels[:, 0]
        assert {round(v, 6) for v in values.tolist()} == {0.2, 0.6, 1.0}
        for views in (drawn.thumbnails, drawn.crops):
            assert torch.allclose(views.flatten(1), values[:, None], atol=0.51 / 255)
        assert torch.equal(drawn.severities[:, 0], values)

    def test_forgets_the_oldest(self) -> None:
        """It holds at most its size."""
        memory = Memory(4)
        for value in (0.0, 0.4, 0.8):
            memory.add(self.batch(value))

        drawn = memory.draw(np.random.default_rng(0), 50)

        assert {round(v, 1) for v in drawn.labels[:, 0].tolist()} == {0.4, 0.8}


def test_real_labels_are_complete() -> None:
    """Each folder of photographs says something, or nothing, of each label; its own weather is there."""
    for weather, said in REAL_LABELS.items():
        assert set(said) == set(LABELS)
        assert set(said.values()) <= {ABSENT, PRESENT, UNSAID}
        name = {"fog": "haze", "snow": "unknown"}.get(weather, weather)
        if name in said:
            assert said[name] == PRESENT
