"""The live service: sources, the worker, and what becomes of both over time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import Any

import msgspec

from streamrestore.errors import SessionError
from streamrestore.live.config import LiveSettings
from streamrestore.live.engines import Engines
from streamrestore.live.lanes import Counts, Item, Lane, Lanes, Notice
from streamrestore.live.messages import Request
from streamrestore.live.outlets import Outlet, PublisherOutlet
from streamrestore.live.overload import Level
from streamrestore.live.plan import StreamPlan, plan_streams
from streamrestore.live.process import CaptureProcess, Reading
from streamrestore.live.publishing import PUBLISH_SECONDS
from streamrestore.live.source import Epochs, Source, SourceStatus
from streamrestore.live.worker import LiveStream, Load, Worker
from streamrestore.publish import FramePublisher, StreamCounts
from streamrestore.transport.bell import Bell

DRAIN_SECONDS = 1.0
"""Once the service is asked to stop, what came in may take so long; then what still waits is let go."""
LAST_SECONDS = 1.0
"""How long the picture at work may take after that. Together with `PUBLISH_SECONDS`, this is well below the
5 s in which a service should be gone."""

Tell = Callable[[str, Notice], None]
"""Hears what subscribers are told beside pictures: the stream's name, and what."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """All that can be told about a stream at one moment.

    Attributes:
        shown: its source, fit to be shown.
        waiting: pictures and notices that the worker has not taken yet.
    """

    name: str
    shown: str
    source: SourceStatus
    level: Level
    counts: Counts
    load: Load
    waiting: int
    published: StreamCounts | None

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Spent on the stream by each stage: those of the worker by the clock, decoding on the processor."""
        load = self.load
        return {
            "decode": self.counts.decode_seconds,
            "route": load.route_seconds,
            "restore": load.restore_seconds,
            "output": load.output_seconds,
        }


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """All that can be told about the service at one moment; `now` is of the clock that times are of.

    Attributes:
        standing: seconds that the work on the present pictures has taken so far.
    """

    now: float
    started: float
    streams: tuple[StreamStatus, ...]
    standing: float = 0.0


@dataclass(slots=True, eq=False)
class _Member:
    """A stream of the service."""

    plan: StreamPlan
    source: Source
    lane: Lane[LiveStream]


class LiveService:
    """Restores sources for as long as it runs.

    `run` does everything in the calling thread but the work on pictures; other threads may `stop` it, have it
    `reload`, and ask for its `status`.

    Args:
        settings: checked by `plan_streams`.
        engines: loaded networks; the service is alone in using them.
        publisher: of `open_publisher`, if anything is to be published; `run` closes it.
        outlets: besides the publisher.
        tell: called by the service's threads.
        start: makes what reads a source.

    Raises:
        UsageError: the sources cannot be used.
    """

    def __init__(
        self,
        settings: LiveSettings,
        engines: Engines,
        publisher: FramePublisher | None,
        *,
        outlets: Sequence[Outlet] = (),
        tell: Tell = lambda _stream, _notice: None,
        start: Callable[[Request], Reading] = CaptureProcess,
    ) -> None:
        plans = plan_streams(settings)
        self._settings, self._engines, self._tell, self._start = settings, engines, tell, start
        self._epochs = Epochs()
        self._members: dict[str, _Member] = {}
        self._leaving: list[Source] = []
        self._lanes: Lanes[LiveStream] = Lanes()
        self._bell = Bell()
        self._stopping = threading.Event()
        self._reloads: list[LiveSettings] = []
        self._started = time.monotonic()
        self.publisher = publisher
        pixel_format = settings.publish.pixel_format
        published = [] if self.publisher is None else [PublisherOutlet(self.publisher, pixel_format)]
        self._worker = Worker(
            self._lanes,
            engines,
            (*published, *outlets),
            batch=settings.engine.batch,
            tell=tell,
            done=self._bell.ring,
        )
        for plan in plans:
            self._add(plan)

    @property
    def address(self) -> str | None:
        """Where it publishes, with the port that was chosen."""
        return None if self.publisher is None else self.publisher.address

    @property
    def status(self) -> ServiceStatus:
        """How it is doing; a copy that does not change."""
        published = {} if self.publisher is None else self.publisher.counts()
        now = time.monotonic()
        streams = []
        for member in list(self._members.values()):
            stream = member.lane.owner
            streams.append(StreamStatus(
                member.plan.name, member.plan.request.shown, member.source.status, stream.level,
                replace(member.lane.counts), stream.load.copy(), len(member.lane.items),
                published.get(member.plan.name),
            ))  # fmt: skip
        busy_since = self._worker.busy_since
        standing = 0.0 if busy_since is None else max(0.0, now - busy_since)
        return ServiceStatus(now, self._started, tuple(streams), standing)

    def stop(self) -> None:
        """Ask it to finish what came in, and end; from any thread."""
        self._stopping.set()
        self._bell.ring()

    def reload(self, settings: LiveSettings) -> list[str]:
        """Go on with other settings; from any thread. Streams whose settings are the same are not touched.

        Returns:
            What cannot change while the service runs, in words.

        Raises:
            UsageError: the settings cannot be used; nothing has changed.
        """
        for plan in plan_streams(settings):
            self._engines.full.stream(plan.branch, plan.strength)  # refuses what it does not know
        fixed = [
            name for name in ("engine", "publish", "http", "log")
            if getattr(settings, name) != getattr(self._settings, name)
        ]  # fmt: skip
        self._reloads.append(settings)
        self._bell.ring()
        return fixed

    def run(self) -> None:
        """Run until it is asked to stop, or no source is left from which anything may come.

        Raises:
            SessionError: nothing is left, and some sources failed.
            StreamRestoreError: the work on pictures broke down.
        """
        self._worker.start()
        try:
            for member in self._members.values():
                member.source.begin(time.monotonic())
            while not self._over:
                self._wait()
        finally:
            self._drain()
        if self._worker.error is not None:
            raise self._worker.error
        failed = [member for member in self._members.values() if member.source.status.state == "failed"]
        if failed and not self._stopping.is_set():
            raise SessionError("; ".join(f"{m.plan.name}: {m.source.status.text}" for m in failed))

    @property
    def _over(self) -> bool:
        all_final = all(member.source.final for member in self._members.values())
        return self._stopping.is_set() or not self._worker.is_alive() or all_final

    def _wait(self) -> None:
        """Until something happens, and take care of it."""
        sources = [*(member.source for member in self._members.values()), *self._leaving]
        by_reading: dict[object, Source] = {s.reading: s for s in sources if s.reading is not None}
        deadline = min((source.deadline for source in sources), default=float("inf"))
        left = max(0.0, deadline - time.monotonic())
        waited: list[Any] = [self._bell, *by_reading]
        happened: list[Any] = wait(waited, None if left == float("inf") else left)
        for each in happened:
            if each is self._bell:
                self._bell.quiet()
                self._reload()
            elif by_reading[each].reading is each:
                by_reading[each].hear(time.monotonic())
        for source in sources:
            if time.monotonic() >= source.deadline:
                source.tick(time.monotonic())
        self._leaving = [source for source in self._leaving if not source.gone]

    def _add(self, plan: StreamPlan) -> _Member:
        classifier = self._engines.full.stream(plan.branch, plan.strength)
        stream = LiveStream(plan, classifier, self._settings.engine.tier, time.monotonic())
        lane = self._lanes.open(plan.name, stream)
        member = _Member(plan, self._source(plan, lane), lane)
        self._members[plan.name] = member
        return member

    def _source(self, plan: StreamPlan, lane: Lane[LiveStream]) -> Source:
        def put(item: Item) -> None:
            self._lanes.put(lane, item)
            if isinstance(item, Notice):
                self._tell(plan.name, item)

        return Source(plan.request, self._settings.session, put, self._epochs, start=self._start)

    def _reload(self) -> None:
        """Take up new settings, if there are any: end what is gone or different, begin what is new."""
        while self._reloads:
            settings = self._reloads.pop(0)
            plans = {plan.name: plan for plan in plan_streams(settings)}
            same_session = settings.session == self._settings.session
            kept = self._settings
            self._settings = msgspec.structs.replace(
                settings, engine=kept.engine, publish=kept.publish, http=kept.http, log=kept.log
            )
            for name, member in list(self._members.items()):
                if not same_session or plans.get(name) != member.plan or member.source.final:
                    self._remove(member, "the configuration changed")
            for name, plan in plans.items():
                if name not in self._members:
                    self._add(plan).source.begin(time.monotonic())

    def _remove(self, member: _Member, text: str) -> None:
        member.source.stop(text, time.monotonic())
        self._leaving.append(member.source)
        self._lanes.close(member.lane)
        del self._members[member.plan.name]

    def _drain(self) -> None:
        """Finish what came in, tell the end, deliver, and leave nothing behind; each within its time."""
        now = time.monotonic()
        for member in self._members.values():
            member.source.stop("the service stops", now)
            self._leaving.append(member.source)
        self._lanes.end()
        self._worker.join(DRAIN_SECONDS)
        self._lanes.clear()
        self._worker.join(LAST_SECONDS)
        if self.publisher is not None:
            self.publisher.close(PUBLISH_SECONDS)
        self._await_processes()
        self._bell.close()

    def _await_processes(self) -> None:
        while self._leaving:
            deadline = min(source.deadline for source in self._leaving)
            time.sleep(max(0.0, min(0.02, deadline - time.monotonic())))
            for source in self._leaving:
                source.tick(time.monotonic())
            self._leaving = [source for source in self._leaving if not source.gone]
