"""An engine that is told what to do, and says what it did."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from streamrestore.engine import Work
from streamrestore.frames import FrameBatch
from streamrestore.live.engines import Engines
from streamrestore.weather import Decision, Weather, WeatherEstimate

RAIN = Weather.RAIN
SEEN = WeatherEstimate({RAIN: 0.9}, 0.0, {RAIN: 0.2})


@dataclass
class ToldEngine:
    """Restores by adding 1 to every sample of the first plane.

    Attributes:
        before_apply: called with the frames; a test may block there.
        applied: (frames in a call, width, branches), as they came.
    """

    before_apply: Callable[[FrameBatch], None] = lambda _: None
    applied: list[tuple[int, int, tuple[Weather, ...]]] = field(default_factory=list)

    def stream(self, branch: str = "auto", strength: float = 1.0) -> ToldStream:
        """One that decides for rain, unless the branch is ``none``."""
        return ToldStream(() if branch == "none" else (RAIN,), strength)

    def apply(self, frames: FrameBatch, decision: Decision) -> FrameBatch:
        """See above."""
        self.applied.append((len(frames), frames.width, decision.branches))
        self.before_apply(frames)
        done = tuple(
            replace(frame, planes=(frame.planes[0] + 1, *frame.planes[1:])) for frame in frames.frames
        )
        return replace(frames, frames=done)


@dataclass
class ToldStream:
    """A stream whose decision never changes."""

    branches: tuple[Weather, ...]
    strength: float

    def accept(self, frame: Any, pts: float) -> Work:
        """What is to be done."""
        del pts
        return Work(frame, Decision(self.branches, self.strength, "classified", SEEN), SEEN)


def told_engines(**arguments: Any) -> Engines:
    """The only engine of a service."""
    return Engines(ToldEngine(**arguments))


class Gate:
    """Holds work up until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.reached = threading.Event()

    def __call__(self, _: FrameBatch) -> None:
        self.reached.set()
        assert self._open.wait(60)

    def open(self) -> None:
        """Let everything pass, now and later."""
        self._open.set()
