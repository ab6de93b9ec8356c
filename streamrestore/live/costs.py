"""What pictures cost: running means of measured times."""

from __future__ import annotations

from collections.abc import Hashable

_WEIGHT = 0.2
"""Of the newest measurement."""


class Costs:
    """Seconds by kind of work."""

    def __init__(self) -> None:
        self._means: dict[Hashable, float] = {}

    def note(self, kind: Hashable, seconds: float) -> None:
        """One picture's work took so long."""
        before = self._means.get(kind, seconds)
        self._means[kind] = before + _WEIGHT * (seconds - before)

    def get(self, kind: Hashable) -> float | None:
        """The mean; None if this was never measured."""
        return self._means.get(kind)
