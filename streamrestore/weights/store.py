"""Weights on disk: safetensors whose metadata says which network they belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from streamrestore.errors import WeightsError
from streamrestore.networks import registry


@dataclass(frozen=True, slots=True)
class Weights:
    """One file of weights.

    Attributes:
        network: key of the registry.
        shape: fields of its config.
        notes: further metadata, such as training minutes.
        digest: SHA-256 of the file.
    """

    path: Path
    network: str
    shape: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    notes: Mapping[str, str]
    digest: str

    @property
    def costs(self) -> dict[str, float]:
        """Billions of multiply-adds per megapixel, by branch; of those that the notes tell.

        Raises:
            WeightsError: the notes cannot be read.
        """
        try:
            return msgspec.json.decode(self.notes.get(COSTS, "{}"), type=dict[str, float])
        except msgspec.MsgspecError as error:
            raise WeightsError(f"{self.path}: its metadata do not say what its branches cost") from error

    def build(self) -> nn.Module:
        """The network with these weights, in evaluation mode, without gradients.

        Raises:
            WeightsError: the tensors do not fit the network that the metadata name.
        """
        module = registry.build(self.network, self.shape)
        expected = {name: tuple(t.shape) for name, t in module.state_dict().items()}
        found = {name: tuple(t.shape) for name, t in self.tensors.items()}
        if expected != found:
            wrong = min(set(expected.items()) ^ set(found.items()))[0]
            raise WeightsError(f"{self.path}: tensor {wrong!r} does not fit a network {self.network!r}")
        module.load_state_dict({name: t.float() for name, t in self.tensors.items()})
        return module.requires_grad_(False).eval()


class Index(msgspec.Struct, frozen=True):
    """What ships: which file holds a tier's branch, and the SHA-256 of each file."""

    tiers: dict[str, dict[str, str]]
    router: str
    files: dict[str, str]


FOLDER = Path(__file__).parent
GAINS, COSTS = "gains", "gmac_per_megapixel"
"""Notes of shipped weights, JSON by branch: predicted gains, and billions of multiply-adds."""


def read_index(folder: Path = FOLDER) -> Index:
    """The index of the weights that are installed.

    Raises:
        WeightsError: missing or not readable.
    """
    path = folder / "index.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Index)
    except (OSError, msgspec.MsgspecError) as error:
        raise WeightsError(f"{path}: the index of weights cannot be read ({error}); install again") from error


def read_shipped(name: str, folder: Path = FOLDER) -> Weights:
    """Weights of the index by name, verified.

    Raises:
        WeightsError: missing or altered.
    """
    files = read_index(folder).files
    if name not in files:
        raise WeightsError(f"{folder / 'index.json'}: it has no {name!r}; it has {', '.join(sorted(files))}")
    return read(folder / f"{name}.safetensors", digest=files[name])


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path: Path, *, digest: str | None = None) -> Weights:
    """Read a file of weights.

    Args:
        digest: SHA-256 that it must have.

    Raises:
        WeightsError: missing, not safetensors, altered, or without our metadata.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file of weights")
    found = digest_of(path)
    if digest is not None and found != digest:
        raise WeightsError(
            f"{path}: altered since it was published (SHA-256 {found[:12]}…, not {digest[:12]}…)"
        )
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a safetensors file ({error})") from error
    if "network" not in metadata or "shape" not in metadata:
        raise WeightsError(f"{path}: its metadata do not say which network it belongs to")
    network = metadata.pop("network")
    try:
        shape = msgspec.json.decode(metadata.pop("shape"), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise WeightsError(f"{path}: its metadata do not give the network's shape ({error})") from error
    return Weights(path, network, shape, tensors, metadata, found)


def write(
    path: Path, network: str, module: nn.Module, notes: Mapping[str, str], dtype: torch.dtype = torch.float32
) -> None:
    """Write a network's weights with the metadata that `read` needs, in one stroke."""
    shape = msgspec.json.encode(registry.shape_of(module)).decode()
    tensors = {name: t.detach().to("cpu", dtype).contiguous() for name, t in module.state_dict().items()}
    partial = path.with_name(f".{path.name}.partial")
    save_file(tensors, str(partial), metadata={"network": network, "shape": shape, **notes})
    partial.chmod(0o644)  # safetensors keeps it from everyone else
    partial.replace(path)
