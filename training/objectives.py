"""What a network is asked in training, and what of its answer is minimised: an entry per kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.errors import UsageError
from streamrestore.networks.addunet_paper import PaperAddUNet
from streamrestore.networks.basis import from_basis, to_basis
from streamrestore.networks.rgb import RgbNetwork
from streamrestore.networks.uffn import UFFN
from training import losses
from training.config import Charbonnier, Joint, PathRouted, SquaredError, TrainConfig
from training.samples import Batch


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network says of a batch.

    Attributes:
        output: restored pictures (N, 3, S, S), float32.
        logits: (N, classes), of those that were asked for any.
    """

    output: Tensor
    logits: Tensor | None = None


def residual_of(network: nn.Module, clips: Tensor, task: str) -> Tensor:
    """Run a network on clips: (N, T, 3, H, W), the present frame first -> residual (N, 3, H, W)."""
    if isinstance(network, RgbNetwork):
        return cast("Tensor", network(clips[:, 0], task)).float()
    unshuffle = cast("int", network.config.unshuffle)  # type: ignore[union-attr]
    x = to_basis(clips.flatten(0, 1), unshuffle).unflatten(0, (len(clips), -1)).flatten(1, 2)
    residual = network(x.contiguous(memory_format=torch.channels_last), task)
    return from_basis(residual.float(), unshuffle)


def check(config: TrainConfig, network: nn.Module, classes: int) -> None:
    """Find out before the first step whether a network can be asked what its objective needs.

    Args:
        classes: labels that the samples have.

    Raises:
        UsageError: no path router, no classifier, or one of other classes.
    """
    match config.objective:
        case PathRouted():
            if not isinstance(network, UFFN) or network.branches != tuple(config.tasks):
                told = f"with the branches {', '.join(config.tasks)}, as the tasks are"
                raise UsageError(f"{config.name}: the objective `uffn` is for a `uffn` {told}")
        case Joint():
            if not isinstance(network, PaperAddUNet) or network.classifier is None:
                raise UsageError(
                    f"{config.name}: the objective `joint` is for an `addunet-paper` with a classifier"
                )
            if network.config.classes != classes:
                told = f"it tells {network.config.classes} classes apart, and the samples have {classes}"
                raise UsageError(f"{config.name}: {told}; set `classes` in `shape`")
        case SquaredError():
            if config.mixed and network.branches != ("noise",):
                told = "batches of several tasks (`mixed`) are for objectives that know of them"
                raise UsageError(f"{config.name}: {told}, or for networks with one branch")


def ask(config: TrainConfig, network: nn.Module, batch: Batch) -> Answer:
    """Run a network on a batch."""
    present = batch.degraded[:, 0]
    match config.objective:
        case PathRouted():
            residual, logits = cast("UFFN", network).joint(present, batch.tasks)
            return Answer(present + residual.float(), logits.float())
        case Joint():
            residual, logits = cast("PaperAddUNet", network).joint(present)
            return Answer(present + residual.float(), logits.float())
        case _:
            return Answer(present + residual_of(network, batch.degraded, batch.task))


def loss_of(config: TrainConfig, answer: Answer, batch: Batch, spent: float) -> Tensor:
    """What is minimised.

    Args:
        spent: share of the training that is over, 0 to 1.
    """
    output, target, logits = answer.output, batch.target, answer.logits
    match config.objective:
        case Charbonnier():
            return losses.charbonnier(output, target, config.tasks[batch.task].eps)
        case SquaredError():
            return F.mse_loss(output, target)
        case Joint(weight=weight):
            assert logits is not None
            return losses.joint(output, target, logits, batch.labels, weight)
        case PathRouted():
            assert logits is not None
            return losses.uffn(output, target, logits, batch.labels, spent, config.objective)
