"""The thread that works: takes pictures out of the lanes, classifies, restores, and hands them on."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from streamrestore.engine import Work
from streamrestore.errors import SessionError, StageError, StreamRestoreError
from streamrestore.frames import FrameBatch
from streamrestore.live.costs import Costs
from streamrestore.live.engines import Classifier, Engines
from streamrestore.live.lanes import Arrived, Counts, Lane, Lanes, Notice, Ready
from streamrestore.live.messages import Shape
from streamrestore.live.outlets import Finished, Outlet
from streamrestore.live.overload import SPARE, WINDOW_SECONDS, WORDS, Level, Pace, Watched, judge, ladder
from streamrestore.live.plan import StreamPlan
from streamrestore.live.schedule import FairShares, Waiting, next_round
from streamrestore.live.scope import AGAIN, Scope, scope_of
from streamrestore.pipeline.mask import Mask
from streamrestore.weather import Decision

REMEMBERED = 256
"""Pictures of a stream whose latency is kept."""
LATENCY_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0)
"""Seconds, between which latencies are counted."""


@dataclass(slots=True, eq=False)
class Load:
    """What a stream asked of the machine, and what it got; the worker's own.

    Attributes:
        finished: pictures that came through, by label of what was done: ``none``, ``rain``, ...
        route_seconds, restore_seconds, output_seconds: spent on them.
        latencies: seconds from decoding to publication of the last ones.
        latency_counts: of all of them, how many lie up to each of `LATENCY_BOUNDS` and above the one before;
            last, how many above all.
        latency_seconds: their sum.
        rate: pictures per second that arrived in the last window.
    """

    finished: Counter[str] = field(default_factory=Counter)
    route_seconds: float = 0.0
    restore_seconds: float = 0.0
    output_seconds: float = 0.0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    latency_counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS) + 1))
    latency_seconds: float = 0.0
    rate: float = 0.0
    decision: Decision | None = None

    def note_latency(self, seconds: float) -> None:
        """A picture came through."""
        self.latencies.append(seconds)
        self.latency_counts[bisect_left(LATENCY_BOUNDS, seconds)] += 1
        self.latency_seconds += seconds

    def copy(self) -> Load:
        """As it is now."""
        return replace(
            self,
            finished=Counter(self.finished),
            latencies=self.latencies.copy(),
            latency_counts=list(self.latency_counts),
        )


class LiveStream:
    """A stream as the worker knows it."""

    def __init__(self, plan: StreamPlan, classifier: Classifier, tier: str, now: float) -> None:
        self.plan = plan
        self.classifier = classifier
        self.levels = ladder(plan.on_overload, tier)
        self.pace = Pace(since=now, quiet_since=now)
        self.load = Load()
        self.epoch = 0
        self.label = "none"
        """What its last picture called for."""
        self.shape: Shape | None = None
        self.scope = Scope()
        """Of pictures of this shape."""
        self.connecting = True
        """No picture came yet since the last attempt to connect."""
        self.judged = now
        self.seen = self.lost = 0
        """Pictures that had arrived, and those that had been dropped, when it was last judged."""

    @property
    def level(self) -> Level:
        """How it is treated at present."""
        return self.levels[self.pace.level]

    def settle(self, counts: Counts, now: float) -> None:
        """Judge it by what comes from now on: with a connection, several pictures come at once."""
        self.connecting = False
        self.judged, self.seen, self.lost = now, counts.arrived, counts.dropped
        self.pace = replace(self.pace, since=now)


StreamLane = Lane[LiveStream]


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A picture with its decision."""

    lane: StreamLane
    arrived: Arrived
    work: Work
    frames: FrameBatch
    decision: Decision
    mask: Mask | None


class Worker(threading.Thread):
    """Works until the lanes have ended and are empty.

    Args:
        batch: streams whose pictures are restored together.
        tell: hears of what the worker tells subscribers by itself.
        done: called at the end, in this thread.

    Attributes:
        error: why it ended too early.
        busy_since: when the present round began; None between two rounds.
    """

    def __init__(
        self,
        lanes: Lanes[LiveStream],
        engines: Engines,
        outlets: Sequence[Outlet],
        *,
        batch: int = 1,
        tell: Callable[[str, Notice], None] = lambda _stream, _notice: None,
        done: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="streamrestore-worker", daemon=True)
        self._lanes, self._engines, self._outlets = lanes, engines, outlets
        self._batch, self._tell, self._done, self._clock = batch, tell, done, clock
        self._shares = FairShares()
        self._costs = Costs()
        self._spent: dict[str, float] = {}
        """Seconds of this round by stream."""
        self.error: StreamRestoreError | None = None
        self.busy_since: float | None = None

    def run(self) -> None:
        """Work."""
        try:
            while self._lanes.wait():
                self.busy_since = self._clock()
                self.round()
                self.busy_since = None
        except StreamRestoreError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the edge of a thread; it is reported
            self.error = StageError("restore", error)
            self.error.__cause__ = error
        finally:
            self._done()

    def round(self) -> None:
        """Do the next round: one picture each of some streams."""
        ready: dict[str, Ready[LiveStream]] = {}
        for each in self._lanes.ready():
            ready.setdefault(each.lane.name, each)  # a stream that was begun anew waits for what it was
        now = self._clock()
        for each in ready.values():
            if each.oldest is None:
                self._take(each.lane, now)
        waiting = [self._waiting(each, now) for each in ready.values() if each.oldest is not None]
        tasks = []
        for name in next_round(waiting, self._shares, self._batch):
            task = self._take(ready[name].lane, now)
            if task is not None:
                tasks.append(task)
        for group in _grouped(tasks):
            self._restore(group)
        for name, seconds in self._spent.items():
            self._shares.charge(name, seconds)
        self._spent.clear()
        for each in ready.values():
            self._judge(each.lane)

    def _waiting(self, ready: Ready[LiveStream], now: float) -> Waiting:
        lane = ready.lane
        assert ready.oldest is not None
        limit = lane.owner.plan.max_latency_seconds
        return Waiting(lane.name, limit - (now - ready.oldest), self._cost(lane, now))

    def _take(self, lane: StreamLane, now: float) -> _Task | None:
        """Tell a stream's notices, and decide on its next picture; one that is bypassed is finished."""
        limit = lane.owner.plan.max_latency_seconds
        turn = self._lanes.take(lane, now, limit=limit, cost=self._cost(lane, now))
        stream = lane.owner
        for notice in turn.notices:
            stream.connecting = stream.connecting or notice.state == "connecting"
            for outlet in self._outlets:
                outlet.notice(lane.name, notice, lane.counts.dropped)
        if turn.picture is None:
            return None
        if stream.connecting:
            stream.settle(lane.counts, now)
        begun = self._clock()
        try:
            frames = turn.picture.load()
        except SessionError:  # its process is replaced; this picture is lost
            self._lanes.lose(lane)
            return None
        stream.epoch = turn.picture.epoch
        self._fit(lane, turn.picture.shape)
        if stream.scope.closed is None:
            work = stream.classifier.accept(frames, frames.seconds(frames.frames[0]))
        else:
            work = Work(frames, Decision((), stream.plan.strength, stream.scope.closed), None)
        decision = work.decision
        stream.label = decision.label
        if stream.level == "bypass" and not decision.bypass:
            decision = Decision((), decision.strength, "overload", decision.estimate)
        spent = self._clock() - begun
        stream.load.route_seconds += spent
        self._spend(lane, spent)
        task = _Task(lane, turn.picture, work, frames, decision, stream.scope.mask)
        if not decision.bypass:
            return task
        self._finish(task, frames, spent)
        return None

    def _fit(self, lane: StreamLane, shape: Shape) -> None:
        """See what may be restored of pictures that are not like those before; what changes is told."""
        stream = lane.owner
        if shape == stream.shape:
            return
        before, stream.shape, stream.scope = stream.scope, shape, scope_of(stream.plan, shape)
        if stream.scope.text != before.text:
            self._announce(lane, stream.scope.state, stream.scope.text or AGAIN)

    def _restore(self, group: list[_Task]) -> None:
        """Restore pictures of one kind by one decision, together."""
        first = group[0]
        together = replace(first.frames, frames=tuple(task.frames.frames[0] for task in group))
        begun = self._clock()
        pasts = [[batch.frames[0] for batch in task.work.past] for task in group]
        applied = self._engines.apply(first.lane.owner.level, together, first.decision, pasts)
        results = []
        for task, frame in zip(group, applied.frames, strict=True):
            result = replace(task.frames, frames=(frame,))
            results.append(result if task.mask is None else task.mask.keep(task.frames, result))
        each = (self._clock() - begun) / len(group)
        for task, result in zip(group, results, strict=True):
            task.lane.owner.load.restore_seconds += each
            self._spend(task.lane, each)
            self._finish(task, result, each)

    def _finish(self, task: _Task, result: FrameBatch, spent: float) -> None:
        lane, picture = task.lane, task.arrived.picture
        finished = Finished(
            lane.name, task.arrived.epoch, task.frames, result, task.decision, task.work.weather, picture,
            lane.counts.dropped,
        )  # fmt: skip
        begun = self._clock()
        for outlet in self._outlets:
            outlet.picture(finished)
        now = self._clock()
        stream, load = lane.owner, lane.owner.load
        self._spend(lane, now - begun)
        self._costs.note(self._kind(lane, stream.level, stream.label), spent + now - begun, now)
        load.output_seconds += now - begun
        load.finished["none" if task.decision.bypass else task.decision.label] += 1
        load.note_latency(now - picture.arrived)
        load.decision = task.decision

    def _spend(self, lane: StreamLane, seconds: float) -> None:
        self._spent[lane.name] = self._spent.get(lane.name, 0.0) + seconds

    def _judge(self, lane: StreamLane) -> None:
        """Now and then, see whether the machine keeps up with a stream, and treat it accordingly."""
        stream, now = lane.owner, self._clock()
        passed = now - stream.judged
        if passed < WINDOW_SECONDS:
            return
        counts = lane.counts
        watched = Watched(counts.arrived - stream.seen, counts.dropped - stream.lost)
        stream.judged, stream.seen, stream.lost = now, counts.arrived, counts.dropped
        stream.load.rate = watched.arrived / passed
        before, affordable = stream.level, self._affordable(lane, now)
        stream.pace = judge(stream.pace, watched, stream.levels, now, affordable=affordable)
        if stream.level != before:
            state = "overload_none" if stream.level == "full" else f"overload_{stream.level}"
            self._announce(lane, state, WORDS[stream.level])

    def _announce(self, lane: StreamLane, state: str, text: str) -> None:
        """Tell what the worker does with a stream from now on."""
        notice = Notice(lane.owner.epoch, "status", state, text)
        for outlet in self._outlets:
            outlet.notice(lane.name, notice, lane.counts.dropped)
        self._tell(lane.name, notice)

    def _affordable(self, lane: StreamLane, now: float) -> bool:
        """Whether there is time for this stream's next better level, as far as that is known."""
        better = lane.owner.levels[max(0, lane.owner.pace.level - 1)]
        needed = 0.0
        for other in self._lanes.all():
            stream = other.owner
            level = better if other is lane else stream.level
            cost = self._costs.get(self._kind(other, level, stream.label), now)
            if cost is None and other is lane:
                return True  # a try tells
            needed += stream.load.rate * (cost or 0.0)
        return needed < SPARE

    def _cost(self, lane: StreamLane, now: float) -> float:
        """Seconds that a stream's next picture will probably take."""
        return self._costs.get(self._kind(lane, lane.owner.level, lane.owner.label), now) or 0.0

    def _kind(self, lane: StreamLane, level: Level, label: str) -> Hashable:
        return lane.name, "full" if level == "drop" else level, label


def _grouped(tasks: Sequence[_Task]) -> list[list[_Task]]:
    """Tasks that can be done in one go, in the order of the first of each."""
    groups: dict[Hashable, list[_Task]] = {}
    for task in tasks:
        batch = task.frames
        key = (
            task.lane.owner.level, batch.width, batch.height, batch.format, batch.color, batch.rotation,
            task.decision.branches, task.decision.strength,
        )  # fmt: skip
        groups.setdefault(key, []).append(task)
    return list(groups.values())
