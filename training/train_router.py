"""Train and calibrate the router: ``python -m training.train_router CONFIG --data DIR --run DIR``."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path

import click
import cv2
import numpy as np
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn
from torch.utils.data import DataLoader

from streamrestore.networks import registry
from streamrestore.networks.routernet import RouterNet
from streamrestore.settings import read_settings
from streamrestore.weights import store
from training.router_samples import Memory, RouterConfig, RouterSamples
from training.train import follow

SEVERITY_WEIGHT = 0.5
KNEES = (0.01, 0.1, 0.01, 5.0)
"""Severities of rain, haze, drops and noise from which on errors count relatively."""
CALIBRATION_BATCHES = 90


def router_loss(logits: Tensor, severities: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy of what is said (labels >= 0), and L1 of the severity of what is there.

    The severity of what is not there is left open: its probability says that already, and to be
    right about both at once would pull all severities to nothing.
    """
    said = labels >= 0
    cross = F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0), reduction="none")
    known = (truth >= 0) & (labels[:, : truth.shape[1]] > 0)
    knees = torch.tensor(KNEES, device=truth.device)
    error = (torch.log1p(severities / knees) - torch.log1p(truth.clamp(min=0) / knees)).abs()
    return cross[said].mean() + SEVERITY_WEIGHT * error[known].mean()


@torch.no_grad()
def calibrate(network: RouterNet, samples: RouterSamples, batches: int) -> Tensor:
    """Temperature per label that minimises the cross-entropy on pictures split off train, (5,)."""
    logits, labels = [], []
    for step in range(batches):
        batch = samples[step]
        logits.append(network(batch.thumbnails, batch.crops)[0])
        labels.append(batch.labels)
    z, y = torch.cat(logits), torch.cat(labels)
    candidates = torch.logspace(-0.7, 0.9, 80)
    best = []
    for k in range(z.shape[1]):
        said = y[:, k] >= 0
        losses = [F.binary_cross_entropy_with_logits(z[said, k] / t, y[said, k]).item() for t in candidates]
        best.append(candidates[min(range(len(losses)), key=losses.__getitem__)])
    return torch.stack(best)


@click.command()
@click.argument("config_path", type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="Training data.")
@click.option("--run", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--minutes", type=float, help="Time budget, instead of the config's.")
@click.option("--workers", default=1, show_default=True)
def main(config_path: Path, data: Path, run: Path, minutes: float | None, workers: int) -> None:
    """Train the router that CONFIG_PATH describes."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    config = read_settings(RouterConfig, yaml.safe_load(config_path.read_text()))
    budget = 60 * (minutes or config.minutes)
    torch.manual_seed(config.seed)
    network = registry.build("routernet", config.shape)
    assert isinstance(network, RouterNet)
    if config.start_from:
        network.load_state_dict(store.read(Path(config.start_from)).tensors)
    ema = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.peak_rate, weight_decay=1e-3)
    run.mkdir(parents=True, exist_ok=True)

    def keep() -> None:
        notes = {"minutes": f"{(time.monotonic() - began) / 60:.1f}"}
        store.write(run / "router.safetensors", "routernet", ema, notes)

    samples = RouterSamples(config, network.config, data)
    loader = DataLoader(
        samples, batch_size=None, sampler=range(2**40), num_workers=workers, prefetch_factor=4
    )
    began, total = time.monotonic(), 0.0
    memory, rng = Memory(config.memory), np.random.default_rng(config.seed)
    steps = (
        memory.draw(rng, config.batch) for made in loader if memory.add(made) for _ in range(config.reuse)
    )
    for step, batch in enumerate(steps):
        spent = (time.monotonic() - began) / budget
        if spent >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.peak_rate * min(1, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * spent))
        with torch.autocast("cpu", torch.bfloat16):
            logits, severities = network(batch.thumbnails, batch.crops)
        loss = router_loss(logits.float(), severities.float(), batch.labels, batch.severities)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        follow(ema, network, min(0.998, (1 + step) / (10 + step)))
        total += loss.item()
        if (step + 1) % 100 == 0:
            click.echo(f"step {step + 1} {(time.monotonic() - began) / 60:.1f} min: loss {total / 100:.4f}")
            total = 0.0
        if (step + 1) % 1000 == 0:
            keep()
    held = RouterSamples(config, network.config, data, "split")
    ema.eval()
    ema.temperature.copy_(calibrate(ema, held, CALIBRATION_BATCHES))
    click.echo(f"temperatures {[round(float(t), 3) for t in ema.temperature]}")
    keep()


if __name__ == "__main__":
    main()
