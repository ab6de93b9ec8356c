"""Marks of tests that need a tool beside Python's: skipped without it, but a failure where nothing may be."""

from __future__ import annotations

import os
import shutil

import pytest

needs_ffprobe = pytest.mark.skipif(
    shutil.which("ffprobe") is None and "STREAMRESTORE_NO_SKIP" not in os.environ,
    reason="needs ffprobe: apt-get install ffmpeg",
)
