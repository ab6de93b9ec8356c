"""How far a router's numbers can be trusted: ``python -m training.calibration CONFIG WEIGHTS --data DIR``.

On pictures split off train: the expected calibration error of each label's probability (Guo et al., ICML
2017, arXiv:1706.04599), on made samples and on real photographs apart; and for each weather how well the
severity that is said follows the generator's own (Spearman), where that weather is to be seen.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import msgspec
import numpy as np
import numpy.typing as npt
import torch
import yaml

from streamrestore.networks.routernet import RouterNet
from streamrestore.settings import read_settings
from streamrestore.weights import store
from training.router_samples import LEAST, Example, RouterConfig, RouterSamples

Floats = npt.NDArray[np.float64]

BINS = 15
PARTS = {"made": ("made", "clean"), "real": ("real", "pairs")}
"""Kinds of samples in each part of the report."""


class Row(msgspec.Struct, frozen=True):
    """One label on one part of the samples."""

    label: str
    part: str
    samples: int
    present: int
    calibration_error: float
    """Expected, 0 to 1."""
    severity_rank: float | None = None
    """Spearman's correlation of the severities, where they are known."""
    severity_rank_alone: float | None = None
    """Likewise, where no other weather is there, either."""


def calibration_error(probability: Floats, truth: Floats, bins: int = BINS) -> float:
    """Mean distance of the probability said, in bins of equal width, from how often it was so; 0 to 1.

    Args:
        probability: (N,) in [0, 1].
        truth: (N,), 0 or 1.
    """
    places = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = np.bincount(places, probability - truth, bins)
    return float(np.abs(gaps).sum() / len(probability))


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's, of values (N,) that hardly ever are equal."""
    ranks = [np.argsort(np.argsort(x)).astype(float) for x in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


@torch.inference_mode()
def answers(network: RouterNet, examples: list[Example]) -> tuple[Floats, Floats]:
    """Probabilities (N, 5) and severities (N, 4) of single pictures."""
    said = [network(e.views.thumbnail[None], e.views.crops[None]) for e in examples]
    logits, severities = (torch.cat(parts) for parts in zip(*said, strict=True))
    probabilities = torch.sigmoid(logits / network.temperature)
    return probabilities.double().numpy(), severities.double().numpy()


def rows(network: RouterNet, samples: RouterSamples, shares: dict[str, float], count: int) -> list[Row]:
    """All labels on both parts of `count` samples, of kinds in the shares that training has them."""
    kinds, weights = list(shares), np.array([*shares.values()])
    drawn = np.random.default_rng(7).choice(kinds, count, p=weights / weights.sum())
    found: list[Row] = []
    for part, of in PARTS.items():
        examples = [
            samples.example(np.random.default_rng([7, index]), str(kind))
            for index, kind in enumerate(drawn)
            if kind in of
        ]
        probability, severity = answers(network, examples)
        truth = np.array([e.labels for e in examples])
        known = np.array([e.severities for e in examples])
        for k, label in enumerate(network.config.labels):
            said = truth[:, k] >= 0
            if not said.any():
                continue
            ranks = []
            if k < known.shape[1]:
                there = (known[:, k] > LEAST[label]) & (truth[:, k] > 0)
                alone = there & (np.count_nonzero(known, axis=1) == 1) & (truth[:, -1] == 0)
                ranks = [rank_correlation(severity[m, k], known[m, k]) for m in (there, alone) if m.sum() > 2]
            error = calibration_error(probability[said, k], truth[said, k])
            found.append(Row(label, part, int(said.sum()), int(truth[said, k].sum()), error, *ranks))
    return found


def table(found: list[Row]) -> str:
    """Rows as Markdown."""
    heads = ["label", "samples", "n", "present", "calibration error", "severity, Spearman", "alone"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for r in found:
        ranks = ("-" if x is None else f"{x:.3f}" for x in (r.severity_rank, r.severity_rank_alone))
        cells = [r.label, r.part, str(r.samples), str(r.present), f"{r.calibration_error:.3f}", *ranks]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command()
@click.argument("config_path", type=click.Path(exists=True, path_type=Path))
@click.argument("weights", type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="Training data.")
@click.option("--count", default=2400, show_default=True, help="Samples in all.")
def main(config_path: Path, weights: Path, data: Path, count: int) -> None:
    """Check the router of WEIGHTS on what CONFIG_PATH's data keeps from training."""
    cv2.setNumThreads(0)
    network = store.read(weights).build()
    assert isinstance(network, RouterNet)
    config = read_settings(RouterConfig, yaml.safe_load(config_path.read_text()))
    samples = RouterSamples(config, network.config, data, "split")
    click.echo(table(rows(network.eval(), samples, config.shares, count)))


if __name__ == "__main__":
    main()
