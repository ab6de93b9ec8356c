"""Put trained weights into the package: half precision, predicted gains, and the index of hashes.

``python -m training.ship --tier fast --weather RUN --haze RUN --noise RUN --router FILE --data DIR``
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import cv2
import msgspec
import numpy as np
import torch

from streamrestore.compute import choose_compute
from streamrestore.networks.routernet import RouterNet
from streamrestore.restore.branch import BranchRunner
from streamrestore.route.router import Router
from streamrestore.seams import Network
from streamrestore.weather import Weather
from streamrestore.weights import store
from training import degrade
from training.data import Picture, read_clean, unit
from training.measures import psnr
from training.samples import to_tensor

SAMPLES = 240
POINTS = 7
SIDE = 224
CEILING = 45.0
"""dB beyond which nobody sees a difference."""


def fit_gains(
    runner: BranchRunner, weather: str, pictures: list[Picture], router: Router, seed: int
) -> list[tuple[float, float]]:
    """(severity, mean gain in dB) of a branch on its own weather, in bins of equal counts; first for clean.

    Severities are those that the router says, not the true ones, which nobody knows at work. Gains rise with
    severity in the table: a dip is sampling noise and would let the policy call a stronger damage the lesser
    evil.
    """
    present: list[tuple[float, float]] = []
    absent: list[float] = []
    for index in range(SAMPLES):
        rng = np.random.default_rng([seed, index])
        picture = pictures[int(rng.integers(len(pictures)))]
        top, left = (int(rng.integers(max(1, side - SIDE + 1))) for side in picture.shape[:2])
        target = to_tensor(unit(picture[top : top + SIDE, left : left + SIDE]))
        recipe = degrade.draw_recipe(rng, weather, identity=0.1, coded=0.25)
        sample = degrade.apply_recipe(target, recipe, rng)
        output = sample.frames + runner.residual(sample.frames)
        clean = sample.target.numpy()
        before, after = (min(psnr(x.clamp(0, 1).numpy(), clean), CEILING) for x in (sample.frames, output))
        gain = after - before
        if sample.severity[weather] > 0:
            estimate = router.estimate([router.views_of_rgb(sample.frames[0])])
            present.append((estimate.severity[Weather(weather)], gain))
        else:
            absent.append(gain)
    best = float(np.mean(absent or [0.0]))
    points = [(0.0, round(best, 2))]
    for part in np.array_split(np.array(sorted(present)), POINTS):
        best = max(best, float(part[:, 1].mean()))
        points.append((round(float(part[:, 0].mean()), 4), round(best, 2)))
    return points


def router_of(path: Path) -> Router:
    """The router of a file of weights."""
    network = store.read(path).build().eval()
    assert isinstance(network, RouterNet)
    return Router(network)


def put(source: Path, name: str, notes: Mapping[str, str], folder: Path) -> str:
    """Write one file of weights into the package; returns its SHA-256."""
    weights = store.read(source)
    path = folder / f"{name}.safetensors"
    store.write(path, weights.network, weights.build(), {**weights.notes, **notes}, torch.float16)
    return store.digest_of(path)


@click.command()
@click.option("--tier", default="fast", show_default=True)
@click.option("--weather", "weather_run", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--haze", "haze_run", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--noise", "noise_run", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--router", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="Training data.")
@click.option("--clean", multiple=True, default=["clean", "clean_streets"], show_default=True)
def main(
    tier: str,
    weather_run: Path,
    haze_run: Path,
    noise_run: Path,
    router: Path,
    data: Path,
    clean: tuple[str, ...],
) -> None:
    """Ship a tier: gains are fitted on pictures split off train."""
    cv2.setNumThreads(0)
    folder = store.FOLDER
    split = read_clean([data / name for name in clean], "split")
    compute = choose_compute("cpu", "auto", 1)
    index_path = folder / "index.json"
    tiers = store.read_index().tiers if index_path.exists() else {}
    files = dict(store.read_index().files) if index_path.exists() else {}
    tiers[tier] = {}
    judge = router_of(router)
    for run, part in ((weather_run, "weather"), (haze_run, "haze"), (noise_run, "noise")):
        name = f"{tier}-{part}"
        network = store.read(run / "ema.safetensors").build()
        assert isinstance(network.branches, tuple)
        gains = {}
        for branch in network.branches:
            gains[branch] = fit_gains(
                BranchRunner(_as_network(network), branch, compute), branch, split, judge, seed=7
            )
            click.echo(f"{branch}: {gains[branch]}")
            tiers[tier][branch] = name
        notes = {"gains": msgspec.json.encode(gains).decode()}
        files[name] = put(run / "ema.safetensors", name, notes, folder)
    files["router"] = put(router, "router", {}, folder)
    index_path.write_bytes(
        msgspec.json.format(msgspec.json.encode(store.Index(tiers, "router", dict(sorted(files.items())))))
        + b"\n"
    )


def _as_network(module: torch.nn.Module) -> Network:
    return module  # type: ignore[return-value]  # a Module has any attribute for mypy, a Protocol has not


if __name__ == "__main__":
    main()
