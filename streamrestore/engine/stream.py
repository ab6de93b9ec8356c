"""Frame by frame: a window of the past, hysteresis, and fades."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from streamrestore.engine.given import as_given
from streamrestore.engine.result import Result, forced
from streamrestore.errors import UsageError
from streamrestore.frames import FrameBatch
from streamrestore.route import policy
from streamrestore.route.router import spread
from streamrestore.route.views import Views
from streamrestore.settings import PolicySettings
from streamrestore.weather import Decision, WeatherEstimate
from streamrestore.windows import CausalWindow

if TYPE_CHECKING:
    from streamrestore.engine.restorer import Restorer

LOOK_EVERY = 5
"""Of so many frames one is looked at, and the weather estimated anew."""


@dataclass(frozen=True, slots=True)
class Work:
    """One frame of a stream, as given, and what is to be done with it: for `Stream.run`, or in batches.

    Attributes:
        past: frames before it, as given, that its branch looks at.
    """

    frame: Any
    decision: Decision
    weather: WeatherEstimate | None
    past: tuple[Any, ...] = ()


class Stream:
    """Restores a stream frame by frame; nothing waits for the future.

    `push` is `accept` (state: window, hysteresis, fades) and `run` (work), so that a service can
    collect the work of several streams.
    """

    FADE_SECONDS = 0.5

    def __init__(self, restorer: Restorer, settings: PolicySettings, branch: str, strength: float) -> None:
        self._restorer = restorer
        self._settings = settings
        self._forced = None if branch == "auto" else forced(branch, strength)
        self._target = strength
        self._window: CausalWindow[Views | None] = CausalWindow(every=LOOK_EVERY)
        self._count = 0
        self._hold = policy.Hold()
        self._active: policy.Path = ()
        self._strength = 0.0
        self._estimate: WeatherEstimate | None = None
        self._times: deque[float] = deque(maxlen=2)
        self._recent: tuple[Any, ...] = ()

    def push(self, frame: Any, pts: float) -> Result[Any]:
        """Restore the next frame.

        Args:
            frame: uint8 (H, W, 3), floating point (3, H, W), or a `FrameBatch` of one frame.
            pts: its time in seconds.
        """
        return self.run(self.accept(frame, pts))

    def accept(self, frame: Any, pts: float) -> Work:
        """Take note of a frame and decide what is to be done with it.

        Raises:
            UsageError: not one frame, or of another shape, type or size.
        """
        given = as_given(_one(frame))
        if len(given) != 1:
            raise UsageError(f"a stream takes one frame at a time, not {len(given)}")
        if self._forced is not None:
            return self._work(frame, self._forced)
        router = self._restorer.router
        views = given.views(router, 0, self._count // LOOK_EVERY) if self._count % LOOK_EVERY == 0 else None
        self._count += 1
        window = self._window.add(pts, given.signature(0), views)
        if window is not None:
            seen = [v for v in window if v is not None] or [given.views(router, 0)]
            self._estimate = router.estimate([seen[i] for i in spread(len(seen))])
            self._hold = policy.hold(self._hold, self._estimate, self._settings, self._restorer.gains)
        self._fade(pts)
        assert self._estimate is not None  # the first picture is evaluated at once
        reason = policy.reason_of(self._active, self._estimate, self._settings)
        decision = Decision(self._active, self._strength, reason, self._estimate)
        return self._work(frame, decision)

    def run(self, work: Work) -> Result[Any]:
        """Do the work; needs no state of the stream."""
        frame = work.frame
        if not work.decision.bypass:
            past = _joined(work.past) if work.past else None
            restored = self._restorer.apply(_one(frame), work.decision, past=past)
            frame = restored if isinstance(frame, FrameBatch) else restored[0]
        return Result(frame, work.weather, work.decision)

    def _work(self, frame: Any, decision: Decision) -> Work:
        """What is to be done, with as much of the past as it takes; of what is bypassed nothing is kept."""
        look_back = self._restorer.past(decision)
        past = tuple(before for before in self._recent if _alike(before, frame))
        work = Work(frame, decision, self._estimate, past[len(past) - min(look_back, len(past)) :])
        self._recent = (*work.past, frame)[-look_back:] if look_back else ()
        return work

    def _fade(self, pts: float) -> None:
        """One branch at a time: the old one's strength falls to 0 before the new one's rises."""
        self._times.append(pts)
        passed = max(0.0, self._times[-1] - self._times[0]) if len(self._times) == 2 else 0.0
        step = self._target * passed / self.FADE_SECONDS
        if self._active != self._hold.branches:
            self._strength = policy.fade(self._strength, 0.0, step)
            if self._strength == 0.0:
                self._active = self._hold.branches
        else:
            self._strength = policy.fade(self._strength, self._target if self._active else 0.0, step)


def _alike(a: Any, b: Any) -> bool:
    """Whether two frames can be looked at together."""
    if isinstance(a, FrameBatch) or isinstance(b, FrameBatch):
        return isinstance(a, FrameBatch) and isinstance(b, FrameBatch) and _kind(a) == _kind(b)
    return type(a) is type(b) and a.shape == b.shape and a.dtype == b.dtype


def _kind(batch: FrameBatch) -> tuple[object, ...]:
    return batch.width, batch.height, batch.format, batch.color, batch.rotation


def _joined(frames: tuple[Any, ...]) -> Any:
    """Frames of a stream as a clip."""
    if isinstance(frames[0], FrameBatch):
        return replace(frames[0], frames=tuple(batch.frames[0] for batch in frames))
    return np.stack(frames) if isinstance(frames[0], np.ndarray) else torch.stack(frames)


def _one(frame: Any) -> Any:
    """A frame of a stream as a clip of one."""
    return frame[None] if isinstance(frame, np.ndarray | Tensor) else frame
