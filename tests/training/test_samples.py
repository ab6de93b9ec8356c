"""Batches of a run: each follows from the seed and its number alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from streamrestore.settings import read_settings
from tests.training.pictures import write_clean, write_depth, write_pairs
from training.config import SquaredError, TaskConfig, TrainConfig
from training.data import in_part
from training.motion import Motion
from training.samples import Batch, Samples, batches, brighten, draw_view

STEMS = [s for n in range(12) if in_part(s := f"p_{n}", "train")]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean pictures, pairs and depth."""
    folder = tmp_path_factory.mktemp("data")
    write_clean(folder / "clean", STEMS)
    write_pairs(folder / "pairs", STEMS[:3])
    write_depth(folder / "rgbd", STEMS[:2])
    return folder


def config(seed: int = 0, **tasks: dict[str, Any]) -> TrainConfig:
    """A run of small crops."""
    small = {name: {"batch": 2, "crop": 32, **task} for name, task in tasks.items()}
    values = {"name": "a", "network": "addunet", "tasks": small, "clean": ["clean"], "seed": seed}
    return read_settings(TrainConfig, values)


def equal(a: Batch, b: Batch) -> bool:
    """The same task and numbers."""
    return a.task == b.task and torch.equal(a.degraded, b.degraded) and torch.equal(a.target, b.target)


def astuple(batch: Batch) -> tuple[Any, ...]:
    """Tasks, labels, damaged and clean pictures."""
    return batch.tasks, batch.labels, batch.degraded, batch.target


ALL = {
    "rain": {"pairs": {"pairs": 0.3}, "lights": {"pairs": 0.4}},
    "haze": {"depth": {"rgbd": 0.5}, "whole": True},
    "noise": {"turn": True},
}


class TestBatches:
    """`Samples` and `batches`."""

    def test_deterministic_by_step(self, data: Path) -> None:
        """Batch k is the same in every run, in any order; other steps and seeds give others."""
        first, again, other = (Samples(config(seed, **ALL), data) for seed in (0, 0, 1))

        for step in (5, 0, 3):
            assert equal(first[step], again[step])
        assert not equal(first[0], first[1])
        assert not equal(first[0], other[0])

    def test_start_and_workers(self, data: Path) -> None:
        """A run goes on where it was; processes make what one would."""
        samples = Samples(config(**ALL), data)
        expected = [samples[step] for step in range(2, 5)]

        for workers in (0, 1):
            made = batches(samples, 2, workers)
            assert all(equal(next(made), batch) for batch in expected)
            del made

    def test_shapes_and_range(self, data: Path) -> None:
        """(N, 3, S, S), float32; targets in [0, 1]; every task has its turn."""
        samples = Samples(config(**ALL), data)
        tasks = set()
        for step in range(12):
            batch = samples[step]
            tasks.add(batch.task)
            assert batch.degraded.shape == (2, 1, 3, 32, 32)
            assert batch.target.shape == (2, 3, 32, 32)
            for pictures in (batch.degraded, batch.target):
                assert pictures.dtype == torch.float32
            assert batch.target.min() >= 0
            assert batch.target.max() <= 1
        assert tasks == {"rain", "haze", "noise"}

    def test_whole_pictures(self, data: Path) -> None:
        """For branches that look at whole pictures: most of each, as small as a crop, pair by pair."""
        samples = Samples(config(haze={"pairs": {"pairs": 1.0}, "whole": True}), data)

        for step in range(4):
            batch = samples[step]
            assert batch.degraded.shape == (2, 1, 3, 32, 32)
            assert torch.allclose(batch.degraded[:, 0], batch.target / 2, atol=2 / 255)
        rng = np.random.default_rng(0)
        for _ in range(20):
            view = draw_view(rng, (480, 640), TaskConfig(crop=32, whole=True))
            assert view.height >= 0.29 * 480
            assert 1.1 < view.width / view.height < 1.6

    def test_shares(self, data: Path) -> None:
        """A task's share of the steps, and a folder of pairs' share of the samples."""
        samples = Samples(config(rain={"pairs": {"pairs": 1.0}, "share": 9}, noise={"share": 1}), data)

        made = [samples[step] for step in range(20)]

        rain = [batch for batch in made if batch.task == "rain"]
        assert len(rain) > 12
        for batch in rain:  # inputs of the pairs are half as bright, rounded down
            assert torch.allclose(batch.degraded[:, 0], batch.target / 2, atol=1 / 255)

    def test_mixed(self, data: Path) -> None:
        """Batches of all tasks, by their shares; labels are the tasks' places."""
        tasks = {"rain": {"share": 3, "pairs": {"pairs": 1.0}, "plain": True}, "noise": {"sigma": [0, 0]}}
        squared = {"mixed": True, "objective": SquaredError()}
        samples = Samples(msgspec.structs.replace(config(**tasks), **squared), data)

        rows = [
            (task, int(label), d[0], t)
            for step in range(20)
            for task, label, d, t in zip(*astuple(samples[step]), strict=True)
        ]

        assert {(task, label) for task, label, _, _ in rows} == {("rain", 0), ("noise", 1)}
        assert 0.6 < np.mean([task == "rain" for task, *_ in rows]) < 0.9
        for task, _, degraded, target in rows:
            change = target / 2 if task == "rain" else target
            assert torch.allclose(degraded, change, atol=1 / 255)

    def test_plain(self, data: Path) -> None:
        """Crops are parts of the pictures, sample by sample."""
        samples = Samples(config(noise={"sigma": [0, 0], "plain": True, "crop": 24}), data)
        windows = {
            np.ascontiguousarray(view).tobytes()
            for picture in samples.clean
            for turned in (picture, picture[:, ::-1])
            for view in sliding_window_view(turned, (24, 24, 3))[:, :, 0].reshape(-1, 24, 24, 3)
        }

        for target in samples[0].target:
            codes = (255 * target).round().byte().permute(1, 2, 0)
            assert codes.numpy().tobytes() in windows

    def test_sigma(self, data: Path) -> None:
        """White noise between the two, and nothing else."""
        batch = Samples(config(noise={"sigma": [20, 30], "batch": 9}), data)[0]

        sigmas = 255 * (batch.degraded[:, 0] - batch.target).std(dim=(1, 2, 3))

        assert 19 < float(sigmas.min()) < float(sigmas.max()) < 31
        assert float(sigmas.max() - sigmas.min()) > 2

    def test_grey(self, data: Path) -> None:
        """One channel, of clean luma and of noise that is not the mean of three."""
        settings = config(noise={"sigma": [30, 30], "plain": True})
        samples = Samples(msgspec.structs.replace(settings, shape={"channels": 1}), data)

        batch = samples[0]

        assert batch.degraded.shape == (2, 1, 1, 32, 32)
        assert batch.target.shape == (2, 1, 32, 32)
        noise = batch.degraded[:, 0] - batch.target
        assert 255 * float(noise.std()) == pytest.approx(30, rel=0.1)

    def test_noise_is_not_clipped(self, data: Path) -> None:
        """Benchmarks add it in float; so does training, now and then."""
        samples = Samples(config(noise={"coded": 0.0}), data)

        assert min(float(samples[step].degraded.min()) for step in range(12)) < 0


class TestView:
    """Which part of a picture is taken."""

    @given(st.integers(20, 200), st.integers(20, 200), st.booleans(), st.booleans(), st.integers(0, 999))
    def test_inside(self, height: int, width: int, whole: bool, turn: bool, seed: int) -> None:
        """A part of the picture, cut to a square, the same for the damaged and the clean one."""
        task = TaskConfig(crop=32, whole=whole, turn=turn)
        rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)

        view = draw_view(np.random.default_rng(seed), (height, width), task)

        assert 0 <= view.top <= view.top + view.height <= height
        assert 0 <= view.left <= view.left + view.width <= width
        assert view.cut(rgb, 32).shape == (32, 32, 3)
        assert view.cut(rgb[..., 0], 32).shape == (32, 32)
        assert np.array_equal(view.cut(rgb, 32), view.cut(rgb.copy(), 32))
        assert turn or view.turns == 0

    def test_gravity(self) -> None:
        """Rain falls down: quarter turns only where a task says so; mirrored it may be."""
        views = [draw_view(np.random.default_rng(n), (64, 64), TaskConfig(crop=32)) for n in range(40)]

        assert {v.turns for v in views} == {0}
        assert {v.mirror for v in views} == {True, False}

    @given(st.integers(0, 999))
    def test_brighten(self, seed: int) -> None:
        """Stays in [0, 1]."""
        rgb = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)

        clean = brighten(np.random.default_rng(seed), rgb)

        assert clean.dtype == np.float32
        assert clean.min() >= 0
        assert clean.max() <= 1


class TestClips:
    """What networks that see the past learn from."""

    @pytest.fixture
    def clips(self, data: Path) -> Samples:
        """Three frames of rain."""
        values = {"name": "a", "network": "expertnet", "clean": ["clean"], "shape": {"temporal_radius": 2}}
        rain = {"batch": 6, "crop": 48, "coded": 0.0, "pairs": {"pairs": 0.2}, "lights": {"pairs": 0.2}}
        return Samples(read_settings(TrainConfig, {**values, "tasks": {"rain": rain}}), data)

    def test_present_first(self, clips: Samples) -> None:
        """(N, T, 3, S, S): the target belongs to the first frame; the weather is new in each one."""
        nearer, alike = 0, 0
        for step in range(6):
            batch = clips[step]
            assert batch.degraded.shape == (6, 3, 3, 48, 48)
            errors = (batch.degraded - batch.target[:, None]).abs().mean(dim=(2, 3, 4))  # (N, T)
            nearer += int((errors[:, 0] <= errors[:, 2] + 1e-4).sum())
            alike += int((errors[:, 0] == errors[:, 2]).sum())
        assert nearer > 27  # of 36: the past has moved away from the target
        assert 6 < alike < 30  # some have no past

    def test_one_frame_alone(self, data: Path) -> None:
        """Networks without a past get none."""
        assert Samples(config(rain={}), data)[0].degraded.shape == (2, 1, 3, 32, 32)


class TestMotion:
    """Cameras that move over still pictures."""

    def test_pan(self) -> None:
        """What moves right was further left before."""
        picture = np.zeros((9, 15, 3), np.uint8)
        picture[4, 6] = 200

        before = Motion(right=2.0, down=0.0).before(picture, 1)

        assert np.argwhere(before[..., 0] > 100).tolist() == [[4, 4]]
        assert np.array_equal(Motion().before(picture, 5), picture)
        assert np.array_equal(Motion(right=2.0).before(picture, 0), picture)

    @given(st.integers(0, 999), st.integers(1, 4))
    def test_the_middle_stays(self, seed: int, frames: int) -> None:
        """A zoom alone keeps the middle where it is; shapes and types stay."""
        picture = np.random.default_rng(seed).random((17, 17)).astype(np.float32)

        before = Motion(zoom=1.05).before(picture, frames)

        assert before.shape == picture.shape
        assert before.dtype == picture.dtype
        assert before[8, 8] == pytest.approx(picture[8, 8], abs=1e-3)
        assert Motion(0.0, 0.0, 1.0) == Motion()
