"""A run's state as safetensors: tensors, and a line of JSON. No pickle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    config_hash: str = ""


def save(
    path: Path, progress: Progress, model: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write a checkpoint in one stroke: a torn one never has the final name."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("model", model), ("ema", ema)):
        tensors |= {f"{prefix}.{name}": t.contiguous() for name, t in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(t).contiguous() for key, t in state.items()}
    partial = path.with_name(f".{path.name}.partial")
    save_file(tensors, str(partial), metadata={"progress": msgspec.json.encode(asdict(progress)).decode()})
    partial.replace(path)


def load(path: Path, model: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Read a checkpoint into the objects given."""
    with safe_open(str(path), framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        progress = msgspec.json.decode(file.metadata()["progress"], type=Progress)
    for prefix, module in (("model.", model), ("ema.", ema)):
        module.load_state_dict(
            {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
        )
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    for weight, moments in optimizer.state.items():
        for name, tensor in moments.items():
            if tensor.shape == weight.shape:  # a fused optimiser goes through memory, not through places
                moments[name] = torch.empty_like(weight, requires_grad=False).copy_(tensor)
    return progress
