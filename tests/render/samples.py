"""Clips, plans and reports to draw, made without a network."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from streamrestore.frames import ColorInfo, PixelFormat
from streamrestore.pipeline.report import ClipReport, JobReport, StreamReport
from streamrestore.seams import SourceInfo, StreamInfo
from streamrestore.settings import JobSettings


def clips_of(
    labels: Sequence[str], *, seconds: float = 2.0, rate: int = 25, **more: Any
) -> tuple[ClipReport, ...]:
    """One clip for each label; ``clean``, ``unsure`` and ``none`` are reasons to leave it alone."""
    frames = round(seconds * rate)
    clips = []
    for index, label in enumerate(labels):
        idle = label in ("clean", "unsure", "none")
        first = label.split("+")[0]
        values: dict[str, Any] = {
            "start_frame": index * frames,
            "stop_frame": (index + 1) * frames,
            "start_seconds": index * seconds,
            "stop_seconds": (index + 1) * seconds,
            "ended_by": "end" if index == len(labels) - 1 else "length",
            "branch": "none" if idle else label,
            "strength": 1.0,
            "reason": {"none": "forced"}.get(label, label) if idle else "classified",
            "probabilities": {"clean": 0.02, "unknown": 0.03} | {first: 0.94},
            "severity": {} if idle else {first: 0.123},
        }
        clips.append(ClipReport(**(values | more)))
    return tuple(clips)


def info_of(**more: Any) -> SourceInfo:
    """A file with video and sound."""
    video = StreamInfo(0, "video", "h264", Fraction(1, 12800), Fraction(0), Fraction(10), {"language": "und"})
    audio = StreamInfo(1, "audio", "aac", Fraction(1, 48000), Fraction(0), Fraction(10), {"language": "deu"})
    values: dict[str, Any] = {
        "name": "dashcam.mp4", "container": "mov,mp4", "streams": (video, audio), "video": video,
        "width": 1280, "height": 720, "format": PixelFormat("yuv", 8, 1, 1), "pixel_format": "yuv420p",
        "color": ColorInfo(1, 1, 1, 1), "time_base": Fraction(1, 12800), "rate": Fraction(25),
        "duration": Fraction(10), "frame_count": 250,
    }  # fmt: skip
    return SourceInfo(**(values | more))


def plan_of(labels: Sequence[str], **more: Any) -> Any:
    """What `plan_file` would give, as far as it is drawn."""
    clips = clips_of(labels)
    timing = SimpleNamespace(
        rate="25", variable=False, min_ms=40.0, max_ms=40.0, mean_ms=40.0, start_seconds=0.0
    )  # fmt: skip
    values: dict[str, Any] = {
        "info": info_of(frame_count=len(clips) * 50), "clips": clips, "frames": len(clips) * 50, "losses": {},
        "notes": (), "timing": timing, "scan_notes": [],
    }  # fmt: skip
    return SimpleNamespace(**(values | more))


def report_of(labels: Sequence[str] = ("rain", "haze"), **more: Any) -> JobReport:
    """The report of a run."""
    clips = clips_of(labels)
    restored = sum(50 for clip in clips if clip.branch != "none")
    video = StreamReport(0, "video", "h264", "restored")
    audio = StreamReport(1, "audio", "aac", "copied", 470)
    values: dict[str, Any] = {
        "version": "0.1.0", "input": "in.mp4", "output": "out.mp4", "settings": JobSettings(),
        "settings_hash": "0123456789ab", "frames": len(clips) * 50,
        "frames_restored": restored, "copied": False, "clips": clips, "streams": (video, audio),
        "losses": {}, "assumed": (), "notes": (), "codec": "h264", "width": 1280, "height": 720,
        "duration_seconds": 4.0, "plan_seconds": 1.0, "restore_seconds": 9.0, "stage_seconds": {},
        "device": "cpu", "precision": "bf16", "weights": {},
    }  # fmt: skip
    return JobReport(**(values | more))
