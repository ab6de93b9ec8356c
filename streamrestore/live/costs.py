"""What pictures cost: running means of measured times. The clock is its owner's."""

from __future__ import annotations

from collections.abc import Hashable

MEMORY_SECONDS = 60.0
"""What was not measured for so long may have changed, and counts as unknown."""
_WEIGHT = 0.2
"""Of the newest measurement."""


class Costs:
    """Seconds by kind of work."""

    def __init__(self) -> None:
        self._means: dict[Hashable, tuple[float, float]] = {}

    def note(self, kind: Hashable, seconds: float, now: float) -> None:
        """One picture's work took so long."""
        before = self.get(kind, now)
        mean = seconds if before is None else before + _WEIGHT * (seconds - before)
        self._means[kind] = (mean, now)

    def get(self, kind: Hashable, now: float) -> float | None:
        """The mean; None if nobody knows, or not any more."""
        mean, measured = self._means.get(kind, (0.0, -MEMORY_SECONDS))
        return mean if now - measured < MEMORY_SECONDS else None
