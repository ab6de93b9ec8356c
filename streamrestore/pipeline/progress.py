"""How far a run is, told to whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable

from streamrestore.pipeline.report import Progress

OnProgress = Callable[[Progress], None]
Stop = Callable[[], bool]
"""Asked often; True ends the run."""


def progress(
    phase: str, frames: int, total: int | None, seconds: float, branch: str = "", *, already: int = 0
) -> Progress:
    """How far a phase is after some seconds; of its frames, some may have been done before."""
    fps = (frames - already) / seconds if seconds > 0 else 0.0
    left = (total - frames) / fps if total is not None and fps > 0 else None
    return Progress(phase, frames, total, fps, left if left is None or left > 0 else 0.0, branch)  # type: ignore[arg-type]
