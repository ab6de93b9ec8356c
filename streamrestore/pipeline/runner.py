"""Decode, restore and encode at the same time, in threads, through bounded links."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from streamrestore.errors import Interrupted, StageError, StreamRestoreError
from streamrestore.frames import FrameBatch
from streamrestore.links import Cancel, Closed, Link
from streamrestore.seams import Restored

LINK_SIZE = 2
"""Batches that wait between two stages."""

GLANCE_SECONDS = 0.1
"""How often the main thread looks whether the user wants to stop."""

T = TypeVar("T")

RestoreBatch = Callable[[FrameBatch], Iterable[Restored]]


@dataclass(slots=True)
class Tally:
    """What the stages did so far; read by the main thread while they work.

    Attributes:
        busy: seconds of work of each stage, without waiting.
        branch: of the last frame that was written.
    """

    frames: int = 0
    restored: int = 0
    branch: str = ""
    busy: dict[str, float] = field(default_factory=lambda: {"decode": 0.0, "restore": 0.0, "encode": 0.0})

    def __add__(self, later: Tally) -> Tally:
        """What was done in both; the branch is the later one's."""
        busy = {stage: seconds + later.busy[stage] for stage, seconds in self.busy.items()}
        return Tally(
            self.frames + later.frames, self.restored + later.restored, later.branch or self.branch, busy
        )


class Takes(Protocol):
    """The part of a sink that a runner needs."""

    def write(self, restored: Restored) -> None:
        """Take a batch."""
        ...


class Runner:
    """One source, one way to restore, one sink.

    Args:
        source: batches in the order of time.
        restore: gives the restored parts of a batch, in order.
    """

    def __init__(self, source: Iterable[FrameBatch], restore: RestoreBatch, sink: Takes) -> None:
        self._source, self._restore, self._sink = source, restore, sink
        self._cancel = Cancel()
        self._decoded: Link[FrameBatch] = Link(LINK_SIZE, self._cancel)
        self._restored: Link[Restored] = Link(LINK_SIZE, self._cancel)
        self._done = threading.Event()
        self._errors: list[BaseException] = []
        self._at: dict[str, int] = {}
        """Index of the frame that a stage is at."""
        self.tally = Tally()

    def run(self, on_glance: Callable[[Tally], None], stop: Callable[[], bool]) -> None:
        """Run to the end of the source; `finish` of the sink is left to the caller.

        Args:
            on_glance: called several times a second from this thread.
            stop: whether the user wants to stop; likewise.

        Raises:
            Interrupted: `stop` said so.
            StreamRestoreError: the first error of a stage; StageError if it was not one of ours.
        """
        stages = (("decode", self._decode), ("restore", self._work), ("encode", self._encode))
        threads = [threading.Thread(target=self._stage, args=stage, name=stage[0]) for stage in stages]
        for thread in threads:
            thread.start()
        try:
            finished = False
            while not finished:  # a last look when all is done: the request may have come meanwhile
                finished = self._done.wait(GLANCE_SECONDS)
                on_glance(self.tally)
                if stop() and not self._errors:
                    raise Interrupted("stopped; nothing was written")
        except BaseException:
            self._cancel.set()
            raise
        finally:
            for thread in threads:
                thread.join()
        if self._errors:
            raise self._errors[0]

    def _decode(self) -> None:
        for batch in self._timed("decode", self._source):
            self._at["decode"] = batch.frames[-1].index + 1
            self._decoded.put(batch)
        self._decoded.close()

    def _work(self) -> None:
        for batch in self._decoded:
            self._at["restore"] = batch.frames[0].index
            for part in self._timed("restore", self._restore(batch)):
                self._restored.put(part)
        self._restored.close()

    def _encode(self) -> None:
        for part in self._restored:
            self._at["encode"] = part.frames.frames[0].index
            began = time.perf_counter()
            self._sink.write(part)
            self.tally.busy["encode"] += time.perf_counter() - began
            self.tally.frames += len(part.frames)
            self.tally.restored += 0 if part.decision.bypass else len(part.frames)
            self.tally.branch = "none" if part.decision.bypass else part.decision.label
        self._done.set()

    def _timed(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """Items of an iterable; the time that making them takes is the stage's."""
        iterator = iter(items)
        while True:
            began = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.tally.busy[stage] += time.perf_counter() - began
            yield item

    def _stage(self, name: str, work: Callable[[], None]) -> None:
        """The edge of a stage's thread: the first error wins, and stops the others."""
        try:
            work()
        except Closed:
            pass
        except StreamRestoreError as error:
            self._fail(error)
        except BaseException as error:  # noqa: BLE001 - the edge of a thread; it is reported
            wrapped = StageError(name, error, self._at.get(name))
            wrapped.__cause__ = error
            self._fail(wrapped)

    def _fail(self, error: StreamRestoreError) -> None:
        self._errors.append(error)
        self._cancel.set()
        self._done.set()
