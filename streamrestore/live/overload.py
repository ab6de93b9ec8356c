"""What is done when the machine cannot keep up. Pure: what became of pictures goes in, a level comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

OnOverload = Literal["drop", "fast", "bypass"]

Level = Literal["full", "drop", "fast", "half", "bypass"]
"""As asked for; so, but pictures are dropped; the fast tier; half the resolution; nothing is restored."""

WINDOW_SECONDS = 2.0
"""Over which a stream is judged."""
SETTLE_SECONDS = 3.0
"""After a change, and after the start, in which losses say nothing yet: what had piled up is worked off."""
TOLERATED = 0.05
"""Share of the pictures whose loss is none to speak of."""
CALM_SECONDS = 10.0
"""Without a loss before a better level is tried."""
LONGEST_CALM = 320.0
"""The same after tries that failed."""
SPARE = 0.8
"""Share of the machine's time that all streams together may need for a better level to be tried."""

WORDS: dict[Level, str] = {
    "full": "the machine keeps up: restored as asked for",
    "drop": "the machine cannot keep up: pictures are dropped",
    "fast": "the machine cannot keep up: restored by the fast tier",
    "half": "the machine cannot keep up: restored at half the resolution",
    "bypass": "the machine cannot keep up: pictures pass unrestored",
}


def ladder(policy: OnOverload, tier: str) -> tuple[Level, ...]:
    """The levels that a stream may be on, the best first."""
    if policy == "drop":
        return ("full", "drop")
    if policy == "bypass":
        return ("full", "bypass")
    return ("full", "half") if tier == "fast" else ("full", "fast", "half")


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of a stream's pictures in one window."""

    arrived: int
    dropped: int

    @property
    def too_many(self) -> bool:
        """True if the losses are worth doing something about."""
        return self.dropped > max(1.0, TOLERATED * self.arrived)


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a stream stands on its ladder.

    Attributes:
        level: index; 0 is the best.
        since: when it came there.
        quiet_since: since when it has lost nothing to speak of.
        calm: seconds without a loss that a better level takes.
        tried: when it last came up; None if it never did.
    """

    level: int = 0
    since: float = 0.0
    quiet_since: float = 0.0
    calm: float = CALM_SECONDS
    tried: float | None = None


def judge(pace: Pace, watched: Watched, levels: Sequence[Level], now: float, *, affordable: bool) -> Pace:
    """Where a stream stands after one more window.

    Args:
        affordable: whether the machine has the time for the next better level, as far as that is known.
    """
    if watched.too_many:
        pace = replace(pace, quiet_since=now)
        if pace.level + 1 < len(levels) and now - pace.since >= SETTLE_SECONDS:
            failed = pace.tried is not None and now - pace.tried < pace.calm
            calm = min(2 * pace.calm, LONGEST_CALM) if failed else CALM_SECONDS
            return replace(pace, level=pace.level + 1, since=now, calm=calm)
        return pace
    if pace.level and affordable and now - max(pace.since, pace.quiet_since) >= pace.calm:
        return replace(pace, level=pace.level - 1, since=now, tried=now)
    return pace
