"""One file, start to end."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from streamrestore import __version__
from streamrestore.decode import open_source
from streamrestore.encode import CannotCopy, FileSink, check_output, copy_file
from streamrestore.engine import LARGEST, SMALLEST, Restorer
from streamrestore.errors import DamagedInput, Interrupted, UnsupportedVideo
from streamrestore.frames import NOT_YCBCR, FrameBatch
from streamrestore.pipeline.plan import OnProgress, Plan, Stop, make_restorer, plan_file, progress
from streamrestore.pipeline.report import JobReport, StreamReport
from streamrestore.pipeline.runner import Runner, Tally
from streamrestore.seams import Restored, SinkReport, SourceInfo
from streamrestore.settings import JobSettings, settings_hash


def restore_file(
    spec: str,
    output: Path,
    settings: JobSettings,
    *,
    restorer: Restorer | None = None,
    on_progress: OnProgress | None = None,
    stop: Stop | None = None,
) -> JobReport:
    """Restore a video file, or numbered pictures, into a file.

    Frames that are bypassed reach the encoder as they were decoded; a file in which nothing is
    restored is copied packet by packet, unless `force_encode` is set.

    Args:
        spec: what `open_source` takes.
        restorer: to use one for several files; by default one is made from the settings.
        on_progress: called from this thread.
        stop: asked often from this thread; True ends the run.

    Raises:
        StreamRestoreError: as DESIGN's tree says; nothing is left under the output's name.
        Interrupted: `stop` said so.
    """
    stop = stop or _never
    on_progress = on_progress or _ignore
    path = Path(spec.removeprefix("file:"))
    source_path = path if path.is_file() else None
    with open_source(spec) as source:
        output_plan = check_output(output, source_path, settings.encode, source.info)
    restorer = restorer or make_restorer(settings)
    restorer.check(settings.restore.branch, settings.restore.strength, settings.restore.gates)
    plan = plan_file(spec, settings, restorer=restorer, on_progress=on_progress, stop=stop)
    if settings.strict:
        _refuse_losses(plan.info.name, plan.losses)
    if not plan.bypass:
        _check_pictures(plan.info)
    remark = f"restored by streamrestore {__version__}, settings {settings_hash(settings)}"

    began = time.monotonic()
    tally = Tally()
    sink_report = None
    if plan.bypass and not settings.encode.force_encode and source_path is not None:
        on_progress(progress("copy", 0, plan.frames, 0.0))
        try:
            sink_report = copy_file(source_path, output, plan.info, settings.encode, remark=remark, stop=stop)
        except CannotCopy:
            sink_report = None
    copied = sink_report is not None
    if sink_report is None:
        sink = FileSink(
            output, plan.info, settings.encode, source_path=source_path, remark=remark, plan=output_plan
        )
        try:
            tally = _run(spec, settings, restorer, plan, sink, on_progress, stop)
            on_progress(progress("finish", tally.frames, tally.frames, time.monotonic() - began))
            sink_report = sink.finish()
        except BaseException:
            sink.abort()
            raise
    return JobReport(
        version=__version__,
        input=plan.info.name,
        output=str(output),
        settings=settings,
        settings_hash=settings_hash(settings),
        frames=sink_report.frames,
        frames_restored=tally.restored,
        copied=copied,
        clips=plan.clips,
        streams=_streams(plan.info, sink_report, copied),
        losses=plan.losses,
        assumed=plan.info.color.coding(plan.info.format, *_displayed(plan.info)).assumed,
        notes=(*plan.notes, *sink_report.notes, *(t for t in sink_report.dropped if " stream " not in t)),
        codec=plan.info.video.codec if copied else sink_report.codec,
        width=_displayed(plan.info)[0],
        height=_displayed(plan.info)[1],
        duration_seconds=plan.windows[-1].stop_seconds - plan.windows[0].start_seconds,
        plan_seconds=plan.seconds,
        restore_seconds=time.monotonic() - began,
        stage_seconds=tally.busy,
        device=str(restorer.status.compute.device),
        precision=restorer.status.compute.precision,
        weights=dict(restorer.status.weights),
    )


def split_batch(batch: FrameBatch, starts: list[int]) -> Iterator[tuple[int, FrameBatch]]:
    """Parts of a batch that lie in one clip each, with the clip's number.

    Args:
        starts: index of each clip's first frame, rising.
    """
    first = 0
    for position in range(1, len(batch) + 1):
        here = bisect_right(starts, batch.frames[first].index) - 1
        if position == len(batch) or bisect_right(starts, batch.frames[position].index) - 1 != here:
            yield here, replace(batch, frames=batch.frames[first:position])
            first = position


def _run(
    spec: str,
    settings: JobSettings,
    restorer: Restorer,
    plan: Plan,
    sink: FileSink,
    on_progress: OnProgress,
    stop: Stop,
) -> Tally:
    starts = [window.start for window in plan.windows]

    def restore(batch: FrameBatch) -> Iterator[Restored]:
        for number, part in split_batch(batch, starts):
            decision = plan.decisions[number]
            frames = restorer.apply(part, decision, settings.restore.gates)
            yield Restored(frames, decision, decision.estimate)

    began = time.monotonic()

    def glance(tally: Tally) -> None:
        seconds = time.monotonic() - began
        on_progress(progress("restore", tally.frames, plan.frames, seconds, tally.branch))

    with open_source(spec, threads=settings.restore.decoder_threads, batch_size=BATCH) as source:
        runner = Runner(source, restore, sink)
        try:
            runner.run(glance, stop)
        except Interrupted:
            raise Interrupted(f"{plan.info.name}: stopped; nothing was written") from None
    return runner.tally


BATCH = 4
"""Frames per batch: what waits in the links bounds the memory."""


def _streams(info: SourceInfo, report: SinkReport, copied: bool) -> tuple[StreamReport, ...]:
    """What became of each stream."""
    rows = []
    for stream in info.streams:
        packets = report.copied.get(stream.index, 0)
        is_video = stream.index == info.video.index
        why = next((text for text in report.dropped if f" stream {stream.index} (" in text), "")
        outcome = "restored" if is_video and not copied else "copied" if packets else "dropped"
        rows.append(StreamReport(stream.index, stream.kind, stream.codec, outcome, packets, why))  # type: ignore[arg-type]
    return tuple(rows)


def _displayed(info: SourceInfo) -> tuple[int, int]:
    return (info.height, info.width) if info.rotation % 180 else (info.width, info.height)


def _check_pictures(info: SourceInfo) -> None:
    """Refuse what cannot be restored rightly; to copy it is another matter."""
    sides = (info.width, info.height)
    if not (min(sides) >= SMALLEST and max(sides) <= LARGEST):
        raise UnsupportedVideo(
            f"{info.name}: its pictures are {sides[0]}x{sides[1]}; "
            f"{SMALLEST}x{SMALLEST} to {LARGEST}x{LARGEST} can be restored"
        )
    if info.color.matrix in NOT_YCBCR:
        raise UnsupportedVideo(
            f"{info.name}: its colour is coded as {NOT_YCBCR[info.color.matrix]}; "
            "convert it to BT.709 or BT.2020 first"
        )


def _refuse_losses(name: str, losses: dict[str, int]) -> None:
    if losses:
        found = ", ".join(f"{count} x {kind}" for kind, count in sorted(losses.items()))
        raise DamagedInput(f"{name}: damaged ({found}); without --strict, what decodes is restored")


def _never() -> bool:
    return False


def _ignore(_progress: object) -> None:
    pass
