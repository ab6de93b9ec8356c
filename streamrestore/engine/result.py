"""What comes back: restored frames, and why they are as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from streamrestore.engine.given import Frames
from streamrestore.errors import UsageError
from streamrestore.weather import Decision, Weather, WeatherEstimate


@dataclass(frozen=True, slots=True)
class Result(Generic[Frames]):
    """Restored frames, of the kind that was given.

    Attributes:
        weather: what was classified; None if nothing was, as a branch was named.
    """

    frames: Frames
    weather: WeatherEstimate | None
    decision: Decision


def forced(branch: str, strength: float) -> Decision:
    """The decision that a user made."""
    if branch == "none":
        return Decision((), strength, "forced")
    if branch not in set(Weather):
        raise UsageError(f"there is no branch {branch!r}; there are auto, none, {', '.join(Weather)}")
    return Decision((Weather(branch),), strength, "forced")
