"""The loop: a run that was broken off goes on as if it had not been."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from streamrestore.networks.addunet import AddUNet
from streamrestore.networks.rgb import RgbNetwork
from streamrestore.weights import store
from tests.networks.nets import small_addunet, small_paper_addunet, small_uffn
from tests.training.pictures import write_clean
from tests.training.test_samples import STEMS, config
from training import checkpoint, train
from training.config import TrainConfig
from training.losses import charbonnier
from training.objectives import residual_of
from training.train import follow, rate_at

FOREVER = 1e9  # minutes: the rate's cosine does not move


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A few clean pictures."""
    write_clean(tmp_path / "data" / "clean", STEMS)
    return tmp_path / "data"


def tiny(**more: Any) -> TrainConfig:
    """A small denoiser in fp32."""
    made = config(noise={"coded": 0.0})
    values = {
        "shape": {"widths": [4, 6, 8]}, "precision": "32-true", "minutes": FOREVER, "warmup_steps": 3, **more
    }  # fmt: skip
    return TrainConfig(**{f: getattr(made, f) for f in made.__struct_fields__} | values)


def run(
    config: TrainConfig, data: Path, folder: Path, until: int, patch: pytest.MonkeyPatch, **more: Any
) -> None:
    """Train up to step `until`."""
    made = train.batches
    with patch.context() as context:
        context.setattr(
            train, "batches", lambda s, start, w: itertools.islice(made(s, start, w), until - start)
        )
        train.train(config, data, folder, workers=0, threads=1, **more)


class TestResume:
    """Checkpoints."""

    def test_exact(self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Four steps are two and two more, to the last bit: weights, average, optimiser."""
        run(tiny(), data, tmp_path / "whole", 4, monkeypatch)
        run(tiny(), data, tmp_path / "parts", 2, monkeypatch)
        half = load_file(tmp_path / "parts" / train.STATE)
        run(tiny(), data, tmp_path / "parts", 4, monkeypatch)

        whole, parts = (load_file(tmp_path / name / train.STATE) for name in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)
        assert not all(torch.equal(whole[key], half[key]) for key in whole)
        assert {key.split(".")[0] for key in whole} == {"model", "ema", "optimizer"}

    def test_a_run_leaves_weights(self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The average, as any file of weights, with where it came from."""
        run(tiny(), data, tmp_path / "run", 2, monkeypatch)

        weights = store.read(tmp_path / "run" / "ema.safetensors")

        assert (weights.notes["run"], weights.notes["steps"]) == ("a", "2")
        network = weights.build()
        assert isinstance(network, AddUNet)
        assert network.config.widths == (4, 6, 8)
        state = load_file(tmp_path / "run" / train.STATE)
        assert all(torch.equal(value, state[f"ema.{key}"]) for key, value in network.state_dict().items())
        assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
            train.STATE, train.WEIGHTS, train.LOG,
        ]  # fmt: skip

    def test_spent(self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The budget counts over all runs: without minutes left nothing is trained."""
        run(tiny(minutes=0.0), data, tmp_path / "run", 5, monkeypatch)

        assert store.read(tmp_path / "run" / "ema.safetensors").notes["steps"] == "0"

    def test_start_from(self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Weights of an earlier run are where another begins."""
        start = tmp_path / "start.safetensors"
        network = small_addunet(widths=(4, 6, 8))
        store.write(start, "addunet", network, {})

        run(tiny(minutes=0.0, start_from=str(start)), data, tmp_path / "run", 1, monkeypatch)

        trained = store.read(tmp_path / "run" / "ema.safetensors").tensors
        assert all(torch.equal(value, trained[key]) for key, value in network.state_dict().items())

    def test_cache(self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pictures that are mapped from the disk are learnt from like others."""
        run(tiny(), data, tmp_path / "plain", 2, monkeypatch)
        run(tiny(), data, tmp_path / "mapped", 2, monkeypatch, cache=tmp_path / "cache")

        plain, mapped = (load_file(tmp_path / name / train.STATE) for name in ("plain", "mapped"))
        assert all(torch.equal(plain[key], mapped[key]) for key in plain)
        assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".bin", ".json"}

    def test_another_configuration_is_noticed(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It may be meant (more minutes), but it is said."""
        run(tiny(), data, tmp_path / "run", 1, monkeypatch)
        run(tiny(), data, tmp_path / "run", 1, monkeypatch)
        assert "not what it was" not in capsys.readouterr().out

        run(tiny(peak_rate=0.1), data, tmp_path / "run", 1, monkeypatch)

        assert "goes on from step 1" in (said := capsys.readouterr().out)
        assert "not what it was" in said

    def test_it_learns(self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Thirty steps lower the loss on what is trained on."""
        settings = tiny(peak_rate=5e-3, ema=0.5)
        samples = train.Samples(settings, data)

        def loss(network: nn.Module) -> float:
            with torch.no_grad():
                total = 0.0
                for batch in (samples[step] for step in range(10)):
                    output = batch.degraded[:, 0] + residual_of(network, batch.degraded, "noise")
                    total += float(charbonnier(output, batch.target, 0.02))
            return total

        run(settings, data, tmp_path / "run", 0, monkeypatch)
        before = loss(store.read(tmp_path / "run" / "ema.safetensors").build())
        run(settings, data, tmp_path / "run", 30, monkeypatch)
        after = loss(store.read(tmp_path / "run" / "ema.safetensors").build())

        assert after < 0.95 * before


class TestCheckpoint:
    """As a file."""

    def test_round_trip(self, tmp_path: Path) -> None:
        """Model, average, optimiser and progress; nothing under another name is left."""
        network, ema = small_addunet(seed=1).requires_grad_(True), small_addunet(seed=2)
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
        network(torch.randn(1, 48, 4, 4)).sum().backward()
        optimizer.step()
        progress = checkpoint.Progress(7, 12.5, "abc")
        checkpoint.save(tmp_path / "state", progress, network, ema, optimizer)

        other, average = small_addunet(seed=3).requires_grad_(True), small_addunet(seed=4)
        fresh = torch.optim.AdamW(other.parameters(), lr=0.2)
        assert checkpoint.load(tmp_path / "state", other, average, fresh) == progress

        for a, b in ((network, other), (ema, average)):
            assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
        states = [o.state_dict()["state"] for o in (optimizer, fresh)]
        assert states[0].keys() == states[1].keys()
        for key, values in states[0].items():
            assert all(torch.equal(value, states[1][key][name]) for name, value in values.items())
        assert [p.name for p in tmp_path.iterdir()] == ["state"]


class TestSchedule:
    """Rate and average."""

    def test_rate(self) -> None:
        """Rises over the warm-up, then falls along a cosine of the share of the budget, never to nothing."""
        settings = tiny(warmup_steps=10, peak_rate=1.0)

        assert rate_at(0, 0.0, settings) == pytest.approx(0.1)
        assert rate_at(9, 0.0, settings) == rate_at(50, 0.0, settings) == 1.0
        assert rate_at(50, 0.5, settings) == pytest.approx(0.5)
        assert rate_at(50, 0.25, settings) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
        assert rate_at(50, 1.0, settings) == rate_at(50, 1.5, settings) == pytest.approx(0.01)

    def test_follow(self) -> None:
        """decay a + (1 - decay) b."""
        average, model = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)
        nn.init.constant_(average.weight, 1.0)
        nn.init.constant_(model.weight, 3.0)

        follow(average, model, 0.75)

        assert torch.equal(average.weight, torch.full((1, 2), 1.5))
        assert torch.equal(model.weight, torch.full((1, 2), 3.0))

    def test_follow_copies_what_was_gathered(self) -> None:
        """Means and variances of batch normalisation: the averaged network is used with them."""
        average, model = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
        model(3 + torch.randn(4, 2, 5, 5))

        follow(average, model, 0.75)

        assert float(model.running_mean.min()) > 0.1
        assert torch.equal(average.running_mean, model.running_mean)

    @pytest.mark.parametrize("make", [small_uffn, small_paper_addunet])
    def test_residual_of_published_networks(self, make: Callable[[], RgbNetwork]) -> None:
        """They see RGB, not our basis of it."""
        network, pictures = make(), torch.rand(2, 3, 16, 24)
        branch = network.branches[0]
        expected = network(pictures, branch)

        assert torch.equal(residual_of(network, pictures[:, None], branch), expected)

    def test_residual_of(self) -> None:
        """In training a network sees what it sees when it restores."""
        from streamrestore.restore.branch import BranchRunner
        from tests.restore.test_branch import CPU

        network, pictures = small_addunet(), torch.rand(2, 3, 32, 48)

        runner = BranchRunner(network, "noise", CPU)

        learnt = residual_of(network, pictures[:, None], "noise")

        assert torch.allclose(learnt, torch.cat([runner.residual(p[None]) for p in pictures]), atol=1e-4)
