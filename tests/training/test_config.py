"""A run's YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamrestore.errors import UsageError
from streamrestore.networks import registry
from training import objectives
from training.config import Joint, read_config

ROOT = Path(__file__).parents[2]
LEAST = "name: a\nnetwork: addunet\ntasks: {noise: {}}\nclean: [clean]\n"


def write(folder: Path, text: str) -> Path:
    """A file with this text."""
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_least(tmp_path: Path) -> None:
    """What has no default must be given, and nothing else."""
    config = read_config(write(tmp_path, LEAST))

    assert (config.name, config.network, list(config.tasks)) == ("a", "addunet", ["noise"])
    assert config.tasks["noise"].batch > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LEAST + "minuts: 5\n", r"no 'minuts'; did you mean 'minutes'\?"),
        (LEAST.replace("{}", "{bach: 4}"), "bach"),
        (LEAST.replace("{}", "{share: 0}"), "> 0"),
        (LEAST + "precision: fp8\n", "precision"),
        ("name: a\n", "missing required field"),
        ("", "named values"),
    ],
)
def test_refused(tmp_path: Path, text: str, words: str) -> None:
    """Unknown keys, bad values, nothing at all."""
    with pytest.raises(UsageError, match=words):
        read_config(write(tmp_path, text))


OURS = [p for kind in ("fast", "paper") for p in sorted((ROOT / "configs").glob(f"train-{kind}-*.yaml"))]


@pytest.mark.parametrize("path", OURS, ids=lambda p: p.stem)
def test_ours(path: Path) -> None:
    """Every configuration that we keep can be read, and builds its network, with a branch for each task."""
    config = read_config(path)

    network = registry.build(config.network, config.shape)

    objectives.check(config, network, len(config.tasks))
    if not isinstance(config.objective, Joint):  # whose network has one branch for all
        assert set(config.tasks) == set(network.branches)  # type: ignore[arg-type]
    assert all(task.crop % network.multiple_of == 0 for task in config.tasks.values())  # type: ignore[operator]
