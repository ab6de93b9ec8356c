"""Weights into the package."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from streamrestore.cli.main import commands
from streamrestore.engine import load_restorer
from streamrestore.networks.routernet import RouterNet, RouterNetConfig
from streamrestore.restore.branch import BranchRunner
from streamrestore.route.router import Router
from streamrestore.weather import Weather
from streamrestore.weights import store
from tests.media import write_video
from tests.networks.nets import small_addunet, small_paper_addunet, small_uffn
from tests.restore.test_branch import CPU, Grey
from tests.training.pictures import picture, write
from training import ship
from training.data import in_part
from training.train import WEIGHTS


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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's weights, which is what the product uses."""
    copied = Path(shutil.copytree(store.FOLDER, tmp_path / "weights"))
    for function in (store.read_index, store.read_shipped):
        monkeypatch.setattr(function, "__defaults__", (copied,))
    return copied


@pytest.fixture
def arguments(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of the command, but for the tier and its runs; runs lie beside."""
    monkeypatch.setattr(ship, "SAMPLES", 16)
    monkeypatch.setattr(ship, "SIDE", 32)
    for name, network, module in (
        ("uffn", "uffn", small_uffn()),
        ("addunet", "addunet-paper", small_paper_addunet()),
        ("fast-noise", "addunet", small_addunet()),
    ):
        (tmp_path / name).mkdir()
        store.write(tmp_path / name / WEIGHTS, network, module, {"minutes": "9"})
    stem = next(f"p_{n}" for n in range(99) if in_part(f"p_{n}", "split"))
    write(tmp_path / "data/clean" / f"{stem}.png", picture(1))
    return ["--data", str(tmp_path / "data"), "--clean", "clean", "--folder", str(folder)]


def test_paper_tier(tmp_path: Path, arguments: list[str]) -> None:
    """Three branches in one file, the denoiser in another; it serves wherever a tier does."""
    fast = store.read_index().tiers["fast"]
    runs = ["--weather", str(tmp_path / "uffn"), "--noise", str(tmp_path / "addunet")]

    result = CliRunner().invoke(ship.main, ["--tier", "paper", *runs, *arguments])

    assert result.exit_code == 0, result.output
    index = store.read_index()
    paper = {**dict.fromkeys(("rain", "haze", "raindrop"), "paper-weather"), "noise": "paper-noise"}
    assert index.tiers == {"fast": fast, "paper": paper}
    for name in index.files:
        store.read_shipped(name)

    restorer = load_restorer(tier="paper", precision="fp32")
    clip = picture(3)[None]
    for weather in Weather:
        restored = restorer.restore(clip, branch=weather).frames
        assert restored.shape == clip.shape
        assert not np.array_equal(restored, clip)
        assert set(restorer.gains) == set(Weather)
    dialled = restorer.restore(clip, branch="noise", gates=(1, 1, 0, 1, 1)).frames
    assert not np.array_equal(dialled, restorer.restore(clip, branch="noise").frames)
    assert restorer.restore(clip).decision.reason

    write_video(tmp_path / "a.mp4", frames=4)
    for out, *options in (("b.mp4", "--tier", "paper", "--branch", "rain"), ("c.mp4", "--tier", "paper")):
        restored = CliRunner().invoke(
            commands, ["restore", str(tmp_path / "a.mp4"), "-o", str(tmp_path / out), *options]
        )
        assert restored.exit_code == 0, restored.output
        assert (tmp_path / out).exists()
    tiers = CliRunner().invoke(commands, ["doctor"]).stdout
    (costs,) = [line for line in tiers.splitlines() if line.strip().startswith("paper ")]
    assert "rain 7.7, haze 7.7, raindrop 7.7, noise 21.4" in costs


def test_a_tier_that_is_not_shipped(tmp_path: Path) -> None:
    """Is refused in a line that names those that are, and leaves nothing."""
    write_video(tmp_path / "a.mp4", frames=2)

    result = CliRunner().invoke(
        commands, ["restore", str(tmp_path / "a.mp4"), "-o", str(tmp_path / "b.mp4"), "--tier", "papyrus"]
    )

    assert result.exit_code == 2
    assert "there is no tier 'papyrus'; shipped are fast" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_some_branches(tmp_path: Path, folder: Path, arguments: list[str]) -> None:
    """What no run brings stays; a file that has no branch any more goes."""
    fast = store.read_index().tiers["fast"]
    haze = store.digest_of(folder / "fast-haze.safetensors")

    assert CliRunner().invoke(ship.main, ["--noise", str(tmp_path / "fast-noise"), *arguments]).exit_code == 0
    index = store.read_index()
    assert index.tiers["fast"] == fast
    assert index.files["fast-haze"] == haze
    noise = store.read_shipped("fast-noise")
    assert noise.notes["minutes"] == "9"
    assert noise.costs.keys() == {"noise"}
    assert msgspec.json.decode(noise.notes[store.GAINS])["noise"]

    assert CliRunner().invoke(ship.main, ["--weather", str(tmp_path / "uffn"), *arguments]).exit_code == 0
    assert store.read_index().tiers["fast"] == {**fast, "haze": "fast-weather"}
    files = {path.stem for path in folder.glob("*.safetensors")}
    assert files == set(store.read_index().files) == {"fast-weather", "fast-noise", "router"}


def test_another_router(tmp_path: Path, arguments: list[str]) -> None:
    """Gains follow its severities: what was fitted to the one before is named."""
    store.write(tmp_path / "router.safetensors", "routernet", RouterNet(RouterNetConfig()), {})
    words = ["--noise", str(tmp_path / "fast-noise"), "--router", str(tmp_path / "router.safetensors")]

    first, again = (CliRunner().invoke(ship.main, [*words, *arguments]) for _ in range(2))

    assert first.exit_code == again.exit_code == 0
    assert "ship these again, too: fast rain, fast raindrop, fast haze\n" in first.output
    assert "ship these again" not in again.output


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], "nothing to ship"),
        (
            ["--noise", "addunet", "--weather", "fast-noise"],
            "a branch has two runs (weather: noise; noise: noise",
        ),
    ],
)
def test_refused(runs: list[str], words: str, tmp_path: Path, folder: Path, arguments: list[str]) -> None:
    """Before anything is written."""
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    placed = [run if run.startswith("--") else str(tmp_path / run) for run in runs]

    result = CliRunner().invoke(ship.main, [*placed, *arguments])

    assert result.exit_code != 0
    assert words in result.output
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
