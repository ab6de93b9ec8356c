"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Before torch is imported: on busy cores two threads mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The cores are shared with other work: no example may fail for being slow.
settings.register_profile(
    "shared", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared")
