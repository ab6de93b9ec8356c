"""Whose turn it is. Pure: what waits and what was used goes in, names come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stream that has something to do.

    Attributes:
        slack: seconds until its oldest picture is too old.
        cost: seconds that its next picture will probably take.
    """

    stream: str
    slack: float
    cost: float


class FairShares:
    """Gives streams that want more than there is equal shares of the time (start-time fair queueing).

    A stream pays for what its pictures cost. One that was silent does not save up for later: it joins where
    the others are now.
    """

    def __init__(self) -> None:
        self._paid: dict[str, float] = {}
        self._now = 0.0
        """Where the stream that was served last was, in seconds of work."""

    def order(self, streams: Sequence[str]) -> list[str]:
        """Those who have had least come first; among equals, as given."""
        return sorted(streams, key=self._place)

    def charge(self, stream: str, seconds: float) -> None:
        """Take note of all the work that was done in a stream's turn."""
        self._now = self._place(stream)
        self._paid[stream] = self._now + max(0.0, seconds)

    def _place(self, stream: str) -> float:
        return max(self._now, self._paid.get(stream, 0.0))


def next_round(waiting: Sequence[Waiting], shares: FairShares, limit: int) -> list[str]:
    """Streams of which one picture each is done next, together; at least one if any waits.

    Who comes later in the order of fairness only joins if nobody in the round gets too old by waiting for it.

    Args:
        limit: streams at most.
    """
    known = {each.stream: each for each in waiting}
    chosen: list[str] = []
    total, slack = 0.0, float("inf")
    for name in shares.order(list(known)):
        total, slack = total + known[name].cost, min(slack, known[name].slack)
        if chosen and (len(chosen) == limit or total > slack):
            break
        chosen.append(name)
    return chosen
