"""Timestamps that always increase. No FFmpeg in here."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

Repair = Literal["synthesised", "moved", "shifted", "dropped"]

DEFAULT_RATE = Fraction(25)
"""Frames per second where nothing says how many there are."""

_IN_A_ROW = 3
"""Repeated timestamps after which they are taken for a jump back, not for a slip."""


class Clock:
    """Gives each picture in presentation order a timestamp, greater than the one before.

    Missing timestamps are counted on at the nominal rate. One that does not increase is moved a tick
    behind its predecessor, and one that lies ahead of both its neighbours between them; where no tick
    is free, the picture is given up. A jump back by more than half a second (recordings that were
    joined, a camera's clock that was set) shifts everything after it, so that time goes on.

    Args:
        time_base: seconds per tick.
        rate: nominal pictures per second, if known.

    Attributes:
        last_repair: what was done to the last timestamp; None if it was good.
    """

    def __init__(self, time_base: Fraction, rate: Fraction | None = None) -> None:
        self._step = max(1 / (time_base * (rate or DEFAULT_RATE)), Fraction(1))
        self._jump = max(Fraction(1, 2) / time_base, 2 * self._step)
        self._last: Fraction | None = None
        self._offset = 0
        self._in_a_row = 0
        self.last_repair: Repair | None = None

    def stamp(self, pts: int | None, following: int | None = None) -> int | None:
        """The timestamp for the next picture, or None if there is no room for it.

        Args:
            pts: what the decoder says.
            following: what it says of the picture after it, if that is known.
        """
        self.last_repair = None
        if pts is None:
            self.last_repair = "synthesised"
            self._last = self._last + self._step if self._last is not None else Fraction(0)
            return round(self._last)
        shifted = pts + self._offset
        if (
            self._last is not None
            and following is not None
            and self._last < following + self._offset < shifted
        ):
            return self._between(following + self._offset)
        if self._last is None or shifted > round(self._last):
            self._in_a_row = 0
            self._last = Fraction(shifted)
            return shifted
        self._in_a_row += 1
        self.last_repair = self._how(round(self._last) - shifted)
        if self.last_repair == "dropped":
            return None
        if self.last_repair == "shifted":
            self._last += self._step
            self._offset = round(self._last) - pts
        else:
            self._last = Fraction(round(self._last) + 1)
        return round(self._last)

    def _between(self, end: int) -> int | None:
        """Time for a picture whose own timestamp runs ahead of the next one's."""
        assert self._last is not None
        last = round(self._last)
        if end - last < 2:
            self.last_repair = "dropped"
            return None
        self.last_repair = "moved"
        self._last = Fraction(min(round(self._last + self._step), (last + end) // 2))
        return round(self._last)

    def _how(self, back: int) -> Repair:
        if back > self._jump or self._in_a_row > _IN_A_ROW:
            return "shifted"
        return "moved" if self._step >= 2 else "dropped"
