"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The cores are shared with other work: no example may fail for being slow.
settings.register_profile(
    "shared", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared")
