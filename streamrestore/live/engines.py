"""The restorer of the service, and what stands in for it when it is too slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streamrestore.engine import Work, load_restorer
from streamrestore.frames import FrameBatch
from streamrestore.live.config import EngineSettings
from streamrestore.live.overload import Level
from streamrestore.live.reduced import at_half
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

    def apply(self, frames: FrameBatch, decision: Decision) -> FrameBatch:
        """Restore frames of one size and kind by one decision."""
        ...


@dataclass(frozen=True, slots=True)
class Engines:
    """What the levels of `overload` need.

    Attributes:
        fast: another tier, if the one asked for is not the fast one.
    """

    full: Engine
    fast: Engine | None = None

    def apply(self, level: Level, frames: FrameBatch, decision: Decision) -> FrameBatch:
        """Restore frames on a level."""
        engine = self.full if self.fast is None or level in ("full", "drop") else self.fast
        if level == "half":
            return at_half(frames, lambda small: engine.apply(small, decision))
        return engine.apply(frames, decision)


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
