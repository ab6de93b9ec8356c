"""The part of a file that is wanted, in the terms of the file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from streamrestore.decode import open_source
from streamrestore.encode import Span
from streamrestore.errors import UsageError
from streamrestore.instants import format_time, to_millis
from streamrestore.seams import SourceInfo
from streamrestore.settings import JobSettings
from streamrestore.windows import Clip

_SLACK_MS = 1000
"""By which the end that is asked for may lie behind the last picture's: headers and players round."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a file.

    Attributes:
        start: first timestamp, in ticks; None for the file's own.
        stop: first timestamp that is not part of it; None if there is none.
    """

    start: int | None = None
    stop: int | None = None

    def narrowed(self, clips: Sequence[Clip], time_base: Fraction) -> Excerpt:
        """From the first to the last picture of those that were found in it, where it is not the file's."""
        start, stop = (round(t / time_base) for t in (clips[0].start_seconds, clips[-1].stop_seconds))
        return Excerpt(None if self.start is None else start, None if self.stop is None else stop)

    def span(self, time_base: Fraction, *, seek: bool) -> Span | None:
        """The same in seconds; None if it is the whole.

        Args:
            seek: as of `Span`.
        """
        if self.start is None and self.stop is None:
            return None
        begin, end = (None if tick is None else tick * time_base for tick in (self.start, self.stop))
        return Span(begin, end, seek)


def find_excerpt(spec: str, start: float | None, end: float | None) -> tuple[Excerpt, Fraction | None]:
    """A part of a file, and the time in seconds of the file's first picture; None for that of the whole.

    Args:
        start, end: in seconds from the first picture on.
    """
    if start is None and end is None:
        return Excerpt(), None
    with open_source(spec, batch_size=1) as source:
        first = next(iter(source))
    origin = first.frames[0].pts * first.time_base

    def tick(seconds: float | None) -> int | None:
        """The first that is no earlier, to the millisecond."""
        if seconds is None:
            return None
        return math.ceil((origin + Fraction(2 * to_millis(seconds) - 1, 2000)) / first.time_base)

    return Excerpt(tick(start), tick(end)), origin


def check_excerpt(info: SourceInfo, settings: JobSettings, clips: Sequence[Clip], origin: float) -> None:
    """Refuse a part that is not there.

    Args:
        clips: that were found in it.

    Raises:
        UsageError: it begins or ends behind the end of the video.
    """
    if not clips:
        lasts = f"; it lasts {format_time(float(info.duration))}" if info.duration else ""
        begin = format_time(settings.start or 0.0)
        until = f" and before {format_time(settings.end)}" if settings.end is not None else ""
        raise UsageError(f"{info.name}: there is no picture from {begin} on{until}{lasts}")
    end = clips[-1].stop_seconds - origin
    if settings.end is not None and to_millis(settings.end) > to_millis(end) + _SLACK_MS:
        raise UsageError(
            f"{info.name}: the end that is asked for, {format_time(settings.end)}, lies behind that of the "
            f"video, {format_time(end)}"
        )
