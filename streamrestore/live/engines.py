"""The restorer of the service, and what stands in for it when it is too slow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streamrestore.engine import Work, load_restorer
from streamrestore.frames import Frame, FrameBatch
from streamrestore.live.config import EngineSettings
from streamrestore.live.overload import Level
from streamrestore.live.reduced import Halves, at_half
from streamrestore.weather import Decision, Weather


class Classifier(Protocol):
    """A stream's state, as `engine.Stream` has it."""

    def accept(self, frame: FrameBatch, pts: float) -> Work:
        """Take note of a frame, and decide what is to be done with it."""
        ...


class Engine(Protocol):
    """What restores, as `engine.Restorer` does."""

    def stream(self, branch: str, strength: float) -> Classifier:
        """A stream's state."""
        ...

    def apply_each(
        self, frames: FrameBatch, decision: Decision, pasts: Sequence[Sequence[Frame]]
    ) -> FrameBatch:
        """Restore frames of one size and kind by one decision; each is of a stream of its own."""
        ...


@dataclass(frozen=True, slots=True)
class Engines:
    """What the levels of `overload` need.

    Attributes:
        fast: another tier, if the one asked for is not the fast one.
    """

    full: Engine
    fast: Engine | None = None
    _halves: Halves = field(default_factory=Halves, init=False)

    def apply(
        self, level: Level, frames: FrameBatch, decision: Decision, pasts: Sequence[Sequence[Frame]]
    ) -> FrameBatch:
        """Restore frames on a level.

        Args:
            pasts: of each frame, those of its own stream before it that its branch looks at.
        """
        engine = self.full if self.fast is None or level in ("full", "drop") else self.fast
        if level == "half":
            return at_half(
                frames, pasts, lambda small, before: engine.apply_each(small, decision, before), self._halves
            )
        return engine.apply_each(frames, decision, pasts)


def load_engines(settings: EngineSettings, *, spare: bool) -> Engines:
    """Load the networks now: later, pictures would wait for it.

    Args:
        spare: the fast tier may be needed, too.

    Raises:
        UsageError, DeviceError, WeightsError: see `engine.load_restorer`.
    """
    tiers = [settings.tier] + (["fast"] if spare and settings.tier != "fast" else [])
    loaded = []
    for tier in tiers:
        restorer = load_restorer(
            tier=tier, device=settings.device, precision=settings.precision, threads=settings.threads,
            policy=settings.policy,
        )  # fmt: skip
        _ = restorer.router
        for weather in restorer.gains:
            restorer.network(Weather(weather))
        loaded.append(restorer)
    return Engines(*loaded)
