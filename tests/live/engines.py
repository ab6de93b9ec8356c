"""An engine that is told what to do, and says what it did."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streamrestore.engine import Work
from streamrestore.frames import Frame, FrameBatch
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
        pasts: of the pictures of each call, times of those before them.
    """

    before_apply: Callable[[FrameBatch], None] = lambda _: None
    applied: list[tuple[int, int, tuple[Weather, ...]]] = field(default_factory=list)
    pasts: list[list[list[int]]] = field(default_factory=list)

    def stream(self, branch: str = "auto", strength: float = 1.0) -> ToldStream:
        """One that decides for rain, unless the branch is ``none``."""
        return ToldStream(() if branch == "none" else (RAIN,), strength)

    def apply_each(
        self, frames: FrameBatch, decision: Decision, pasts: Sequence[Sequence[Frame]]
    ) -> FrameBatch:
        """See above."""
        self.pasts.append([[frame.pts for frame in past] for past in pasts])
        self.applied.append((len(frames), frames.width, decision.branches))
        self.before_apply(frames)
        done = tuple(
            replace(frame, planes=(frame.planes[0] + 1, *frame.planes[1:])) for frame in frames.frames
        )
        return replace(frames, frames=done)


@dataclass
class ToldStream:
    """A stream whose decision never changes.

    Attributes:
        past: how many frames before the present one its branch looks at.
    """

    branches: tuple[Weather, ...]
    strength: float
    past: int = 0
    _seen: list[Any] = field(default_factory=list)

    def accept(self, frame: Any, pts: float) -> Work:
        """What is to be done."""
        del pts
        past = tuple(self._seen[len(self._seen) - min(self.past, len(self._seen)) :])
        self._seen.append(frame)
        return Work(frame, Decision(self.branches, self.strength, "classified", SEEN), SEEN, past)


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
