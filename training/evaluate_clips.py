"""Rows of `training.evaluate` for clips: degraded ones to be restored, and clean ones to be left alone.

The clips are clean videos; `training.benchmark.clips_v1` degrades them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from streamrestore.engine import Restorer
from streamrestore.weather import Weather
from training.benchmark import clips_v1
from training.data import VIDEO_SUFFIXES, Clip, decode_video
from training.measures import psnr
from training.temporal import flicker, motions, warping_error

FRAMES = 60
"""First frames of a clip that are looked at, 2 to 5 seconds."""
DAMAGES: tuple[clips_v1.Weather, ...] = ("rain", "haze", "noise")


class ClipRow(msgspec.Struct, frozen=True):
    """One clip under one weather, restored by its branch."""

    clip: str
    weather: str
    frames: int
    input_psnr: float
    psnr: float
    """Mean over frames, dB."""
    routed_psnr: float
    routed_to: str
    flicker: float
    """Of the output, as a share of the input's."""
    input_warping: float
    """Excess over the clean clip's warping error, which is a mean square of values in [0, 1]."""
    warping: float


class HarmRow(msgspec.Struct, frozen=True):
    """One clean clip, forced through each branch."""

    clip: str
    frames: int
    psnr: dict[str, float]
    """Of what a branch makes of it against itself, mean over frames, dB."""


@dataclass(frozen=True, slots=True)
class FreeClip:
    """A clean clip: its index among the sorted files seeds the weather."""

    index: int
    name: str
    frames: Clip
    fps: float


def free_clips(folder: Path) -> Iterator[FreeClip]:
    """Videos of a folder."""
    for index, path in enumerate(sorted(p for p in folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)):
        frames, fps = decode_video(path)
        yield FreeClip(index, path.stem, np.stack(frames[:FRAMES]), fps)


def clip_rows(restorer: Restorer, clip: FreeClip) -> Iterator[ClipRow]:
    """One clip under each weather."""
    moves = motions(clip.frames)
    own = warping_error(clip.frames, moves)
    for weather in DAMAGES:
        degraded = np.stack(clips_v1.degrade_clip(list(clip.frames), weather, clip.index, clip.fps)[0])
        output = restorer.restore(degraded, branch=weather).frames
        (decision,) = restorer.decide([restorer.classify(degraded)])
        routed = output if decision.branches == (weather,) else restorer.apply(degraded, decision)
        yield ClipRow(
            clip.name,
            weather,
            len(degraded),
            mean_psnr(degraded, clip.frames),
            mean_psnr(output, clip.frames),
            mean_psnr(routed, clip.frames),
            decision.label,
            round(flicker(output, clip.frames) / flicker(degraded, clip.frames), 4),
            round(warping_error(degraded, moves) - own, 7),
            round(warping_error(output, moves) - own, 7),
        )


def harm_row(restorer: Restorer, clip: FreeClip) -> HarmRow:
    """One clip as it is, through each branch."""
    outputs = ((weather.value, restorer.restore(clip.frames, branch=weather).frames) for weather in Weather)
    return HarmRow(clip.name, len(clip.frames), {name: mean_psnr(o, clip.frames) for name, o in outputs})


def mean_psnr(clip: Clip, clean: Clip) -> float:
    """Mean over frames, dB; infinite if one is untouched."""
    return round(float(np.mean([psnr(a / 255, b / 255) for a, b in zip(clip, clean, strict=True)])), 3)


def clip_table(rows: Sequence[ClipRow]) -> str:
    """Rows as Markdown."""
    heads = "clip, weather, frames, input, output, gain, routed, routed to, flicker, warping in, out (1e-4)"
    lines = _head(heads.split(", "))
    lines += [
        f"| {r.clip} | {r.weather} | {r.frames} | {r.input_psnr:.2f} | {r.psnr:.2f} "
        f"| {r.psnr - r.input_psnr:+.2f} | {r.routed_psnr:.2f} | {r.routed_to} | {r.flicker:.0%} "
        f"| {1e4 * r.input_warping:.2f} | {1e4 * r.warping:.2f} |"
        for r in rows
    ]
    return "\n".join(lines)


def harm_table(rows: Sequence[HarmRow]) -> str:
    """Rows as Markdown."""
    lines = _head(["clean clip", "frames", *(weather.value for weather in Weather)])
    lines += [
        f"| {r.clip} | {r.frames} | {' | '.join(f'{r.psnr[weather]:.2f}' for weather in Weather)} |"
        for r in rows
    ]
    return "\n".join(lines)


def _head(names: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
