"""Put trained weights into the package: half precision, predicted gains, costs, and the index of hashes.

``python -m training.ship --tier fast --weather RUN --haze RUN --noise RUN --router FILE --data DIR``

A run brings all branches that its network has (``--tier paper --weather RUN --noise RUN`` is a whole tier);
branches that none brings stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import click
import cv2
import msgspec
import numpy as np
import torch
from torch import Tensor

from streamrestore.compute import choose_compute
from streamrestore.errors import StreamRestoreError, UsageError
from streamrestore.networks.cost import gmac_per_megapixel
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
from training.train import WEIGHTS

SAMPLES = 240
POINTS = 7
SIDE = 224
INDEX = "index.json"
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


def ship(
    tier: str, runs: Mapping[str, Path], router: Path | None, split: list[Picture], folder: Path
) -> store.Index:
    """Put branches of a tier into a folder of weights; files that no tier has any more are removed.

    Args:
        runs: folder of each run by the name that its file gets behind the tier's.
        router: weights; the folder's own if not given.
        split: pictures on which gains are fitted.

    Raises:
        UsageError: two runs have the same branch, or there is no router.
    """
    index = store.read_index(folder) if (folder / INDEX).exists() else store.Index({}, "router", {})
    if router is None and index.router not in index.files:
        raise UsageError(f"{folder}: it has no router yet; give one with --router")
    networks = {part: store.read(run / WEIGHTS).build() for part, run in runs.items()}
    branches = {part: cast("tuple[str, ...]", network.branches) for part, network in networks.items()}
    owners = [(branch, f"{tier}-{part}") for part, names in branches.items() for branch in names]
    brought = dict(owners)
    if len(brought) < len(owners):
        told = "; ".join(f"{part}: {', '.join(names)}" for part, names in branches.items())
        raise UsageError(f"a branch has two runs ({told}); give one of them")
    compute, files = choose_compute("cpu", "auto", 1), dict(index.files)
    judge = router_of(router or folder / f"{index.router}.safetensors")
    for part, module in networks.items():
        gains, network = {}, _as_network(module)
        for branch in branches[part]:
            gains[branch] = fit_gains(BranchRunner(network, branch, compute), branch, split, judge, seed=7)
            click.echo(f"{branch}: {gains[branch]}")
        costs = {branch: round(gmac_per_megapixel(network, branch), 1) for branch in branches[part]}
        notes = {store.GAINS: gains, store.COSTS: costs}
        encoded = {name: msgspec.json.encode(note).decode() for name, note in notes.items()}
        files[f"{tier}-{part}"] = put(runs[part] / WEIGHTS, f"{tier}-{part}", encoded, folder)
    if router is not None:
        before = store.read(folder / "router.safetensors").tensors if "router" in files else {}
        files["router"] = put(router, "router", {}, folder)
        others = [
            f"{t} {b}" for t, names in index.tiers.items() for b in names if t != tier or b not in brought
        ]
        if others and not _same(before, store.read(folder / "router.safetensors").tensors):
            click.echo(f"gains follow the router, which is new: ship these again, too: {', '.join(others)}")
    tiers = {**index.tiers, tier: {**index.tiers.get(tier, {}), **brought}}
    used = {"router", *(name for branches in tiers.values() for name in branches.values())}
    kept = {name: digest for name, digest in sorted(files.items()) if name in used}
    index = store.Index(tiers, "router", kept)
    partial = folder / f".{INDEX}.partial"
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(index)) + b"\n")
    partial.replace(folder / INDEX)
    for name in set(files) - used:
        (folder / f"{name}.safetensors").unlink(missing_ok=True)
    return index


@click.command()
@click.option("--tier", default="fast", show_default=True)
@click.option("--weather", type=click.Path(exists=True, path_type=Path), help="Run of rain and raindrops.")
@click.option("--haze", type=click.Path(exists=True, path_type=Path), help="Run of haze, if that is another.")
@click.option("--noise", type=click.Path(exists=True, path_type=Path), help="Run of the denoiser.")
@click.option(
    "--router", type=click.Path(exists=True, path_type=Path), help="Its weights; as it is by default."
)
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="Training data.")
@click.option("--clean", multiple=True, default=["clean", "clean_streets"], show_default=True)
@click.option(
    "--folder", default=store.FOLDER, type=click.Path(path_type=Path), help="Instead of the package's."
)
def main(
    tier: str,
    weather: Path | None,
    haze: Path | None,
    noise: Path | None,
    router: Path | None,
    data: Path,
    clean: tuple[str, ...],
    folder: Path,
) -> None:
    """Ship a tier: gains are fitted on pictures split off train."""
    cv2.setNumThreads(0)
    given = {"weather": weather, "haze": haze, "noise": noise}
    runs = {part: run for part, run in given.items() if run is not None}
    if not runs:
        raise click.UsageError("nothing to ship: give --weather, --haze or --noise")
    split = read_clean([data / name for name in clean], "split")
    try:
        index = ship(tier, runs, router, split, folder)
    except StreamRestoreError as error:
        raise click.ClickException(str(error)) from error
    names = sorted(set(index.tiers[tier].values()))
    size = sum((folder / f"{name}.safetensors").stat().st_size for name in names)
    click.echo(f"{tier}: {', '.join(index.tiers[tier])}; {size / 1e6:.1f} MB in {', '.join(names)}")


def _same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    """Whether weights are equal. Their files may differ: the order of the notes is not kept."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _as_network(module: torch.nn.Module) -> Network:
    return module  # type: ignore[return-value]  # a Module has any attribute for mypy, a Protocol has not


if __name__ == "__main__":
    main()
