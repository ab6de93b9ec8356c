"""One file, start to end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamrestore import __version__
from streamrestore.decode import input_files, open_source
from streamrestore.encode import CannotCopy, OutputPlan, check_output, copy_file, join_segments, video_head
from streamrestore.engine import Restorer
from streamrestore.errors import InputError, Interrupted, UsageError
from streamrestore.pipeline.done import job_files, remark_of
from streamrestore.pipeline.making import Task
from streamrestore.pipeline.manifest import Manifest
from streamrestore.pipeline.mask import read_mask
from streamrestore.pipeline.plan import Plan, make_restorer, plan_file
from streamrestore.pipeline.progress import OnProgress, Stop, progress
from streamrestore.pipeline.refusals import UNREAD, refuse_losses, refuse_other_streams, refuse_pictures
from streamrestore.pipeline.report import JobReport, StreamReport
from streamrestore.pipeline.resume import restore_in_segments
from streamrestore.pipeline.runner import Tally
from streamrestore.pipeline.sizes import aimed, clip_bytes, size_notes
from streamrestore.pipeline.workplace import Workplace
from streamrestore.seams import SinkReport, SourceInfo
from streamrestore.settings import JobSettings


def restore_file(
    spec: str,
    output: Path,
    settings: JobSettings,
    *,
    plan: Plan | None = None,
    restorer: Restorer | None = None,
    on_progress: OnProgress | None = None,
    stop: Stop | None = None,
) -> JobReport:
    """Restore a video file, or numbered pictures, into a file.

    Frames that are bypassed reach the encoder as they were decoded; a file in which nothing is
    restored is copied packet by packet, unless `force_encode` is set.

    The work is done in segments of some 15 s, which are kept in a hidden folder beside the output
    until it is complete: after an interruption, a crash or a full disk, the same call goes on from
    the last of them.

    Args:
        spec: what `open_source` takes.
        plan: what to do with each clip; by default `plan_file` says it.
        restorer: to use one for several files; by default one is made from the settings. Worker
            processes always make their own.
        on_progress: called from this thread.
        stop: asked often from this thread; True ends the run.

    Raises:
        StreamRestoreError: as DESIGN's tree says; nothing is left under the output's name.
        Interrupted: `stop` said so.
    """
    if restorer is not None and settings.workers > 1:
        raise UsageError("worker processes make their own restorers: give workers or a restorer, not both")
    inputs, files = input_files(spec), job_files(spec, settings)
    source_path = inputs[0] if len(inputs) == 1 and inputs[0].is_file() else None
    with open_source(spec) as source:
        if settings.encode.size_like_input and source_path is None:
            raise UsageError(f"{source.info.name}: --size-like-input takes a video file, whose size is known")
        output_plan = check_output(output, source_path, settings.encode, source.info)
        if not inputs and not settings.encode.drop_unsupported:
            refuse_other_streams(source.info)
        name = source.info.name
        read_mask(settings.restore.mask, *source.info.displayed_size)
    stop, on_progress = stop or _never, on_progress or _ignore
    restorer = restorer or make_restorer(settings)
    restorer.check(settings.restore.branch, settings.restore.strength, settings.restore.gates)
    job = _Job(spec, files, source_path, output, output_plan, settings, plan, restorer, on_progress, stop)
    with Workplace(output) as place:
        if not settings.resume or not files:
            place.clear()
        manifest = Manifest(place.manifest)
        try:
            report = job.run(place, manifest)
        except BaseException as error:
            kept = len(manifest.facts.segments)
            if not kept:
                place.remove()
            where = f"{kept} finished segments are kept in {place.folder}; run again to go on" if kept else ""
            if isinstance(error, Interrupted):
                raise Interrupted(f"{name}: stopped; {where or 'nothing was written'}") from None
            if where:
                error.add_note(where)
            raise
        place.remove()
    return report


@dataclass(frozen=True, slots=True)
class _Job:
    spec: str
    files: tuple[Path, ...]
    source_path: Path | None
    output: Path
    output_plan: OutputPlan
    settings: JobSettings
    plan: Plan | None
    restorer: Restorer
    on_progress: OnProgress
    stop: Stop

    def run(self, place: Workplace, manifest: Manifest) -> JobReport:
        """Look, decide, and copy or restore."""
        settings = self.settings
        plan = self.plan or plan_file(
            self.spec, settings, restorer=self.restorer, on_progress=self.on_progress, stop=self.stop
        )
        if settings.strict:
            refuse_losses(plan.info.name, plan.losses)
        if not plan.bypass:
            refuse_pictures(plan.info, settings.restore.hdr)
        began = time.monotonic()
        if plan.bypass and plan.span is None and not settings.encode.force_encode:
            copied = self._copy(plan)
            if copied is not None:
                return self._report(plan, copied, Tally(), (), time.monotonic() - began, copied=True)
        for weather in plan.weathers:
            self.restorer.network(weather)  # loaded now: what made a segment is known before the first one
        task = self._task(plan, place.folder)
        segments, tally, notes = restore_in_segments(
            task, self.files, place, manifest, self.restorer, self.on_progress, self.stop
        )
        if task.sizes is not None:
            notes = (*notes, *size_notes(sum(segment.payload for segment in segments), sum(task.sizes)))
        self.on_progress(progress("finish", plan.frames, plan.frames, time.monotonic() - began))
        joined = join_segments(
            self.output,
            segments,
            task.head,
            plan.info,
            settings.encode,
            source_path=self.source_path,
            remark=self._remark,
            plan=self.output_plan,
            stop=self.stop,
        )
        return self._report(plan, joined, tally, notes, time.monotonic() - began, copied=False)

    def _task(self, plan: Plan, folder: Path) -> Task:
        """What all segments share."""
        settings, output = self.settings, self.output_plan
        start = round(plan.windows[0].start_seconds / plan.info.time_base)
        with open_source(self.spec, start=start, seek=plan.is_sound) as source:
            first = next(iter(source))
        alone = self.source_path is None
        head, sizes = video_head(first, plan.info, output.container, alone=alone, span=plan.span), None
        if settings.encode.size_like_input and self.source_path is not None:
            sizes = clip_bytes(self.source_path, plan)
            head = aimed(head, output, settings.encode, plan.windows, sizes)
        return Task(self.spec, settings, plan, head, output, folder, sizes)

    @property
    def _remark(self) -> str:
        return remark_of(self.settings, self.files)

    def _copy(self, plan: Plan) -> SinkReport | None:
        """The input's packets in a new file; None where that cannot be."""
        if self.source_path is None:
            return None
        self.on_progress(progress("copy", 0, plan.frames, 0.0))
        try:
            return copy_file(
                self.source_path,
                self.output,
                plan.info,
                self.settings.encode,
                remark=self._remark,
                stop=self.stop,
                plays=lambda path: not plan.losses or _count(path) == plan.frames,
            )
        except CannotCopy:
            return None

    def _report(
        self,
        plan: Plan,
        sink: SinkReport,
        tally: Tally,
        notes: tuple[str, ...],
        seconds: float,
        *,
        copied: bool,
    ) -> JobReport:
        info, status = plan.info, self.restorer.status
        width, height = info.displayed_size
        left_out = (text for text in sink.dropped if " stream " not in text)  # streams tell it themselves
        return JobReport(
            version=__version__,
            input=info.name,
            output=str(self.output),
            settings=self.settings,
            settings_hash=self.settings.digest,
            frames=sink.frames,
            frames_restored=plan.frames_restored,
            copied=copied,
            clips=plan.clips,
            streams=_streams(info, sink, copied, self.source_path is not None),
            losses={**plan.losses, **sink.losses},
            assumed=info.color.coding(info.format, width, height).assumed,
            notes=(
                *plan.notes,
                *_picture_notes(plan, self.settings, copied=copied),
                *notes,
                *sink.notes,
                *left_out,
            ),
            codec=info.video.codec if copied else sink.codec,
            width=width,
            height=height,
            duration_seconds=plan.windows[-1].stop_seconds - plan.windows[0].start_seconds,
            plan_seconds=plan.seconds,
            restore_seconds=seconds,
            stage_seconds=tally.busy,
            device=str(status.compute.device),
            precision=status.compute.precision,
            weights=dict(status.weights),
        )


def _streams(info: SourceInfo, report: SinkReport, copied: bool, is_file: bool) -> tuple[StreamReport, ...]:
    """What became of each stream."""
    unread = "" if is_file else UNREAD
    rows = []
    for stream in info.streams:
        packets = report.copied.get(stream.index, 0)
        if stream.index == info.video.index and not copied:
            rows.append(StreamReport(stream.index, stream.kind, stream.codec, "restored"))
            continue
        why = next((text for text in report.dropped if f" stream {stream.index} (" in text), unread)
        is_data = stream.kind == "data" and not packets
        outcome: Literal["dropped", "converted", "copied"] = (
            "dropped" if why else "converted" if is_data else "copied"
        )
        codec = stream.codec or stream.metadata.get("filename", "")
        rows.append(
            StreamReport(stream.index, stream.kind, codec, outcome, packets, why.partition("): ")[2] or why)
        )
    return tuple(rows)


def _picture_notes(plan: Plan, settings: JobSettings, *, copied: bool) -> list[str]:
    """What became of fields."""
    notes = plan.scan_notes
    if plan.scan_words and copied:
        notes = [f"{plan.scan_words}: copied as it is"]
    if settings.restore.interlaced == "bwdif" and (copied or plan.why_kept):
        why = "it was copied; --force-encode deinterlaces it" if plan.deinterlace else plan.why_kept
        notes.append(f"--interlaced bwdif did nothing: {why}")
    return notes


def _count(path: Path) -> int:
    """Pictures that decode."""
    try:
        with open_source(path) as source:
            return sum(len(batch) for batch in source)
    except InputError:
        return 0


def _never() -> bool:
    return False


def _ignore(_progress: object) -> None:
    pass
