"""Where networks run and in which precision: what was chosen, and why."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from streamrestore.errors import DeviceError, UsageError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that was chosen."""

    name: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Compute:
    """The device, the precision and the threads of a run."""

    device: torch.device
    dtype: torch.dtype
    threads: int
    choices: tuple[Choice, ...]

    @property
    def precision(self) -> str:
        """``bf16`` or ``fp32``."""
        return "bf16" if self.dtype == torch.bfloat16 else "fp32"


def choose_compute(device: str = "auto", precision: str = "auto", threads: int = 1) -> Compute:
    """Choose, and set torch's thread count.

    Args:
        device: ``auto``, or what torch calls it (``cpu``, ``cuda``, ``cuda:1``, ``mps``).
        precision: ``auto``, ``fp32`` or ``bf16``.
        threads: of torch on the CPU; decoder and encoder have their own.

    Raises:
        UsageError: an unknown precision, or no thread.
        DeviceError: the device is not there.
    """
    if threads < 1:
        raise UsageError(f"threads is {threads}; torch needs at least 1")
    chosen, why_device = _device(device)
    dtype, why_precision = _precision(chosen, precision)
    torch.set_num_threads(threads)
    return Compute(
        chosen,
        dtype,
        threads,
        (
            Choice("device", str(chosen), why_device),
            Choice("precision", "bf16" if dtype == torch.bfloat16 else "fp32", why_precision),
            Choice(
                "threads",
                str(threads),
                f"of torch; {os.cpu_count()} cores are shared with decoder and encoder",
            ),
        ),
    )


UNKNOWN_MEMORY = 4 << 30
"""What is taken to be free where the system does not say."""


def free_memory(device: torch.device) -> int:
    """Bytes that can be had on a device now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():  # Linux: what could be freed counts, too
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):  # macOS and Windows do not say
        return UNKNOWN_MEMORY


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch means that memory ran out; on the CPU it has no class of its own, only words."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in ("can't allocate memory", "not enough memory"))


def _device(name: str) -> tuple[torch.device, str]:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda"), f"found {torch.cuda.get_device_name()}"
        return torch.device("cpu"), "no CUDA device was found"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise DeviceError(
            f"device {name!r} cannot be used: {first}; try --device cpu, or see `doctor`"
        ) from error
    return device, "asked for"


def _precision(device: torch.device, name: str) -> tuple[torch.dtype, str]:
    if name in PRECISIONS:
        return PRECISIONS[name], "asked for"
    if name != "auto":
        raise UsageError(f"there is no precision {name!r}; there are auto, {', '.join(PRECISIONS)}")
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported():
            return torch.bfloat16, "the GPU has it"
        return torch.float32, "the GPU has no bf16"
    if device.type == "cpu":
        units = _cpu_has(("amx_bf16", "avx512_bf16"))
        if units:
            return torch.bfloat16, f"the CPU has {units}"
        return torch.float32, "the CPU has no bf16 units"
    return torch.float32, f"bf16 is not tried on {device.type}"


def _cpu_has(names: Iterable[str]) -> str:
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return " and ".join(name for name in names if capabilities.get(name))
