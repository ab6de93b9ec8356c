"""What a user wants for parts of a video, laid over what was decided for its clips. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from streamrestore.instants import to_millis
from streamrestore.weather import Decision, Weather
from streamrestore.windows import Clip


@dataclass(frozen=True, slots=True)
class Entry:
    """What is wanted for the pictures from `start` to `end`, without those at `end`.

    Attributes:
        start, end: in seconds from the first picture of the file.
        branches: in order of application, none for bypass; None leaves the choice to the tool.
        strength: 0 to 1.5; None leaves it as it is.
    """

    start: float
    end: float
    branches: tuple[Weather, ...] | None = None
    strength: float | None = None

    def over(self, decision: Decision) -> Decision:
        """The decision that takes the place of another one."""
        if self.branches is None and self.strength is None:
            return decision
        branches = decision.branches if self.branches is None else self.branches
        strength = decision.strength if self.strength is None else self.strength
        return replace(decision, branches=branches, strength=strength, reason="plan")


def lay_over(
    windows: Sequence[Clip],
    decisions: Sequence[Decision],
    entries: Sequence[Entry],
    times: Sequence[float],
    origin: float,
) -> tuple[list[Clip], list[Decision]]:
    """Clips, cut where entries begin and end as well, and what is done with each.

    Args:
        windows: of a video, in order, from picture 0 on.
        decisions: one per clip.
        entries: in order of time, none over another.
        times: of each picture, in seconds, rising.
        origin: what the times of entries count from.
    """
    firsts = [picture_at(entry.start, times, origin) for entry in entries]
    stops = [picture_at(entry.end, times, origin) for entry in entries]
    borders = sorted({*firsts, *stops})
    found: list[tuple[Clip, Decision]] = []
    for window, decision in zip(windows, decisions, strict=True):
        for part in split_clip(window, borders, times):
            at = bisect_right(firsts, part.start) - 1
            covered = at >= 0 and part.start < stops[at]
            found.append((part, entries[at].over(decision) if covered else decision))
    return [part for part, _ in found], [decision for _, decision in found]


def split_clip(clip: Clip, borders: Sequence[int], times: Sequence[float]) -> list[Clip]:
    """Parts of a clip, cut before the pictures with these indices; those that are not in it do not matter.

    Args:
        borders: rising.
        times: of each picture, in seconds.
    """
    inside = borders[bisect_right(borders, clip.start) : bisect_left(borders, clip.stop)]
    edges = [
        (clip.start, clip.start_seconds),
        *((i, times[i]) for i in inside),
        (clip.stop, clip.stop_seconds),
    ]
    parts = [Clip(start, stop, begin, end, "length") for (start, begin), (stop, end) in pairwise(edges)]
    return [*parts[:-1], replace(parts[-1], reason=clip.reason)]


def cut_out(
    windows: Sequence[Clip], decisions: Sequence[Decision], times: Sequence[float], first: int, stop: int
) -> tuple[list[Clip], list[Decision]]:
    """What is done with the pictures from `first` to `stop`, without that; `first` becomes picture 0.

    Args:
        windows, decisions, times: as for `lay_over`.
    """
    found = [
        (replace(part, start=part.start - first, stop=part.stop - first), decision)
        for window, decision in zip(windows, decisions, strict=True)
        for part in split_clip(window, [first, stop], times)
        if first <= part.start < stop
    ]
    return [part for part, _ in found], [decision for _, decision in found]


def picture_at(seconds: float, times: Sequence[float], origin: float) -> int:
    """Index of the first picture that is shown no earlier, to the millisecond."""
    return bisect_left(times, to_millis(seconds), key=lambda time: to_millis(time - origin))
