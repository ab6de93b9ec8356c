"""Times in a video as people write them; compared in whole milliseconds."""

from __future__ import annotations

import math
import re

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+)(\.\d+)?", re.ASCII)


def parse_time(text: str) -> float:
    """Seconds from ``95``, ``95.25``, ``1:35.25`` or ``0:01:35.250``.

    Raises:
        ValueError: it is none of these; the message says so.
    """
    text = text.strip()
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time; write seconds, or h:mm:ss.mmm")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    if (found[1] and minutes > 59) or (found[2] and seconds > 59):
        raise ValueError(f"{text!r} is no time: minutes and seconds go up to 59")
    return hours * 3600 + minutes * 60 + seconds + float(found[4] or 0)


def format_time(seconds: float) -> str:
    """``0:01:35.250``; before 0 with a minus."""
    whole = to_millis(abs(seconds))
    minutes, millis = divmod(whole, 60_000)
    sign = "-" if seconds < 0 and whole else ""
    return f"{sign}{minutes // 60}:{minutes % 60:02}:{millis // 1000:02}.{millis % 1000:03}"


def to_millis(seconds: float) -> int:
    """The nearest millisecond, halves up."""
    return math.floor(seconds * 1000 + 0.5)
