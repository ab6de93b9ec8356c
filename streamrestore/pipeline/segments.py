"""Where a video is cut into segments: pieces of work that are done, lost and done again as a whole.

The list follows from the clips alone, so that every run over the same input with the same settings
finds the same segments, whoever works on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from streamrestore.windows import Clip

_SHORTEST, _LONGEST = 2 / 3, 4 / 3
"""Of the target: 10 to 20 s."""


class Segment(msgspec.Struct, frozen=True):
    """Some clips that are restored and encoded together."""

    number: int
    """From 0, in the order of time."""
    first_frame: int
    stop_frame: int
    """One past the last."""
    first_clip: int
    stop_clip: int
    """One past the last."""
    start_seconds: float
    """Time of the first picture."""

    def __len__(self) -> int:
        return self.stop_frame - self.first_frame

    def __str__(self) -> str:
        return f"segment {self.number} (frames {self.first_frame} to {self.stop_frame - 1})"


def cut_segments(clips: Sequence[Clip], target_seconds: float) -> tuple[Segment, ...]:
    """Put clips together to segments of about `target_seconds`, from two thirds to four thirds of it.

    Of all ways to do so, one with the fewest segments out of these bounds, and among those the one
    whose lengths are nearest to the target (least squares). A longer clip is a segment by itself.

    Args:
        clips: of a whole video, in order.
    """
    seconds = [clip.seconds for clip in clips]
    best: list[tuple[int, float]] = [(0, 0.0)]  # cost of the first i clips: out of bounds, squares
    begins: list[int] = [0]  # where the last segment of those begins
    for stop in range(1, len(clips) + 1):
        length, found, begin = 0.0, (stop + 1, 0.0), stop - 1
        for first in range(stop - 1, -1, -1):
            length += seconds[first]
            too_long = length > target_seconds * _LONGEST
            if too_long and first < stop - 1:
                break
            out = too_long or length < target_seconds * _SHORTEST
            cost = best[first][0] + out, best[first][1] + (length - target_seconds) ** 2
            if cost < found:
                found, begin = cost, first
        best.append(found)
        begins.append(begin)
    borders = [len(clips)]
    while borders[-1] > 0:
        borders.append(begins[borders[-1]])
    borders.reverse()
    return tuple(
        Segment(
            number,
            clips[first].start,
            clips[stop - 1].stop,
            first,
            stop,
            clips[first].start_seconds,
        )
        for number, (first, stop) in enumerate(pairwise(borders))
    )


def lead_in(segment: Segment, clips: Sequence[Clip], frames: int) -> Clip | None:
    """The clip to begin decoding with, so that a segment has pictures before it to look back at.

    Args:
        clips: all of the video.
        frames: how many pictures a network looks back.

    Returns:
        The latest clip that leaves `frames` pictures of the same scene before the segment, or the
        scene's first; None if the segment begins a scene, or nobody looks back.
    """
    lead = None
    for clip in reversed(clips[: segment.first_clip]):
        enough = lead is not None and segment.first_frame - lead.start >= frames
        if clip.reason != "length" or enough or not frames:
            break
        lead = clip
    return lead
