"""The worker's rounds, one by one, with an engine and a clock of the test's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from streamrestore.engine import Work
from streamrestore.errors import StageError
from streamrestore.frames import ColorInfo, FrameBatch
from streamrestore.live.costs import MEMORY_SECONDS
from streamrestore.live.engines import Engines
from streamrestore.live.lanes import Lane, Lanes, Notice
from streamrestore.live.messages import Shape
from streamrestore.live.outlets import Finished
from streamrestore.live.overload import CALM_SECONDS, OnOverload
from streamrestore.live.plan import StreamPlan
from streamrestore.live.worker import LATENCY_BOUNDS, LiveStream, Load, Worker
from streamrestore.weather import Decision
from tests.live.engines import RAIN, SEEN, ToldEngine, ToldStream
from tests.live.readings import REQUEST, SHAPE, ToldReading

RATE = 25
PQ = replace(SHAPE, color=ColorInfo(9, 1, 9, 16))


class Recorder:
    """An outlet that keeps what it gets."""

    def __init__(self) -> None:
        self.items: list[tuple[str, Finished | Notice]] = []

    def picture(self, finished: Finished) -> None:
        self.items.append((finished.stream, finished))

    def notice(self, stream: str, notice: Notice, dropped: int) -> None:
        del dropped
        self.items.append((stream, notice))

    @property
    def pictures(self) -> list[Finished]:
        """In the order in which they came."""
        return [item for _, item in self.items if isinstance(item, Finished)]

    @property
    def states(self) -> list[str]:
        """Of the notices."""
        return [item.state for _, item in self.items if isinstance(item, Notice)]


class Bench:
    """A worker whose rounds are called by the test; work costs what the test says."""

    def __init__(self, *, batch: int = 1, cost: float = 0.0, tier: str = "fast") -> None:
        self.now = 0.0
        self.cost, self.cheap = cost, cost / 5
        self.engine = ToldEngine(self._work)
        self.fast = ToldEngine(self._work_fast)
        self.recorder, self.reading = Recorder(), ToldReading()
        self.lanes: Lanes[LiveStream] = Lanes()
        self.tier = tier
        engines = Engines(self.engine, self.fast if tier != "fast" else None)
        self.worker = Worker(self.lanes, engines, [self.recorder], batch=batch, clock=lambda: self.now)

    def _work(self, frames: FrameBatch) -> None:
        self.now += len(frames) * (self.cost if frames.width == SHAPE.width else self.cheap)

    def _work_fast(self, frames: FrameBatch) -> None:
        self.now += len(frames) * self.cheap

    def stream(
        self,
        name: str = "cam1",
        branch: str = "auto",
        latency: float = 1.0,
        policy: OnOverload = "drop",
        **more: Any,
    ) -> Lane[LiveStream]:
        """One more."""
        plan = StreamPlan(name, REQUEST, branch, 1.0, latency, policy, **more)
        stream = LiveStream(plan, self.engine.stream(branch, 1.0), self.tier, self.now)
        return self.lanes.open(name, stream)

    def put(self, lane: Lane[LiveStream], time: float | None = None, shape: Shape = SHAPE) -> None:
        """A picture comes in."""
        self.lanes.put(lane, self.reading.arrived(self.now if time is None else time, shape=shape))

    def play(self, seconds: float, *lanes: Lane[LiveStream], rate: float = RATE) -> None:
        """Cameras go on for so long, while the worker works as fast as it can."""
        end, due = self.now + seconds, self.now
        while self.now < end:
            while due <= self.now:
                for lane in lanes:
                    self.put(lane, due)
                due += 1 / rate
            if self.lanes.ready():
                self.worker.round()
            else:
                self.now = due


def test_a_picture_goes_through() -> None:
    """With everything that is known of it; its slot is given back."""
    bench = Bench(cost=0.25)
    lane = bench.stream()
    bench.put(lane)
    bench.worker.round()

    (done,) = bench.recorder.pictures
    assert (done.decision, done.weather) == (Decision((RAIN,), 1.0, "classified", SEEN), SEEN)
    assert (done.result.frames[0].planes[0] == done.given.frames[0].planes[0] + 1).all()
    assert bench.reading.out == set()
    assert lane.owner.load.finished == {"rain": 1}
    assert lane.owner.load.restore_seconds == 0.25
    assert list(lane.owner.load.latencies) == [0.25]


def test_bypassed_pictures_are_the_same() -> None:
    """They do not even reach the engine."""
    bench = Bench()
    bench.put(bench.stream(branch="none"))
    bench.worker.round()

    (done,) = bench.recorder.pictures
    assert done.result is done.given
    assert bench.engine.applied == []


def test_what_is_faded_out_counts_as_bypassed() -> None:
    """A branch at strength 0 removes nothing."""
    bench = Bench()
    lane = bench.stream()
    lane.owner.classifier = ToldStream((RAIN,), 0.0)
    bench.put(lane)
    bench.worker.round()

    assert lane.owner.load.finished == {"none": 1}


def test_notices_keep_their_place() -> None:
    """What was said between two pictures is told between them."""
    bench = Bench()
    lane = bench.stream()
    bench.put(lane)
    bench.lanes.put(lane, Notice(1, "status", "stalled"))
    bench.put(lane)
    while bench.lanes.ready():
        bench.worker.round()

    kinds = [type(item).__name__ for _, item in bench.recorder.items]
    assert kinds == ["Finished", "Notice", "Finished"]


def test_pictures_of_a_kind_are_restored_together() -> None:
    """Of several streams, by one branch at a time; others in a call of their own."""
    bench = Bench(batch=8)
    lanes = [bench.stream(f"cam{n}", latency=9.0) for n in range(3)]
    other = bench.stream("other", latency=9.0)
    other.owner.classifier = ToldStream((RAIN,), 0.5)  # it fades
    for lane in (*lanes, other):
        bench.put(lane)
    bench.worker.round()

    assert [count for count, _, _ in bench.engine.applied] == [3, 1]
    assert [done.stream for done in bench.recorder.pictures] == ["cam0", "cam1", "cam2", "other"]
    places = [done.picture.place for done in bench.recorder.pictures]
    assert [int(done.result.frames[0].planes[0][0, 0]) for done in bench.recorder.pictures] == [
        place + 1 for place in places
    ]


@pytest.mark.parametrize("batch", [1, 8])
def test_each_stream_has_its_own_past(batch: int) -> None:
    """Networks that look back are told what came before in the same stream, alone or in company."""
    bench = Bench(batch=batch)
    lanes = [bench.stream(f"cam{n}", latency=9.0) for n in range(2)]
    for lane in lanes:
        lane.owner.classifier = ToldStream((RAIN,), 1.0, past=2)
    for time in (0.0, 1.0, 2.0):
        for n, lane in enumerate(lanes):
            bench.put(lane, time + 0.2 * n)
            if batch == 1:
                bench.worker.round()
        if batch > 1:
            bench.worker.round()

    pasts = [past for call in bench.engine.pasts for past in call]
    assert pasts == [[], [], [0], [5], [0, 25], [5, 30]]


def test_a_flood_does_not_starve_another_stream() -> None:
    """A stream at 10 times the rate gets what is left, the other one all that it needs."""
    bench = Bench(cost=0.05)
    flood, calm = bench.stream("flood", policy="drop"), bench.stream("calm")
    end, due = 10.0, {"flood": 0.0, "calm": 0.0}
    while bench.now < end:
        for lane, step in ((flood, 1 / 100), (calm, 1 / 8)):
            while due[lane.name] <= bench.now:
                bench.put(lane, due[lane.name])
                due[lane.name] += step
        bench.worker.round()

    assert calm.counts.dropped == 0
    assert flood.owner.load.finished["rain"] > 90
    assert max(calm.owner.load.latencies) < 0.2


def test_latency_is_bounded() -> None:
    """Too slow by a factor of three, what comes through is still of the present."""
    bench = Bench(cost=0.12)
    lane = bench.stream(latency=0.4)
    bench.play(10.0, lane)

    assert max(lane.owner.load.latencies) <= 0.4
    arrived = lane.counts.arrived
    waiting = sum(1 for _ in lane.items)
    assert arrived == lane.owner.load.finished["rain"] + lane.counts.dropped + waiting
    assert bench.recorder.states == ["overload_drop"]


@pytest.mark.parametrize(
    ("policy", "tier", "state"),
    [
        ("bypass", "fast", "overload_bypass"),
        ("fast", "fast", "overload_half"),
        ("fast", "slow", "overload_fast"),
    ],
)
def test_overload_and_back(policy: OnOverload, tier: str, state: str) -> None:
    """A cheaper way while the machine is too slow, told when it begins and when it ends."""
    bench = Bench(cost=0.15, tier=tier)
    lane = bench.stream(policy=policy)
    bench.play(10.0, lane)
    dropped = lane.counts.dropped
    bench.play(5.0, lane)

    assert bench.recorder.states == [state]
    assert lane.counts.dropped == dropped
    last = bench.recorder.pictures[-1]
    if policy == "bypass":
        assert (last.decision.branches, last.decision.reason, last.decision.estimate) == (
            (),
            "overload",
            SEEN,
        )
        assert last.result is last.given
    else:
        width = SHAPE.width // 2 if tier == "fast" else SHAPE.width
        engine = bench.engine if tier == "fast" else bench.fast
        assert engine.applied[-1] == (1, width, (RAIN,))
        assert last.decision.reason == "classified"

    bench.cost = bench.cheap  # the machine has more time now, which only a try can tell
    bench.play(MEMORY_SECONDS + 2 * CALM_SECONDS, lane, rate=5)

    assert bench.recorder.states == [state, "overload_none"]
    assert bench.recorder.pictures[-1].decision == Decision((RAIN,), 1.0, "classified", SEEN)


def test_the_burst_of_a_connection_is_no_overload() -> None:
    """What FFmpeg has gathered while it looked at the stream comes at once, and more than a lane holds."""
    bench = Bench(cost=0.01)
    lane = bench.stream()
    for _ in range(3):
        bench.lanes.put(lane, Notice(1, "status", "connecting"))
        for _ in range(15):
            bench.put(lane)
        bench.play(5.0, lane)

    assert lane.counts.dropped >= 30
    assert bench.recorder.states == ["connecting"] * 3


class TestScope:
    """What is not restored, and said to be so."""

    def test_hdr(self) -> None:
        """It passes as it is, which is told once; what is no HDR any more is restored."""
        bench = Bench()
        lane = bench.stream()
        for shape in (PQ, PQ, replace(PQ, width=96), SHAPE, SHAPE):
            bench.put(lane, shape=shape)
            bench.worker.round()

        assert bench.recorder.states == ["bypass_hdr", "bypass_none"]
        first, *_, last = bench.recorder.pictures
        assert first.result is first.given
        assert (first.decision.reason, first.weather) == ("hdr", None)
        assert (last.decision.reason, last.weather) == ("classified", SEEN)
        assert len(bench.engine.applied) == 2

    @pytest.mark.parametrize("more", [{"hdr": "pass"}, {"branch": "none"}])
    def test_hdr_that_is_no_matter(self, more: dict[str, Any]) -> None:
        """If it is to be treated as it is coded, or if nothing is to be restored anyway."""
        bench = Bench()
        bench.put(bench.stream(**more), shape=PQ)
        bench.worker.round()

        assert bench.recorder.states == []
        assert bench.recorder.pictures[0].decision.reason == "classified"

    def test_a_mask(self) -> None:
        """Under it every sample stays, also where streams are restored together."""
        bench = Bench(batch=2)
        for lane in (bench.stream("masked", mask=("4,2,8,6",), latency=9.0), bench.stream(latency=9.0)):
            bench.put(lane)
        bench.worker.round()

        masked, other = (
            done.result.frames[0].planes[0].astype(int) - done.given.frames[0].planes[0]
            for done in bench.recorder.pictures
        )
        expected = np.ones_like(masked)
        expected[2:8, 4:12] = 0
        assert (masked == expected).all()
        assert (other == 1).all()
        assert bench.engine.applied == [(2, SHAPE.width, (RAIN,))]

    def test_a_mask_that_does_not_fit(self) -> None:
        """After a change of size: an event; nothing is restored until it fits again."""
        bench = Bench()
        lane = bench.stream(mask=("40,20,8,4",))
        for shape in (SHAPE, replace(SHAPE, width=32), replace(SHAPE, width=32), SHAPE):
            bench.put(lane, shape=shape)
            bench.worker.round()

        assert bench.recorder.states == ["bypass_mask", "bypass_none"]
        texts = [item.text for _, item in bench.recorder.items if isinstance(item, Notice)]
        assert "mask 40,20,8,4: it covers nothing of a picture of 32x32" in texts[0]
        pictures = bench.recorder.pictures
        assert [done.decision.reason for done in pictures] == ["classified", "mask", "mask", "classified"]
        assert pictures[1].result is pictures[1].given


def test_an_engine_that_breaks_ends_the_work() -> None:
    """Nothing is published that was not done; the reason is kept, and the service hears of it."""

    def broken(_: FrameBatch) -> None:
        raise ZeroDivisionError

    ended: list[bool] = []
    bench = Bench()
    bench.worker = Worker(
        bench.lanes, Engines(ToldEngine(broken)), [bench.recorder], done=lambda: ended.append(True)
    )
    bench.put(bench.stream(), time=1e12)  # of the real clock: never too old
    bench.worker.run()

    assert isinstance(bench.worker.error, StageError)
    assert (ended, bench.recorder.pictures) == ([True], [])


def test_router_is_paid_for() -> None:
    """What it costs to look is measured, too."""
    bench = Bench()
    lane = bench.stream(branch="none")

    class Looks(ToldStream):
        def accept(self, frame: FrameBatch, pts: float) -> Work:
            bench.now += 0.04
            return super().accept(frame, pts)

    lane.owner.classifier = Looks((), 1.0)
    bench.put(lane)
    bench.worker.round()

    assert lane.owner.load.route_seconds == pytest.approx(0.04)


def test_latencies_are_counted_between_bounds() -> None:
    """A bound belongs to what is below it; a copy does not grow."""
    load = Load()
    for seconds in (0.0, LATENCY_BOUNDS[0], LATENCY_BOUNDS[0] + 0.001, 1000.0):
        load.note_latency(seconds)
    before = load.copy()
    load.note_latency(0.0)

    assert before.latency_counts == [2, 1, *[0] * (len(LATENCY_BOUNDS) - 2), 1]
    assert before.latency_seconds == pytest.approx(1000.011)
    assert list(before.latencies)[-1] == 1000.0
