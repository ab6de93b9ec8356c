"""The worst moment of a video: what a user wants to see before the whole is restored. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from streamrestore.windows import Clip


def worst_moment(clips: Sequence[Clip], scores: Sequence[float], seconds: float) -> float:
    """When the stretch begins in which the scores of clips, weighted by time, are greatest in all.

    It lies in the video, and begins with it if that is shorter; of equally bad ones, it is the first.

    Args:
        clips: of a video, in order; at least one.
        scores: how bad each is.
        seconds: length of the stretch.
    """
    edges: list[float] = []
    sums: list[float] = []  # up to each edge
    for clip, score in zip(clips, scores, strict=True):
        before = sums[-1] if sums else 0.0
        edges += [clip.start_seconds, clip.stop_seconds]
        sums += [before, before + score * clip.seconds]

    def until(time: float) -> float:
        place = bisect_right(edges, time) - 1
        if place == len(edges) - 1:
            return sums[-1]
        share = (time - edges[place]) / (edges[place + 1] - edges[place])
        return sums[place] + share * (sums[place + 1] - sums[place])

    first, last = edges[0], max(edges[0], edges[-1] - seconds)
    # The sum is linear between moments at which the stretch begins or ends with a clip.
    begins = sorted({min(max(time, first), last) for edge in edges for time in (edge, edge - seconds)})
    return max(begins, key=lambda begin: round(until(min(begin + seconds, edges[-1])) - until(begin), 9))
