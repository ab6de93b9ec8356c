"""Each kind of objective, from the configuration to the loss and into the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from streamrestore.errors import UsageError
from streamrestore.networks import registry
from streamrestore.settings import read_settings
from tests.training.pictures import write_clean, write_pairs
from tests.training.test_samples import STEMS
from training import objectives, train
from training.config import TrainConfig
from training.samples import Samples

UFFN = {"network": "uffn", "shape": {"width": 4, "branches": ["rain", "haze"]}, "objective": {"kind": "uffn"}}
JOINT = {
    "network": "addunet-paper",
    "shape": {"width": 4, "kernels": [3, 1], "classifier": "small", "classes": 2},
    "objective": {"kind": "joint", "weight": 0.5},
}  # fmt: skip
SQUARED = {"network": "plainunet", "shape": {"width": 4, "kernels": [3, 1]}, "objective": {"kind": "squared"}}


def config(**values: Any) -> TrainConfig:
    """Rain and haze in batches of both, a few steps of small crops."""
    task = {"batch": 4, "crop": 16, "pairs": {"pairs": 1.0}, "plain": True}
    base = {
        "name": "a", "tasks": {"rain": task, "haze": task}, "clean": ["clean"], "mixed": True, "steps": 3,
        "precision": "32-true", "warmup_steps": 1,
    }  # fmt: skip
    return read_settings(TrainConfig, base | values)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean pictures and pairs."""
    folder = tmp_path_factory.mktemp("data")
    write_clean(folder / "clean", STEMS)
    write_pairs(folder / "pairs", STEMS[:3])
    return folder


def gradients(config: TrainConfig, data: Path) -> dict[str, float]:
    """Norm of each weight's gradient, of the first batch."""
    torch.manual_seed(1)
    network = registry.build(config.network, config.shape)
    batch = Samples(config, data)[0]
    objectives.loss_of(config, objectives.ask(config, network, batch), batch, 0.0).backward()
    return {n: 0.0 if p.grad is None else float(p.grad.norm()) for n, p in network.named_parameters()}


@pytest.mark.parametrize("kind", [UFFN, JOINT, SQUARED], ids=lambda kind: kind["objective"]["kind"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_run(kind: dict[str, Any], precision: str, data: Path, tmp_path: Path) -> None:
    """The loop trains it for as many steps as the budget says, and every weight has moved."""
    settings = config(**kind, precision=precision)
    torch.manual_seed(settings.seed)
    start = registry.build(settings.network, settings.shape).state_dict()

    train.train(settings, data, tmp_path, workers=0, threads=1)

    state = load_file(tmp_path / train.STATE)
    # A kernel of side 1 before a normalisation is taken back by it.
    moved = {name for name, value in start.items() if not torch.equal(value, state[f"model.{name}"])}
    assert {name for name, value in start.items() if value.numel() > 1} <= moved
    assert (tmp_path / train.LOG).read_text().startswith("3,")
    assert "mixed=" in (tmp_path / train.LOG).read_text()


def test_terms(data: Path) -> None:
    """A lambda of 0 keeps the router, or the classifier, from everything else and itself."""
    for kind, part in ((UFFN, "router."), (JOINT, "classifier.")):
        weight = "path" if kind is UFFN else "weight"
        with_it = gradients(config(**kind), data)
        without = gradients(config(**kind | {"objective": {**kind["objective"], weight: 0.0}}), data)
        assert all(with_it[name] > 0 for name in with_it if name.startswith(part))
        assert all(without[name] == 0 for name in without if name.startswith(part))


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        (UFFN, {"network": "addunet-paper", "shape": {}}, "for a `uffn` with the branches rain, haze"),
        (UFFN, {"shape": {"width": 4}}, "for a `uffn` with the branches rain, haze, as the tasks are"),
        (JOINT, {"shape": {"width": 4}}, "with a classifier"),
        (JOINT, {"shape": {**JOINT["shape"], "classes": 3}}, "3 classes apart, and the samples have 2"),
        (SQUARED, {"network": "uffn", "shape": {"width": 4}}, "networks with one branch"),
    ],
)
def test_refused(
    kind: dict[str, Any], change: dict[str, Any], words: str, data: Path, tmp_path: Path
) -> None:
    """A network that cannot be asked is told of before the first step, and nothing is written."""
    with pytest.raises(UsageError, match=words):
        train.train(config(**kind | change), data, tmp_path / "run", workers=0, threads=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objective": {"kind": "l7"}}, "l7"),
        ({"objective": {"kind": "joint", "wieght": 1}}, "wieght"),
        ({"objective": {"kind": "charbonnier"}}, "eps"),
        ({"tasks": {"rain": {"crop": 16}, "haze": {"crop": 32}}}, "same batch and crop"),
        ({"steps": 0}, "steps"),
    ],
)
def test_bad_settings(change: dict[str, Any], words: str) -> None:
    """Of the configuration itself."""
    with pytest.raises(UsageError, match=words):
        config(**SQUARED | change)
