"""Files that are one recording, as cameras write them: which of them go on where another ended. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from streamrestore.pipeline.look import Survey
from streamrestore.windows import Clip

LONGEST_PAUSE = 5.0
"""Seconds without a picture that cameras need from one file to the next."""
_NEW_SCENE = ("cut", "gap", "change")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One file of a recording.

    Attributes:
        start, stop: of its pictures, in seconds of its own clock.
        created: seconds of a clock that all files share, such as a camera's; None if unknown. It may
            stand for the start of a file or for its end, but for the same in all.
        kind: what pictures of one scene have in common.
    """

    start: float
    stop: float
    created: float | None = None
    kind: Hashable = None

    @classmethod
    def of(cls, survey: Survey) -> Chunk:
        """What was found of a file."""
        info = survey.info
        kind = (info.width, info.height, info.format, info.color, info.rotation)
        first, last = survey.windows[0], survey.windows[-1]
        return cls(first.start_seconds, last.stop_seconds, read_created(info.created), kind)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.stop - self.start


def read_created(text: str) -> float | None:
    """Seconds of the time that a tag tells, as ``2025-03-01T10:00:00.000000Z``; None if it tells none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def goes_on(before: Chunk, after: Chunk) -> bool:
    """Whether a file shows what happened right after another one, as far as can be known.

    Files whose clock runs through are told by it; those whose clock begins anew, by when they were
    made. Without either, they are taken for one.
    """
    if before.kind != after.kind:
        return False
    if after.start > before.start + before.seconds / 2:
        return after.start - before.stop <= LONGEST_PAUSE
    if before.created is None or after.created is None:
        return True
    step = after.created - before.created
    return 0 <= step <= max(before.seconds, after.seconds) + LONGEST_PAUSE


def scene_starts(surveys: Sequence[Survey]) -> list[list[bool]]:
    """Of each clip of each file, whether it begins a new scene."""
    chunks = [Chunk.of(survey) for survey in surveys]
    firsts = [True, *(not goes_on(before, after) for before, after in pairwise(chunks))]
    return [[first, *_after(survey.windows[:-1])] for first, survey in zip(firsts, surveys, strict=True)]


def _after(clips: Sequence[Clip]) -> Iterator[bool]:
    return (clip.reason in _NEW_SCENE for clip in clips)
