"""Networks by name. A new network is one file and one line here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from torch import nn

from streamrestore.errors import WeightsError
from streamrestore.networks.addunet import AddUNet, AddUNetConfig
from streamrestore.networks.addunet_paper import PaperAddUNet, PaperAddUNetConfig
from streamrestore.networks.baselines import DnCNN, DnCNNConfig, PlainUNet, PlainUNetConfig
from streamrestore.networks.expertnet import ExpertNet, ExpertNetConfig
from streamrestore.networks.hazenet import HazeNet, HazeNetConfig
from streamrestore.networks.routernet import RouterNet, RouterNetConfig
from streamrestore.networks.uffn import UFFN, UFFNConfig


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network class and the frozen dataclass that shapes it."""

    network: type[nn.Module]
    config: type[Any]


ARCHITECTURES: Mapping[str, Architecture] = {
    "addunet": Architecture(AddUNet, AddUNetConfig),
    "addunet-paper": Architecture(PaperAddUNet, PaperAddUNetConfig),
    "dncnn": Architecture(DnCNN, DnCNNConfig),
    "expertnet": Architecture(ExpertNet, ExpertNetConfig),
    "hazenet": Architecture(HazeNet, HazeNetConfig),
    "plainunet": Architecture(PlainUNet, PlainUNetConfig),
    "routernet": Architecture(RouterNet, RouterNetConfig),
    "uffn": Architecture(UFFN, UFFNConfig),
}


def build(name: str, shape: Mapping[str, Any]) -> nn.Module:
    """A network with random weights.

    Args:
        name: key of `ARCHITECTURES`.
        shape: fields of its config; those not given keep their defaults.

    Raises:
        WeightsError: unknown name or field.
    """
    if name not in ARCHITECTURES:
        raise WeightsError(f"there is no network {name!r}; known are {', '.join(sorted(ARCHITECTURES))}")
    architecture = ARCHITECTURES[name]
    known = {field.name for field in dataclasses.fields(architecture.config)}
    for field in shape:
        if field not in known:  # msgspec ignores them in dataclasses
            raise WeightsError(f"network {name!r} has no {field!r}; it has {', '.join(sorted(known))}")
    try:
        config = msgspec.convert(dict(shape), architecture.config)
    except (msgspec.ValidationError, TypeError) as error:
        raise WeightsError(f"network {name!r}: {error}") from error
    return architecture.network(config)


def shape_of(network: nn.Module) -> dict[str, Any]:
    """The fields that `build` needs to make such a network again."""
    shape: dict[str, Any] = msgspec.to_builtins(network.config)
    return shape
