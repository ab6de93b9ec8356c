"""Pictures of a file before and after, at the moments where restoring changed the most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from streamrestore.decode import input_files, open_source
from streamrestore.errors import StreamRestoreError
from streamrestore.frames import Frame, FrameBatch
from streamrestore.pipeline.report import ClipReport, JobReport
from streamrestore.render.jpeg import LONGEST_SIDE, Reduced, encode_jpeg, reduced
from streamrestore.seams import Source

Stop = Callable[[], bool]

MOST_STILLS = 4
CANDIDATE_CLIPS = 8
"""Clips that are looked at, spread over branches and over time."""
CANDIDATE_PLACES = (0.25, 0.75)
"""Where in each of these clips."""
SEARCHED_FRAMES = 3000
"""How far a file is decoded in which nothing can be jumped to: damaged ones and numbered pictures."""


@dataclass(frozen=True, slots=True)
class Still:
    """One frame, before and after, upright.

    Attributes:
        frame: its index.
        seconds: its time in the input, from the first frame on.
        branch: what it was restored with.
        difference: mean absolute difference of luma, 0 to 255, at the size that is shown.
        before, after: JPEG files.
    """

    frame: int
    seconds: float
    branch: str
    difference: float
    width: int
    height: int
    before: bytes
    after: bytes


def find_stills(
    report: JobReport, most: int = MOST_STILLS, *, longest: int = LONGEST_SIDE, stop: Stop | None = None
) -> tuple[Still, ...]:
    """Up to `most` moments of a finished job, in order of time; none if nothing was restored.

    Both files are opened again. One that cannot be, such as a stream from the network, has no stills.

    Args:
        longest: side of the pictures, in pixels, at most.
        stop: asked between clips; True ends the search with what was found.
    """
    restored = restored_clips(report)
    if most < 1 or not restored or not input_files(report.input):
        return ()
    pairs: list[_Pair] = []
    try:
        for pair in _best_pairs(report, restored, longest):
            pairs.append(pair)
            if stop is not None and stop():
                break
    except StreamRestoreError:
        pass  # a file that is gone or changed meanwhile: what was found is shown
    chosen = strongest([(pair.clip.branch, pair.difference) for pair in pairs], most)
    return tuple(pairs[index].still() for index in sorted(chosen))


def restored_clips(report: JobReport) -> list[ClipReport]:
    """The clips that went through a branch."""
    return [clip for clip in report.clips if clip.branch != "none" and clip.strength > 0]


def spread(clips: Sequence[ClipReport], most: int) -> list[ClipReport]:
    """At most `most` of the clips, in order of time: every branch in turn, evenly over each one's clips."""
    branches: dict[str, list[ClipReport]] = {}
    for clip in clips:
        branches.setdefault(clip.branch, []).append(clip)
    counts: Counter[str] = Counter()
    while counts.total() < min(most, len(clips)):
        open_ = (name for name, own in branches.items() if counts[name] < len(own))
        counts[min(open_, key=lambda name: counts[name])] += 1
    chosen = [
        branches[name][(2 * place + 1) * len(branches[name]) // (2 * count)]
        for name, count in counts.items()
        for place in range(count)
    ]
    return sorted(chosen, key=lambda clip: clip.start_frame)


def strongest(measured: Sequence[tuple[str, float]], most: int) -> list[int]:
    """Indices of (branch, difference): the greatest of each branch first, then the greatest of the rest."""
    ranked = sorted(range(len(measured)), key=lambda index: -measured[index][1])
    seen: Counter[str] = Counter()
    places: list[tuple[int, int, int]] = []
    for index in ranked:
        branch = measured[index][0]
        places.append((min(seen[branch], 1), len(places), index))
        seen[branch] += 1
    return [index for _, _, index in sorted(places)[:most]]


@dataclass(frozen=True, slots=True)
class _Shot:
    """A decoded frame and what is needed to show it."""

    frame: Frame
    batch: FrameBatch

    @property
    def seconds(self) -> float:
        return self.batch.seconds(self.frame)


@dataclass(frozen=True, slots=True)
class _Pair:
    clip: ClipReport
    frame: int
    seconds: float
    before: Reduced
    after: Reduced
    difference: float

    def still(self) -> Still:
        return Still(
            self.frame,
            self.seconds,
            self.clip.branch,
            self.difference,
            self.before.frame.width,
            self.before.frame.height,
            encode_jpeg(self.before),
            encode_jpeg(self.after),
        )


def _best_pairs(report: JobReport, restored: Sequence[ClipReport], longest: int) -> Iterator[_Pair]:
    """The pair that differs most, of each clip that is looked at; in order of time."""
    sound = not report.losses and not report.notes and len(input_files(report.input)) == 1
    reach = [clip for clip in restored if sound or clip.start_frame < SEARCHED_FRAMES]
    origin, first = _first_seconds(report.input), report.clips[0]
    shift = (
        _first_seconds(report.output) - origin - first.start_seconds
    )  # containers differ in where time begins
    clips = spread(reach, CANDIDATE_CLIPS)
    found = _jumped(report.input, clips, origin) if sound else _passed(report.input, clips, origin, first)
    for clip, shots in found:
        before = list(shots)
        after = _nearest(report.output, [shot.seconds + shift for shot in before], _half_frame(clip))
        pairs = [
            _pair(clip, a, b, a.seconds - origin, longest)
            for a, b in zip(before, after, strict=True)
            if b is not None
        ]
        if pairs:
            yield max(pairs, key=lambda pair: pair.difference)


def _first_seconds(spec: str) -> float:
    """Time of the first frame."""
    with open_source(spec, batch_size=1) as source:
        return next(_shots(source)).seconds


def _from_clip(spec: str, clip: ClipReport, origin: float, **more: Any) -> Source:
    """The frames of an input from a clip's first one on."""
    with open_source(spec) as source:
        start = round((origin + clip.start_seconds) / source.info.time_base)
    return open_source(spec, start=start, start_index=clip.start_frame, **more)


def _jumped(
    spec: str, clips: Sequence[ClipReport], origin: float
) -> Iterator[tuple[ClipReport, list[_Shot]]]:
    """The wanted frames of each clip, each decoded from the key frame before it."""
    for clip in clips:
        with _from_clip(spec, clip, origin, threads=0) as source:
            yield clip, list(_picked(source, _wanted(clip)))


def _passed(
    spec: str, clips: Sequence[ClipReport], origin: float, first: ClipReport
) -> Iterator[tuple[ClipReport, list[_Shot]]]:
    """The same by one pass, where times repaired on the way must be what they were.

    Args:
        first: of the clips of the job.
    """
    owner = {index: clip for clip in clips for index in _wanted(clip)}
    with _from_clip(spec, first, origin, seek=False) as source:
        for _, group in groupby(
            _picked(source, list(owner)), lambda shot: owner[shot.frame.index].start_frame
        ):
            shots = list(group)
            yield owner[shots[0].frame.index], shots


def _wanted(clip: ClipReport) -> list[int]:
    """Indices of the frames to look at."""
    length = clip.stop_frame - clip.start_frame
    return sorted({clip.start_frame + int(place * length) for place in CANDIDATE_PLACES})


def _picked(source: Source, indices: Sequence[int]) -> Iterator[_Shot]:
    """The frames with these indices, of which there is at least one."""
    last = max(indices)
    for shot in _shots(source):
        if shot.frame.index in indices:
            yield shot
        if shot.frame.index >= last:
            return


def _nearest(spec: str, times: Sequence[float], tolerance: float) -> list[_Shot | None]:
    """The frame nearest to each time; None if it is further away than `tolerance`."""
    if not times:
        return []
    best: list[_Shot | None] = [None] * len(times)
    with open_source(spec) as source:
        start = round((min(times) - tolerance) / source.info.time_base)
    with open_source(spec, threads=0, start=start) as source:
        for shot in _shots(source):
            for place, seconds in enumerate(times):
                held = best[place]
                away = abs(shot.seconds - seconds)
                if away <= (tolerance if held is None else abs(held.seconds - seconds)):
                    best[place] = shot
            if shot.seconds > max(times) + tolerance:
                break
    return best


def _half_frame(clip: ClipReport) -> float:
    """Half of the time from frame to frame, in seconds; a picture without a duration has a second."""
    return 0.5 * (clip.stop_seconds - clip.start_seconds) / (clip.stop_frame - clip.start_frame) or 0.5


def _pair(clip: ClipReport, before: _Shot, after: _Shot, seconds: float, longest: int) -> _Pair:
    was = reduced(before.frame, before.batch, longest)
    # Some containers hold no rotation; the samples stand as they stood.
    turned = replace(
        after.batch,
        rotation=before.batch.rotation,
        sample_aspect_ratio=before.batch.sample_aspect_ratio,
    )
    now = reduced(after.frame, turned, longest)
    height, width = (min(sides) for sides in zip(was.luma.shape, now.luma.shape, strict=True))
    change = was.luma[:height, :width].astype(np.int16) - now.luma[:height, :width]
    return _Pair(clip, before.frame.index, seconds, was, now, float(np.abs(change).mean()))


def _shots(source: Source) -> Iterator[_Shot]:
    for batch in source:
        for frame in batch.frames:
            yield _Shot(frame, batch)
