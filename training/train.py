"""Train a network: ``python -m training.train CONFIG --data DIR --run DIR [--minutes M]``.

Goes on from the run's checkpoint if there is one. The time budget counts over all its runs; the
learning rate warms up, then falls along a cosine of the share of the budget that is spent.
"""

from __future__ import annotations

import copy
import csv
import math
import time
from pathlib import Path

import click
import cv2
import msgspec
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from streamrestore.networks import registry
from streamrestore.settings import settings_hash
from streamrestore.weights import store
from training import checkpoint, objectives
from training.cache import PictureCache
from training.config import TrainConfig, read_config
from training.data import read_picture
from training.digits import DigitSamples
from training.samples import Samples, batches

STATE = "checkpoint.safetensors"
WEIGHTS = "ema.safetensors"
LOG = "log.csv"
"""Steps, seconds, and the mean loss of each task since the line before."""
SAVE_SECONDS = 180.0
LOG_STEPS = 100


def rate_at(step: int, spent: float, config: TrainConfig) -> float:
    """Learning rate after `step` steps with the share `spent`, 0 to 1, of the budget gone."""
    warm = min(1.0, (step + 1) / config.warmup_steps)
    return config.peak_rate * warm * max(0.01, 0.5 * (1 + math.cos(math.pi * min(1.0, spent))))


@torch.no_grad()
def follow(ema: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights a little towards the present ones; what normalisation gathered is copied."""
    get_ema_multi_avg_fn(decay)(list(ema.parameters()), list(model.parameters()), None)
    for old, new in zip(ema.buffers(), model.buffers(), strict=True):
        old.copy_(new)


def share_spent(progress: checkpoint.Progress, config: TrainConfig) -> float:
    """Of the budget; 1 or more when it is over."""
    if config.steps is not None:
        return progress.step / config.steps
    return progress.seconds / (60 * config.minutes) if config.minutes else 1.0


def train(
    config: TrainConfig, data: Path, run: Path, workers: int, threads: int, cache: Path | None = None
) -> None:
    """Train until the budget is spent; leaves ``checkpoint.safetensors`` and ``ema.safetensors``."""
    torch.set_num_threads(threads)
    torch.manual_seed(config.seed)
    fabric = Fabric(accelerator="auto", devices=1, precision=config.precision)
    model = registry.build(config.network, config.shape)
    if config.labelled:
        samples: Samples | DigitSamples = DigitSamples(config)
    else:
        samples = Samples(config, data, PictureCache(cache) if cache else read_picture)
    objectives.check(config, model, samples.classes)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.start_from:
        model.load_state_dict(store.read(Path(config.start_from)).tensors)
    ema = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=config.peak_rate,
        weight_decay=config.weight_decay,
        betas=(0.9, 0.99),
        fused=True,
    )
    run.mkdir(parents=True, exist_ok=True)
    progress = checkpoint.Progress(config_hash=settings_hash(config))
    if (run / STATE).exists():
        progress = checkpoint.load(run / STATE, model, ema, optimizer)
        click.echo(f"goes on from step {progress.step}, {progress.seconds / 60:.1f} minutes")
        if progress.config_hash != settings_hash(config):
            click.echo("its configuration is not what it was")
        progress.config_hash = settings_hash(config)
    _, optimizer = fabric.setup(model, optimizer)
    ema.to(fabric.device)

    cv2.setNumThreads(0)  # a pool would not survive the fork of the workers

    def keep() -> None:
        checkpoint.save(run / STATE, progress, model, ema, optimizer)
        notes = {"run": config.name, "minutes": f"{progress.seconds / 60:.1f}", "steps": str(progress.step)}
        store.write(run / WEIGHTS, config.network, ema, notes)

    losses: dict[str, list[float]] = {}
    skipped = 0  # steps whose gradient was not finite

    def tell() -> None:
        means = {task: sum(values) / len(values) for task, values in sorted(losses.items())}
        losses.clear()
        words = " ".join(f"{task} {value:.5f}" for task, value in means.items())
        words += f" skipped {skipped}" if skipped else ""
        click.echo(f"step {progress.step} {progress.seconds / 60:.1f} min: {words}")
        row = [progress.step, round(progress.seconds, 1), *(f"{k}={v:.6f}" for k, v in means.items())]
        with (run / LOG).open("a", newline="") as file:
            csv.writer(file).writerow(row)

    began = saved = time.monotonic()
    for made in batches(samples, progress.step, workers):
        spent = share_spent(progress, config)
        if spent >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate_at(progress.step, spent, config)
        batch = made.to(fabric.device)
        with fabric.autocast():
            answer = objectives.ask(config, model, batch)
        loss = objectives.loss_of(config, answer, batch, spent)
        optimizer.zero_grad()
        fabric.backward(loss)
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        if torch.isfinite(norm):
            optimizer.step()
        else:
            skipped += 1
        follow(ema, model, min(config.ema, (1 + progress.step) / (10 + progress.step)))
        losses.setdefault(batch.task, []).append(loss.item())

        progress.step += 1
        now = time.monotonic()
        progress.seconds += now - began
        began = now
        if progress.step % LOG_STEPS == 0:
            tell()
        if now - saved > SAVE_SECONDS:
            keep()
            saved = now
    if losses:
        tell()
    keep()


@click.command()
@click.argument("config_path", type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="Training data.")
@click.option("--run", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--minutes", type=float, help="Time budget over all runs, instead of the config's.")
@click.option("--workers", default=1, show_default=True, help="Processes that make batches; 0: none.")
@click.option("--threads", default=1, show_default=True, help="Threads of torch.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for decoded pictures, to map them.")
def main(
    config_path: Path,
    data: Path,
    run: Path,
    minutes: float | None,
    workers: int,
    threads: int,
    cache: Path | None,
) -> None:
    """Train the network that CONFIG_PATH describes."""
    config = read_config(config_path)
    if minutes is not None:
        config = msgspec.structs.replace(config, minutes=minutes)
    train(config, data, run, workers, threads, cache)


if __name__ == "__main__":
    main()
