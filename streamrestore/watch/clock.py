"""Where the frames of a recording stand in time. Pure."""

from __future__ import annotations

from fractions import Fraction

from streamrestore.wire import Header

TICKS = 90_000
"""Per second."""
STRAY_SECONDS = 5.0
"""Presentation times that part so far from the time of arrival are those of a clock that was set."""


class RecordingClock:
    """Times of one stream's frames, in `TICKS` from the first one; they always increase.

    Frames keep the distances of their presentation times, also over gaps. Those of different epochs cannot be
    compared: there, and where a source's clock jumps, the times at which frames came into the service decide.
    """

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._first = 0
        """When the first frame came into the service, in nanoseconds."""
        self._begin = Fraction(0)
        """Presentation time that stands for the beginning."""
        self._last = -1

    def at(self, header: Header) -> int:
        """The time of the next frame."""
        assert header.pts is not None
        assert header.time_base is not None
        assert header.received_at is not None
        seconds = header.pts * Fraction(*header.time_base)
        if self._last < 0:
            self._first = header.received_at
        passed = Fraction(header.received_at - self._first, 10**9)
        place = round((seconds - self._begin) * TICKS)
        strays = abs(Fraction(place, TICKS) - passed) > STRAY_SECONDS
        if header.epoch != self._epoch or place <= self._last or strays:
            place = max(self._last + 1, round(passed * TICKS))
            self._epoch, self._begin = header.epoch, seconds - Fraction(place, TICKS)
        self._last = place
        return place
