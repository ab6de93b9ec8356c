"""A video in segments: what earlier runs have left is used, the rest is made, and all is joined."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import av

from streamrestore import __version__
from streamrestore.decode import input_files
from streamrestore.encode import SegmentReport
from streamrestore.engine import Restorer
from streamrestore.pipeline.fingerprint import hash_input, hash_plan
from streamrestore.pipeline.making import Task, Watch, make_in_crew, make_segments
from streamrestore.pipeline.manifest import JobFact, Manifest, SegmentFact, changes, verify
from streamrestore.pipeline.progress import OnProgress, Stop, progress
from streamrestore.pipeline.runner import Tally
from streamrestore.pipeline.segments import Segment, cut_segments
from streamrestore.pipeline.space import check_space, needed_bytes
from streamrestore.pipeline.workplace import Workplace


def restore_in_segments(
    task: Task,
    files: Sequence[Path],
    place: Workplace,
    manifest: Manifest,
    restorer: Restorer,
    on_progress: OnProgress,
    stop: Stop,
) -> tuple[list[SegmentReport], Tally, tuple[str, ...]]:
    """All segments of a video, complete, on the disk and entered in the manifest.

    Args:
        files: of the input; changed ones are another job.

    Returns:
        What their sinks reported, in order; what was done to make those that were missing; and what
        became of an earlier run's work, in words.

    Raises:
        OutputError: the disk is full, or too small for the whole.
        Interrupted: `stop` said so.
        StreamRestoreError: the first error of a stage.
    """
    cuts = cut_segments(task.plan.windows, task.settings.windows.segment_seconds)
    notes = _begin(_fact(task, files, restorer, cuts), place, manifest)
    good = verify(manifest.facts, place.folder)
    missing = _without(cuts, {fact.number for fact in good.segments})
    there = sum(fact.frames for fact in good.segments)
    if there:
        notes = (*notes, f"{len(good.segments)} of {len(cuts)} segments were there from an earlier run")
    crf, known = task.settings.encode.crf, None if task.sizes is None else sum(task.sizes)
    needed = needed_bytes(task.head, task.output.codec, crf, task.plan.frames, done=there, known=known)
    check_space(place.folder, needed)

    def enter(segment: Segment, report: SegmentReport) -> None:
        path = report.path
        assert path is not None
        name = place.adopt(segment.number, path).name
        manifest.add(SegmentFact.of(segment.number, name, report, {}))

    began = time.monotonic()

    def tell(tally: Tally) -> None:
        seconds = time.monotonic() - began
        on_progress(
            progress("restore", there + tally.frames, task.plan.frames, seconds, tally.branch, already=there)
        )

    watch = Watch(enter, tell, stop)
    if task.settings.workers > 1:
        tally = make_in_crew(task, missing, task.settings.workers, watch)
    else:
        tally = make_segments(task, restorer, missing, watch)
    facts = manifest.facts.segments
    reports = [facts[segment.number].report(place.folder) for segment in cuts]
    return reports, tally, (*notes, *good.notes)


def _fact(task: Task, files: Sequence[Path], restorer: Restorer, cuts: tuple[Segment, ...]) -> JobFact:
    plan = task.plan
    before = hash_input(input_files(plan.before.spec)) if plan.before is not None else ""
    return JobFact(
        input=hash_input(files),
        settings=task.settings.digest,
        weights=dict(restorer.status.weights),
        plan=hash_plan(plan.windows, plan.decisions, deinterlace=plan.deinterlace, before=before),
        software=f"streamrestore {__version__}, av {av.__version__}",
        segments=cuts,
    )


def _begin(now: JobFact, place: Workplace, manifest: Manifest) -> tuple[str, ...]:
    """Have the manifest speak of this job; why work of another one was given up."""
    before, notes = manifest.facts.job, manifest.facts.notes
    why = changes(before, now) if before is not None else ()
    if before is None or why:
        place.clear()
        manifest.begin(now)
    return (*notes, *(f"work of an earlier run was of no use: {reason}" for reason in why))


def _without(cuts: Sequence[Segment], numbers: set[int]) -> list[Segment]:
    return [segment for segment in cuts if segment.number not in numbers]
