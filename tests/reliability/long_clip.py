"""A video in a dozen segments, and runs over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np

from streamrestore.pipeline.manifest import Facts, decode_facts
from streamrestore.pipeline.report import JobReport
from tests.media import read_planes, write_video
from tests.reliability.clips import SIZE
from tests.reliability.seen import frame_hashes
from tests.reliability.watched import Ran, Watched

FRAMES, SEGMENTS = 600, 12
CODECS = {"ffv1": ".mkv", "h264": ".mp4"}
"""Codecs of results, and the endings of their names."""
_CUT = "windows: {clip_seconds: 1, segment_seconds: 2}\n"
_WHOLE = "windows: {clip_seconds: 1, segment_seconds: 100000}\n"


@dataclass(frozen=True, slots=True)
class LongClip:
    """A video, and where things are.

    Args:
        folder: of the input and of settings; results go elsewhere.
    """

    folder: Path

    @property
    def path(self) -> Path:
        """The input."""
        return self.folder / "in.mkv"

    def make(self, frames: int = FRAMES, pattern: str = "moving") -> None:
        """Write it, and the settings."""
        write_video(
            self.path, frames=frames, size=SIZE, pattern=pattern, codec="ffv1", rate=Fraction(25),  # type: ignore[arg-type]
            options={"level": "3", "g": "1"}, matrix=1, range=1,
        )  # fmt: skip
        (self.folder / "cut.yaml").write_text(_CUT)
        (self.folder / "whole.yaml").write_text(_WHOLE)

    def arguments(
        self, target: Path, codec: str, *more: object, workers: int = 1, cut: bool = True
    ) -> list[str]:
        """The command line that restores it; the report stands beside the input."""
        settings = self.folder / ("cut.yaml" if cut else "whole.yaml")
        fixed = ("--branch", "rain", "--codec", codec, "--workers", workers, "--settings", settings)
        return [str(word) for word in ("restore", self.path, "-o", target, *fixed, *more)]

    def run(
        self, worker: Watched, target: Path, codec: str, *, workers: int = 1, cut: bool = True
    ) -> tuple[Ran, JobReport | None]:
        """Restore it to the end; the report if there is one."""
        told = self.folder / "report.json"
        told.unlink(missing_ok=True)
        more = ("--report", told, "--progress", "none")
        ran = worker.run(*self.arguments(target, codec, *more, workers=workers, cut=cut))
        return ran, msgspec.json.decode(told.read_bytes(), type=JobReport) if ran.status == 0 else None


def state_of(target: Path) -> Path:
    """The folder where a run keeps its state."""
    return target.with_name(f".{target.name}.streamrestore")


def facts_in(state: Path) -> Facts:
    """What the manifest says; nothing without one."""
    manifest = state / "manifest.jsonl"
    return decode_facts(manifest.read_bytes() if manifest.exists() else b"")


def reused(report: JobReport) -> int:
    """Segments of an earlier run that were used."""
    words = " segments were there from an earlier run"
    return next((int(note.split()[0]) for note in report.notes if note.endswith(words)), 0)


def wrong_after(
    ran: Ran, report: JobReport | None, target: Path, wanted: Sequence[str], kept: int
) -> list[str]:
    """What is wrong with a run that should have gone on with `kept` segments to a result like `wanted`."""
    if report is None:
        return [f"it did not go on: {ran.answer}"]
    wrong = []
    if reused(report) != kept:
        wrong.append(f"{reused(report)} segments were used, and {kept} were good")
    if frame_hashes(target) != wanted:
        wrong.append("the pictures are others than an uninterrupted run's")
    if state_of(target).exists():
        wrong.append("state was left behind")
    return wrong


def largest_difference(a: Path, b: Path) -> int:
    """Between samples of two videos, in code values."""
    pairs = zip(read_planes(a).planes, read_planes(b).planes, strict=True)
    return max(
        int(np.abs(x.astype(np.int32) - y).max())
        for one, other in pairs
        for x, y in zip(one, other, strict=True)
    )
