"""What importing costs, and what the package shows."""

from __future__ import annotations

import subprocess
import sys

import pytest

import streamrestore

HEAVY = ("torch", "av", "numpy", "kornia", "cv2", "zmq", "lightning_fabric", "streamrestore.engine")


def loaded(code: str) -> set[str]:
    """Modules that a fresh interpreter has after running some code."""
    lines = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    """`import streamrestore` is a promise; torch is loaded when a network is used."""
    assert loaded("import streamrestore").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "module",
    ["decode", "encode", "windows", "frames", "weather", "settings", "seams", "links", "pipeline.report",
     "weights", "networks", "route", "restore", "live.capture", "live.plan"],
)  # fmt: skip
def test_torch_is_for_networks(module: str) -> None:
    """A process that only decodes, encodes or reads settings does not import torch."""
    assert "torch" not in loaded(f"import streamrestore.{module}")


def test_all_is_true() -> None:
    """`__all__` is sorted, every name in it is there and loads, and `dir` shows it."""
    names = streamrestore.__all__

    assert names == sorted(names)
    assert set(streamrestore._HOMES) == set(names)
    for name in names:
        value = getattr(streamrestore, name)
        assert value.__name__ == name
        assert value.__module__.startswith("streamrestore.")
    assert set(names) <= set(dir(streamrestore))


def test_unknown_name() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'restor'"):
        _ = streamrestore.restor  # type: ignore[attr-defined]


def test_version() -> None:
    """The package says which one it is, without loading anything."""
    assert streamrestore.__version__.count(".") == 2
