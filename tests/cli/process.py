"""Runs the command line in a process of its own, as users do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "100"}


def run(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    """``streamrestore ARGUMENTS`` to its end."""
    command = [sys.executable, "-m", "streamrestore", *map(str, arguments)]
    options = {"capture_output": True, "text": True, "env": ENVIRONMENT, "timeout": 120} | more
    return subprocess.run(command, check=False, **options)  # type: ignore[call-overload,no-any-return]


def start(*arguments: str, **more: object) -> subprocess.Popen[str]:
    """``streamrestore ARGUMENTS`` while it runs."""
    command = [sys.executable, "-m", "streamrestore", *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": ENVIRONMENT} | more
    return subprocess.Popen(command, **options)  # type: ignore[call-overload,no-any-return]


def start_python(code: str) -> subprocess.Popen[str]:
    """A Python program with the package at hand."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
