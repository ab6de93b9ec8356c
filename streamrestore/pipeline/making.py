"""Making the segments of a video: decode, restore, encode, in this process or in several."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from streamrestore.decode import open_source
from streamrestore.encode import OutputPlan, SegmentReport, SegmentSink, VideoHead
from streamrestore.engine import Restorer
from streamrestore.errors import InputUnreadable
from streamrestore.frames import Frame, FrameBatch
from streamrestore.pipeline.crew import Done, News, Stop, Tell, Work, run_crew
from streamrestore.pipeline.mask import read_mask
from streamrestore.pipeline.plan import Plan, make_restorer
from streamrestore.pipeline.runner import Runner, Tally
from streamrestore.pipeline.segments import Segment, lead_in
from streamrestore.pipeline.sizes import NEAR, aim_at, next_rate
from streamrestore.pipeline.workplace import partial_path
from streamrestore.seams import Restored, Source
from streamrestore.settings import JobSettings

ATTEMPTS = 7
"""To have a segment become as large as it should; AV1 from several threads differs from run to run."""

BATCH = 4
"""Frames per batch: what waits in the links bounds the memory."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of the work, and may end it.

    Attributes:
        on_made: called with each segment that is complete, from any thread.
        on_tally: called several times a second from the caller's thread.
        stop: asked as often; True ends the work.
    """

    on_made: Callable[[Segment, SegmentReport], None]
    on_tally: Callable[[Tally], None]
    stop: Stop


@dataclass(frozen=True, slots=True)
class Task:
    """What all segments of a video share; worker processes get a copy.

    Attributes:
        folder: where segments are written.
        sizes: that the clips are to have, in bytes; None to go by quality.
    """

    spec: str
    settings: JobSettings
    plan: Plan
    head: VideoHead
    output: OutputPlan
    folder: Path
    sizes: tuple[int, ...] | None = None


def make_segments(task: Task, restorer: Restorer, segments: Sequence[Segment], watch: Watch) -> Tally:
    """Make segments in this process, one after the other, without a pause between neighbours.

    Args:
        segments: in the order of time; some may be left out.

    Raises:
        Interrupted: the watch said so.
        StreamRestoreError: the first error of a stage.
    """
    total = Tally()

    def tell(tally: Tally) -> None:
        watch.on_tally(total + tally)

    if task.sizes is not None:
        for segment in segments:
            total += _make_to_size(task, task.sizes, restorer, segment, replace(watch, on_tally=tell))
        return total
    for _, group in groupby(enumerate(segments), key=lambda item: item[1].number - item[0]):
        neighbours = [segment for _, segment in group]
        total += _make_neighbours(task, restorer, neighbours, replace(watch, on_tally=tell))
    return total


def make_in_crew(task: Task, segments: Sequence[Segment], workers: int, watch: Watch) -> Tally:
    """Make segments in worker processes, in any order.

    Raises:
        Interrupted: the watch said so.
        StreamRestoreError: the first error of a worker.
    """
    by_number = {segment.number: segment for segment in segments}
    total, under_way = Tally(), dict[int, Tally]()

    def hear(news: News) -> None:
        under_way[news.number] = news.news
        watch.on_tally(sum(under_way.values(), total))

    def take(done: Done[tuple[SegmentReport, Tally]]) -> None:
        nonlocal total
        report, tally = done.result
        under_way.pop(done.number, None)
        total += tally
        watch.on_made(by_number[done.number], report)
        watch.on_tally(sum(under_way.values(), total))

    prepare = partial(_prepare, task, by_number)
    run_crew(prepare, by_number, workers=workers, on_done=take, on_news=hear, stop=watch.stop)
    return total


def split_batch(batch: FrameBatch, starts: Sequence[int]) -> Iterator[tuple[int, FrameBatch]]:
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


class SegmentedSink:
    """Encodes neighbouring segments, each into a file of its own (`seams.Sink`).

    Args:
        segments: whose pictures come, all of them and in order.
        on_made: called with each that is complete.
    """

    def __init__(
        self, task: Task, segments: Sequence[Segment], on_made: Callable[[Segment, SegmentReport], None]
    ) -> None:
        self._task, self._left, self._on_made = task, list(segments), on_made
        self._sink: SegmentSink | None = None

    def write(self, restored: Restored) -> None:
        """Encode the frames of a batch, which lie in one segment.

        Raises:
            UnsupportedOutput: the container of the whole cannot hold them.
            OutputError: the disk is full or failed.
        """
        if self._sink is not None and restored.frames.frames[0].index >= self._left[0].stop_frame:
            self._close(self._sink)
            self._sink = None
        if self._sink is None:
            self._sink = self._open()
        self._sink.write(restored)

    def finish(self) -> None:
        """Complete the last segment.

        Raises:
            InputUnreadable: pictures are missing.
            OutputError: the disk is full or failed.
        """
        self._close(self._sink or self._open())

    def abort(self) -> None:
        """Leave nothing of the segment at hand."""
        if self._sink is not None:
            self._sink.abort()

    def _open(self) -> SegmentSink:
        task, segment = self._task, self._left[0]
        path = partial_path(task.folder, segment.number)
        return SegmentSink(path, task.head, task.output, task.settings.encode, begin=segment.first_frame)

    def _close(self, sink: SegmentSink) -> None:
        segment = self._left.pop(0)
        report = sink.finish()
        if report.frames != len(segment):
            raise InputUnreadable(
                f"{self._task.plan.info.name}: {segment} holds {report.frames} pictures now, and held "
                f"{len(segment)} at the first look; it changed meanwhile, or it is damaged and does not "
                "always decode alike: use one decoder thread"
            )
        self._on_made(segment, report)


@dataclass(frozen=True, slots=True)
class _Until:
    """A source up to a frame."""

    source: Source
    stop_frame: int

    def __iter__(self) -> Iterator[FrameBatch]:
        for batch in self.source:
            frames = tuple(frame for frame in batch.frames if frame.index < self.stop_frame)
            if frames:
                yield replace(batch, frames=frames)
            if batch.frames[-1].index + 1 >= self.stop_frame:
                return


def _make_to_size(
    task: Task, sizes: Sequence[int], restorer: Restorer, segment: Segment, watch: Watch
) -> Tally:
    """Make a segment, and again where it misses its size: encoders aim badly at that of few pictures."""
    part = slice(segment.first_clip, segment.stop_clip)
    wanted = max(1, sum(sizes[part]))
    aim = aim_at(task.head, task.output.codec.name, task.plan.windows[part], wanted)
    made: list[SegmentReport] = []
    tried: list[tuple[int, int]] = []
    collect = replace(watch, on_made=lambda _, report: made.append(report))
    while True:
        now = replace(task, head=replace(task.head, aim=aim))
        tally = _make_neighbours(now, restorer, [segment], collect)
        tried.append((aim.rate, made[-1].payload))
        if len(tried) == ATTEMPTS or abs(tried[-1][1] - wanted) <= NEAR * wanted:
            break
        aim = replace(aim, rate=next_rate(tried, wanted))
    watch.on_made(segment, made[-1])
    return tally


def _make_neighbours(task: Task, restorer: Restorer, segments: Sequence[Segment], watch: Watch) -> Tally:
    settings, plan = task.settings.restore, task.plan
    starts = [window.start for window in plan.windows]
    mask = read_mask(settings.mask, *plan.info.displayed_size)

    first = segments[0]
    look_back = max(restorer.past(decision) for decision in plan.decisions)
    lead = lead_in(first, plan.windows, look_back)
    scenes = [k == 0 or plan.windows[k - 1].reason != "length" for k in range(len(starts))]
    past: tuple[Frame, ...] = ()

    def restore(batch: FrameBatch) -> Iterator[Restored]:
        nonlocal past
        for number, part in split_batch(batch, starts):
            decision = plan.decisions[number]
            if scenes[number] and part.frames[0].index == starts[number]:
                past = ()
                if number == 0 and plan.before is not None:
                    past = plan.before.last(look_back, part, threads=settings.decoder_threads)
            before = replace(part, frames=past)
            past = (*past, *part.frames)[-look_back:] if look_back else ()
            if part.frames[0].index < first.first_frame:
                continue
            frames = restorer.apply(part, decision, settings.gates, before)
            if mask is not None and not decision.bypass:
                frames = mask.keep(part, frames)
            yield Restored(frames, decision, decision.estimate)

    begin, seconds = (lead.start, lead.start_seconds) if lead else (first.first_frame, first.start_seconds)
    sink = SegmentedSink(task, segments, watch.on_made)
    try:
        with open_source(
            task.spec,
            threads=settings.decoder_threads,
            batch_size=BATCH,
            start=round(seconds / plan.info.time_base),
            start_index=begin,
            seek=plan.is_sound,
            deinterlace=plan.deinterlace,
        ) as source:
            runner = Runner(_Until(source, segments[-1].stop_frame), restore, sink)
            runner.run(watch.on_tally, watch.stop)
            sink.finish()
    except BaseException:
        sink.abort()
        raise
    return runner.tally


def _prepare(task: Task, segments: dict[int, Segment]) -> Work[tuple[SegmentReport, Tally]]:
    """In a worker: what makes one segment after the other."""
    restorer = make_restorer(task.settings)

    def work(number: int, tell: Tell, stop: Stop) -> tuple[SegmentReport, Tally]:
        made: list[SegmentReport] = []
        watch = Watch(lambda _, report: made.append(report), tell, stop)
        tally = make_segments(task, restorer, [segments[number]], watch)
        return made[0], tally

    return work
