"""What a run did, as data: the same struct goes to JSON, to pages and to the terminal."""

from __future__ import annotations

from typing import Literal

import msgspec

from streamrestore.settings import JobSettings

Phase = Literal["plan", "restore", "copy", "finish", "compare"]


class Progress(msgspec.Struct, frozen=True):
    """How far a run is; one JSON line each with ``--progress json``."""

    phase: Phase
    frames: int
    """Done in this phase."""
    total: int | None
    """Of this phase, if known."""
    fps: float
    eta_seconds: float | None
    branch: str = ""
    """Of the frame at hand: ``none``, ``rain``, ``rain+haze``."""


class ClipReport(msgspec.Struct, frozen=True):
    """One clip and what was done with it."""

    start_frame: int
    """Counted from the first one that was written."""
    stop_frame: int
    """One past the last."""
    start_seconds: float
    """From the first picture of the file."""
    stop_seconds: float
    ended_by: str
    """``length``, ``cut``, ``gap`` or ``end``."""
    branch: str
    strength: float
    reason: str
    probabilities: dict[str, float] = {}
    severity: dict[str, float] = {}


class StreamReport(msgspec.Struct, frozen=True):
    """One stream of the input and what became of it."""

    index: int
    kind: str
    codec: str
    outcome: Literal["restored", "copied", "converted", "dropped"]
    """Converted: what it says stands elsewhere (tracks of chapters and of a time code)."""
    packets: int = 0
    why: str = ""


class JobReport(msgspec.Struct, frozen=True):
    """One file, start to end."""

    version: str
    """Of streamrestore."""
    input: str
    output: str
    settings: JobSettings
    settings_hash: str
    frames: int
    """Written."""
    frames_restored: int
    copied: bool
    """True if no frame was touched and packets were copied."""
    clips: tuple[ClipReport, ...]
    streams: tuple[StreamReport, ...]
    losses: dict[str, int]
    """What could not be decoded, by kind; empty for an undamaged file."""
    assumed: tuple[str, ...]
    """Colour tags that were missing and assumed."""
    notes: tuple[str, ...]
    codec: str
    width: int
    height: int
    """Of the picture as displayed."""
    duration_seconds: float
    plan_seconds: float
    restore_seconds: float
    stage_seconds: dict[str, float]
    """Busy seconds of each stage."""
    device: str
    precision: str
    weights: dict[str, str]
    """First digits of the SHA-256 of each file of weights used."""

    @property
    def has_losses(self) -> bool:
        """True if the run ends with exit status 4."""
        return bool(self.losses)
