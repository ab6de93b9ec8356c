"""Three stages in threads: order, errors, interruption, memory. Nothing here waits for the clock."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from streamrestore.errors import DamagedInput, Interrupted, OutputError, StageError
from streamrestore.frames import Frame, FrameBatch, PixelFormat
from streamrestore.pipeline.runner import LINK_SIZE, Runner, Tally
from streamrestore.seams import Restored, SinkReport
from streamrestore.weather import Decision, Weather

GRAY = PixelFormat("gray")
LIMIT = 20.0  # seconds; only a broken runner ever waits for it
RAIN = Decision((Weather.RAIN,))


def make_batch(number: int, size: int = 2) -> FrameBatch:
    """Batch `number` of pictures of one size."""
    frames = tuple(
        Frame((np.full((4, 4), index % 251, np.uint8),), pts=index, index=index)
        for index in range(number * size, (number + 1) * size)
    )
    return FrameBatch(frames, 4, 4, GRAY, Fraction(1, 25))


class FakeSource:
    """So many batches, and then perhaps an error."""

    def __init__(self, count: int | None, error: BaseException | None = None, ahead: int = 0) -> None:
        self.count, self.error, self.made, self.ahead = count, error, 0, ahead
        self.is_ahead = threading.Event()
        self.alive: list[weakref.ref[Any]] = []

    def __iter__(self) -> Iterator[FrameBatch]:
        while self.count is None or self.made < self.count:
            batch = make_batch(self.made)
            self.alive += [weakref.ref(frame.planes[0]) for frame in batch.frames]
            self.made += 1
            if self.made == self.ahead:
                self.is_ahead.set()
            yield batch
            del batch
        if self.error is not None:
            raise self.error


class FakeSink:
    """Keeps what arrives; `before` is asked first."""

    def __init__(self, before: Callable[[Restored], None] = lambda _: None) -> None:
        self.indices: list[int] = []
        self.before = before

    def write(self, restored: Restored) -> None:
        self.before(restored)
        self.indices += [frame.index for frame in restored.frames.frames]

    def finish(self) -> SinkReport:
        raise AssertionError("the runner leaves that to its caller")

    abort = finish


def same(batch: FrameBatch) -> Iterator[Restored]:
    """Restores nothing."""
    yield Restored(batch, Decision())


def run(
    source: FakeSource,
    sink: FakeSink,
    restore: Any = same,
    glance: Callable[[Tally], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Tally:
    """Run, and check that no thread is left."""
    before = threading.active_count()
    runner = Runner(source, restore, sink)  # type: ignore[arg-type]
    try:
        runner.run(glance, stop)
    finally:
        assert threading.active_count() == before
    return runner.tally


class TestRun:
    """All goes well."""

    @pytest.mark.parametrize("count", [0, 1, 50])
    def test_everything_arrives_in_order(self, count: int) -> None:
        """Each frame once."""
        sink = FakeSink()

        tally = run(FakeSource(count), sink)

        assert sink.indices == list(range(2 * count))
        assert (tally.frames, tally.restored) == (2 * count, 0)

    def test_parts_of_a_batch(self) -> None:
        """A batch may leave in several parts; what was restored is counted apart."""

        def halves(batch: FrameBatch) -> Iterator[Restored]:
            for frame, decision in zip(batch.frames, (Decision(), RAIN), strict=True):
                yield Restored(FrameBatch((frame,), 4, 4, GRAY, batch.time_base), decision)

        sink, glances = FakeSink(), []

        tally = run(FakeSource(10), sink, halves, lambda t: glances.append((t.frames, t.branch)))

        assert sink.indices == list(range(20))
        assert (tally.frames, tally.restored, tally.branch) == (20, 10, "rain")
        assert glances[-1] == (20, "rain")
        assert set(tally.busy) == {"decode", "restore", "encode"}
        assert all(seconds >= 0 for seconds in tally.busy.values())

    def test_memory_is_bounded(self) -> None:
        """However slow the sink and long the source: the links are full, and no more batches are alive."""
        most = 2 * LINK_SIZE + 3  # one with each stage
        source = FakeSource(400, ahead=most)
        counts: list[int] = []

        def count(_: Restored) -> None:
            if not counts:
                assert source.is_ahead.wait(LIMIT), "the stages do not work side by side"
            counts.append(sum(ref() is not None for ref in source.alive))

        run(source, FakeSink(count))

        assert source.made == 400
        assert counts[0] == 2 * most
        assert max(counts) <= 2 * (most + 2)  # a stage may hold its last one while it gets the next


class TestErrors:
    """The first error wins and names its stage."""

    def test_typed_errors_pass_unchanged(self) -> None:
        """What a source or sink raises on purpose is not dressed up as a defect."""
        damaged, full = DamagedInput("a.mp4: damaged"), OutputError("b.mp4: the disk is full")

        def fail(restored: Restored) -> None:
            if restored.frames.frames[0].index == 6:
                raise full

        sink = FakeSink()
        with pytest.raises(DamagedInput) as caught:
            run(FakeSource(3, damaged), sink)
        assert caught.value is damaged
        with pytest.raises(OutputError) as stopped:
            run(FakeSource(None), FakeSink(fail))
        assert stopped.value is full

    @pytest.mark.parametrize("stage", ["decode", "restore", "encode"])
    def test_unexpected_errors_name_stage_and_frame(self, stage: str) -> None:
        """And keep their cause, for --debug."""
        bug = ZeroDivisionError("oops")

        def fail(index: int, where: str) -> None:
            if where == stage and index == 6:
                raise bug

        def restore(batch: FrameBatch) -> Iterator[Restored]:
            fail(batch.frames[0].index, "restore")
            yield Restored(batch, Decision())

        source = FakeSource(3, bug) if stage == "decode" else FakeSource(None)
        sink = FakeSink(lambda r: fail(r.frames.frames[0].index, "encode"))
        with pytest.raises(StageError, match=f"the {stage} stage broke at frame 6: .*oops") as caught:
            run(source, sink, restore)

        error = caught.value
        assert (error.stage, error.frame, error.cause, error.__cause__) == (stage, 6, bug, bug)

    def test_the_first_error_wins(self) -> None:
        """What breaks while the others are being stopped is not what the user is told."""
        sink = FakeSink()
        runner = Runner(FakeSource(5, DamagedInput("first")), same, sink)  # type: ignore[arg-type]

        def late(_: Restored) -> None:
            assert runner._cancel._event.wait(LIMIT)
            raise OutputError("second")

        sink.before = late
        with pytest.raises(DamagedInput, match="first"):
            runner.run(lambda _: None, lambda: False)

    def test_nothing_is_written_after_an_error(self) -> None:
        """What waits in the links is let go."""
        sink = FakeSink()

        def restore(batch: FrameBatch) -> Iterator[Restored]:
            if batch.frames[0].index == 20:
                raise ValueError
            yield Restored(batch, Decision())

        with pytest.raises(StageError):
            run(FakeSource(None), sink, restore)
        assert sink.indices == list(range(len(sink.indices)))
        assert len(sink.indices) <= 20


class TestStop:
    """The user has enough."""

    def test_stop(self) -> None:
        """An endless source ends; no thread is left."""
        sink, glances = FakeSink(), []

        with pytest.raises(Interrupted, match="stopped"):
            run(FakeSource(None), sink, same, glances.append, lambda: len(glances) > 1)

        assert len(glances) >= 2

    def test_stop_while_the_sink_is_busy(self) -> None:
        """A call that cannot be interrupted ends first; then everything does."""
        asked = threading.Event()

        def busy(_: Restored) -> None:
            assert asked.wait(LIMIT)

        def stop() -> bool:
            asked.set()
            return True

        with pytest.raises(Interrupted):
            run(FakeSource(None), FakeSink(busy), stop=stop)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError])
    def test_errors_of_who_watches(self, error: type[BaseException]) -> None:
        """Ctrl-C in the main thread, or a closed terminal: the stages end, and it passes."""

        def broken(_: Tally) -> None:
            raise error

        with pytest.raises(error):
            run(FakeSource(None), FakeSink(), glance=broken)
