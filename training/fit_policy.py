"""Thresholds of the policy from pictures split off train: ``python -m training.fit_policy --data DIR``.

Each split-off picture is left clean or damaged by one weather; every branch restores it, so that what
each decision gains or loses is measured. Printed are, for each pair of thresholds, the mean gain of
the decisions, how much of the best possible that is, and how many clean pictures were touched.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import msgspec
import numpy as np

from streamrestore.engine import Restorer, load_restorer
from streamrestore.route import policy
from streamrestore.settings import PolicySettings, WrongBranchSettings
from streamrestore.weather import Weather, WeatherEstimate
from training import degrade
from training.data import Picture, list_pictures, read_clean, read_picture
from training.measures import psnr
from training.samples import brighten, to_tensor
from training.ship import CEILING

KINDS = ("clean", "rain", "haze", "raindrop", "noise")
SHARES = (0.4, 0.15, 0.15, 0.15, 0.15)
"""Most footage has nothing to restore."""
MIN_GAINS = (0.1, 0.3, 0.5, 0.8, 1.2, 1.6, 2.0, 2.5)
FACTORS = (0.5, 0.7, 0.85, 1.0, 1.3, 1.8, 2.2, 2.7, 3.5)
"""Of the measured losses."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One picture: what the router says of it, and what each branch truly gains on it in dB."""

    kind: str
    estimate: WeatherEstimate
    gains: Mapping[Weather, float]


@dataclass(frozen=True, slots=True)
class Score:
    """What a pair of thresholds does over all trials."""

    settings: PolicySettings
    gain: float
    """Mean, dB."""
    touched: float
    """Share of the clean pictures that were restored."""
    right: float
    """Share of the damaged ones that went to their own branch."""


def trials(restorer: Restorer, pictures: list[Picture], count: int, seed: int) -> Iterator[Trial]:
    """Damage pictures and measure."""
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        kind = str(rng.choice(KINDS, p=SHARES))
        clean = to_tensor(brighten(rng, pictures[index % len(pictures)]))
        if kind == "clean":
            coded = degrade.codec.draw(rng) if rng.random() < 0.3 else None
            recipe = degrade.Recipe("rain", codec=coded)
        else:
            recipe = degrade.draw_recipe(rng, kind, identity=0.0, coded=0.3)
        sample = degrade.apply_recipe(clean, recipe, rng)
        codes = (sample.frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        target = sample.target.numpy()
        before = min(psnr(codes.transpose(0, 3, 1, 2) / 255, target), CEILING)
        gains = {}
        for weather in Weather:
            output = restorer.restore(codes, branch=weather.value).frames
            gains[weather] = min(psnr(output.transpose(0, 3, 1, 2) / 255, target), CEILING) - before
        yield Trial(kind, restorer.classify(codes), gains)


def losses(found: list[Trial]) -> WrongBranchSettings:
    """What each branch loses on average where its weather is not, in dB."""
    mean = {
        weather.value: -float(np.mean([t.gains[weather] for t in found if t.kind != weather.value]))
        for weather in Weather
    }
    return WrongBranchSettings(**{name: round(max(0.0, value), 2) for name, value in mean.items()})


def scaled(costs: WrongBranchSettings, factor: float) -> WrongBranchSettings:
    """All of them times a factor."""
    return WrongBranchSettings(**{k: round(factor * v, 1) for k, v in msgspec.structs.asdict(costs).items()})


def score(found: list[Trial], settings: PolicySettings, table: policy.GainTable) -> Score:
    """Decide all trials."""
    gain, touched, right = 0.0, 0, 0
    for trial in found:
        (decision,) = policy.decide([trial.estimate], settings, table)
        gain += sum(trial.gains[branch] for branch in decision.branches)
        if trial.kind == "clean":
            touched += bool(decision.branches)
        else:
            right += decision.label == trial.kind
    clean = sum(t.kind == "clean" for t in found)
    return Score(settings, gain / len(found), touched / clean, right / (len(found) - clean))


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="Training data.")
@click.option("--clean", multiple=True, default=["clean", "clean_streets"], show_default=True)
@click.option("--real", default="router_weather/clear", show_default=True, help="More clean pictures.")
@click.option("--count", default=400, show_default=True)
@click.option("--tier", default="fast", show_default=True)
def main(data: Path, clean: tuple[str, ...], real: str, count: int, tier: str) -> None:
    """Print what each pair of thresholds does, the best first."""
    cv2.setNumThreads(0)
    pictures = read_clean([data / name for name in clean], "split")
    pictures += [read_picture(p) for p in list_pictures(data / real, "split")]
    restorer = load_restorer(tier=tier)
    found = list(trials(restorer, pictures, count, seed=11))
    best = np.mean([max(0.0, *t.gains.values()) for t in found])
    measured = losses(found)
    scores = [
        score(
            found, PolicySettings(min_gain_db=least, wrong_branch_db=scaled(measured, factor)), restorer.gains
        )
        for least, factor in itertools.product(MIN_GAINS, FACTORS)
    ]
    click.echo(f"where its weather is not, a branch loses (dB): {_short(measured)}")
    click.echo(f"{len(found)} trials on {len(pictures)} pictures; the best possible gains {best:.2f} dB")
    click.echo("| min_gain_db | wrong_branch_db | gain dB | clean touched | right |\n|---|---|---|---|---|")
    for s in sorted(scores, key=lambda s: -s.gain):
        click.echo(
            f"| {s.settings.min_gain_db} | {_short(s.settings.wrong_branch_db)} | {s.gain:.3f} "
            f"| {s.touched:.1%} | {s.right:.1%} |"
        )


def _short(costs: WrongBranchSettings) -> str:
    return ", ".join(f"{name} {value}" for name, value in msgspec.structs.asdict(costs).items())


if __name__ == "__main__":
    main()
