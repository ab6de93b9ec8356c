"""What is installed, what would be used, and what is missing: facts for `doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path
from typing import Any

import msgspec

from streamrestore.errors import StreamRestoreError

EXTRAS = ("dali", "web", "detect", "cluster", "training")
"""Optional parts that users may want; `dev` is for developers of this package."""


class Choice(msgspec.Struct, frozen=True):
    """Something that was chosen, and why."""

    name: str
    value: str
    why: str


class Check(msgspec.Struct, frozen=True):
    """Something that was tried; `problem` is empty if it works."""

    name: str
    detail: str = ""
    problem: str = ""


class Extra(msgspec.Struct, frozen=True):
    """An optional part of the package."""

    name: str
    installed: dict[str, str]
    missing: tuple[str, ...]
    command: str
    """How to install what is missing; empty if nothing is."""


class Machine(msgspec.Struct, frozen=True):
    """What there is to work with."""

    system: str
    cores: int
    """That this process may use."""
    memory_bytes: int | None
    """Of the machine, or of the container if it is less."""
    memory_free_bytes: int | None


class Checkup(msgspec.Struct, frozen=True):
    """Everything that `doctor` found."""

    versions: dict[str, str]
    machine: Machine
    choices: tuple[Choice, ...]
    tiers: dict[str, dict[str, float | None]]
    """Branches of each tier: billions of multiply-adds per megapixel, if the weights say."""
    weights: tuple[Check, ...]
    encoders: tuple[Check, ...]
    extras: tuple[Extra, ...]

    @property
    def problems(self) -> list[str]:
        """What does not work although it should."""
        checks = (*self.weights, *self.encoders)
        return [f"{check.name}: {check.problem}" for check in checks if check.problem]


def check_up() -> Checkup:
    """Look at everything; nothing that is broken stops the rest."""
    tiers, weights = _weights()
    return Checkup(
        versions=_versions(),
        machine=_machine(),
        choices=_choices(),
        tiers=tiers,
        weights=weights,
        encoders=_encoders(),
        extras=tuple(_extra(name) for name in EXTRAS),
    )


def _versions() -> dict[str, str]:
    import av
    import numpy as np
    import torch
    import zmq

    from streamrestore import __version__

    return {
        "streamrestore": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "av": av.__version__,
        "FFmpeg": av.ffmpeg_version_info,
        "pyzmq": zmq.__version__,
        "libzmq": f"{zmq.zmq_version()}, {'with' if zmq.has('curve') else 'without'} CURVE",
        "numpy": np.__version__,
    }


def _choices() -> tuple[Choice, ...]:
    from streamrestore.compute import choose_compute

    return tuple(Choice(choice.name, choice.value, choice.why) for choice in choose_compute().choices)


def _weights() -> tuple[dict[str, dict[str, float | None]], tuple[Check, ...]]:
    """Tiers with what their branches cost, and whether each file is what was published."""
    from streamrestore.weights import store

    try:
        index = store.read_index()
    except StreamRestoreError as error:
        return {}, (Check("weights", problem=str(error)),)
    checks, costs = [], dict[str, dict[str, float]]()
    for name in index.files:
        try:
            weights = store.read_shipped(name)
            costs[name] = weights.costs
        except StreamRestoreError as error:
            checks.append(Check(name, problem=str(error)))
        else:
            checks.append(Check(name, f"SHA-256 {weights.digest[:12]}, as published"))
    tiers = {
        tier: {branch: costs.get(name, {}).get(branch) for branch, name in branches.items()}
        for tier, branches in index.tiers.items()
    }
    return tiers, tuple(checks)


def _encoders() -> tuple[Check, ...]:
    """Encode a small picture with each: an encoder that is listed may still not open."""
    from streamrestore.encode.codecs import CODECS

    return tuple(_encoder(name) for name in CODECS)


def _encoder(name: str) -> Check:
    import av

    from streamrestore.encode.codecs import CODECS, encoder_options
    from streamrestore.settings import EncodeSettings

    spec = CODECS[name]
    try:
        context: Any = av.CodecContext.create(spec.encoder, "w")
        context.width, context.height, context.pix_fmt = 64, 64, spec.formats[0]
        context.framerate = 25
        context.thread_count = 1
        context.options = encoder_options(spec, EncodeSettings(threads=1))
        packets = context.encode(av.VideoFrame(64, 64, spec.formats[0])) + context.encode(None)
    except (av.FFmpegError, ValueError) as error:
        return Check(name, spec.encoder, f"{spec.encoder} does not open: {error}")
    return Check(name, f"{spec.encoder} opens", "" if packets else f"{spec.encoder} opens and gives nothing")


def _extra(name: str) -> Extra:
    installed, missing = {}, []
    for distribution in _requirements(name):
        try:
            installed[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            missing.append(distribution)
    return Extra(name, installed, tuple(missing), f"pip install 'streamrestore[{name}]'" if missing else "")


def _requirements(extra: str) -> list[str]:
    """Distributions of one of our extras, from the metadata of our own."""
    try:
        lines = importlib.metadata.requires("streamrestore") or []
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        lines = _requirements_of_checkout()
    found = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        if re.search(rf"extra\s*==\s*['\"]{extra}['\"]", marker):
            name = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
            assert name is not None
            found.append(name[1])
    return found


def _requirements_of_checkout() -> list[str]:
    import tomllib

    path = Path(__file__).parents[2] / "pyproject.toml"
    if not path.is_file():
        return []
    extras = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return [f"{line}; extra == '{extra}'" for extra, lines in extras.items() for line in lines]


def _machine() -> Machine:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    total, free = _memory()
    return Machine(f"{platform.system()} {platform.release()}, {platform.machine()}", cores, total, free)


def _memory() -> tuple[int | None, int | None]:
    """Bytes in all and free, as the kernel says; a container's limit counts, too."""
    try:
        pairs = (line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        sizes = {name: int(value.split()[0]) * 1024 for name, value in pairs}
        total, free = sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, KeyError, ValueError):
        return None, None
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group, or the word `max`
        return total, free
    return min(total, limit), min(free, max(0, limit - used))
