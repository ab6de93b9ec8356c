"""Whether the clock of a file runs through: found out from its packets, without decoding."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

_JOINED = ("mpegts", "mpeg")
"""Containers that can be joined end to end, and have no index: a jump goes to whichever time it meets."""
_BACK = Fraction(1, 2)
"""Seconds by which a clock must fall back to count as set anew."""


def is_set_back(path: Path, stop: Callable[[], bool] = lambda: False) -> bool:
    """Whether a time may stand in a file more than once, so that it cannot be read from the middle.

    Args:
        stop: asked before each packet; True ends the search.
    """
    try:
        with av.open(str(path), metadata_errors="surrogateescape") as container:
            if container.format.name not in _JOINED or not container.streams.video:
                return False
            last: dict[int, Fraction] = {}
            for packet in container.demux(container.streams.video):
                if stop():
                    return True
                if packet.dts is None:
                    continue
                time = packet.dts * packet.time_base
                if last.get(packet.stream_index, time) - time > _BACK:
                    return True
                last[packet.stream_index] = time
    except (av.FFmpegError, IndexError):  # the latter: a stream that appeared after the beginning
        return True
    return False
