"""Marks of tests that need a tool beside Python's: skipped without it, but a failure where nothing may be."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

needs_ffprobe = pytest.mark.skipif(
    shutil.which("ffprobe") is None and "STREAMRESTORE_NO_SKIP" not in os.environ,
    reason="needs ffprobe: apt-get install ffmpeg",
)

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this system and Python"
)
