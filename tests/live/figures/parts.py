"""What the figures are made of: results, an audience, an engine that takes its time, and this process."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, TypeAlias

import zmq

from streamrestore.frames import Frame, FrameBatch
from streamrestore.live.engines import Classifier, Engine
from streamrestore.live.service import StreamStatus
from streamrestore.transport import Received, subscribe
from streamrestore.watch.tally import percentile
from streamrestore.weather import Decision
from tests.live.figures.clock import age_ms
from tests.live.running import Running

LIMIT = 120.0
"""Seconds after which a measurement is given up."""
LAST_SECONDS = 10.0
"""For what is on its way when a service has ended."""


Make: TypeAlias = Callable[[], Engine]
"""Makes an engine that restores everything it is given."""


@dataclass(frozen=True)
class Promise:
    """What was promised, what was measured, and whether that is enough.

    Attributes:
        timing: a loaded machine may break it.
    """

    text: str
    measured: str
    kept: bool
    timing: bool = False


@dataclass
class Figures:
    """Of one experiment."""

    name: str
    promises: list[Promise] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """What was measured beside, and how much it was."""


@dataclass(frozen=True)
class Seen:
    """One frame as a subscriber had it; `age_ms` is by the clock in the picture, if that can be read."""

    stream: str
    epoch: int
    at: float
    age_ms: int | None


class Audience(threading.Thread):
    """Reads everything as it comes.

    Args:
        keys: a client's folder.
        keep: frames that are remembered.

    Attributes:
        frames: in the order in which they came.
        messages: of all kinds.
        lost: messages that were published and did not come, those before the first one included.
    """

    def __init__(self, address: str, keys: Path | None = None, keep: int | None = None) -> None:
        super().__init__(name="audience", daemon=True)
        self._received = subscribe(address, keys=keys)
        self._changed = threading.Condition()
        self.frames: deque[Seen] = deque(maxlen=keep)
        self.messages = self.lost = 0
        self._streams: set[str] = set()
        self.start()

    def run(self) -> None:
        """Until it is closed."""
        for item in self._received:
            with self._changed:
                self._take(item)
                self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until it holds; it is asked whenever something has come."""
        with self._changed:
            assert self._changed.wait_for(condition, LIMIT), f"{len(self.frames)} frames, {self.lost} lost"

    def settle(self, published: int) -> None:
        """Wait until so many messages have come or are known to be lost, or nothing more can be expected."""
        with self._changed:
            self._changed.wait_for(lambda: self.messages + self.lost >= published, LAST_SECONDS)

    def counts(self, since: float = 0.0) -> Counter[str]:
        """Frames of each stream from a moment on."""
        with self._changed:
            return Counter(seen.stream for seen in self.frames if seen.at >= since)

    def close(self) -> None:
        """Stop reading."""
        self._received.close()
        self.join(LIMIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, item: Received) -> None:
        if item.made_here:
            self.lost += item.missing
            return
        self.messages += 1
        if item.stream not in self._streams:
            # Published first is that it is connecting, in an epoch of its own: whoever comes later misses it.
            self.lost += item.sequence + (item.state != "connecting")
        self._streams.add(item.stream)
        if item.kind == "frame" and item.image is not None:
            age = age_ms(item.image, item.taken_at // 10**6)
            self.frames.append(Seen(item.stream, item.epoch, time.monotonic(), age))


class Deaf:
    """A subscriber that never reads."""

    def __init__(self, address: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = self._context.socket(zmq.SUB)
        socket.rcvhwm = 4
        socket.subscribe(b"")
        socket.connect(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


@dataclass
class Slowed:
    """An engine that takes at least so many seconds for each picture."""

    engine: Engine
    seconds: float

    def stream(self, branch: str, strength: float) -> Classifier:
        """See `Engine`."""
        return self.engine.stream(branch, strength)

    def apply_each(
        self, frames: FrameBatch, decision: Decision, pasts: Sequence[Sequence[Frame]]
    ) -> FrameBatch:
        """See `Engine`."""
        due = time.monotonic() + self.seconds * len(frames)
        result = self.engine.apply_each(frames, decision, pasts)
        time.sleep(max(0.0, due - time.monotonic()))
        return result


@dataclass(frozen=True)
class Holding:
    """What a process holds."""

    descriptors: int
    threads: int
    megabytes: float

    @classmethod
    def now(cls, process: int | Literal["self"] = "self") -> Self:
        """At this moment."""
        told = Path("/proc", str(process))
        return cls(
            len(list((told / "fd").iterdir())),
            len(list((told / "task").iterdir())),
            int((told / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6,
        )

    def __str__(self) -> str:
        return f"{self.descriptors} descriptors, {self.threads} threads, {self.megabytes:.0f} MB"


def address_of(live: Running) -> str:
    """Where a service publishes."""
    assert live.service.address is not None
    return live.service.address


def balanced(stream: StreamStatus) -> bool:
    """Whether every picture of a stream is accounted for."""
    return stream.counts.arrived == sum(stream.load.finished.values()) + stream.counts.dropped


def accounts(stream: StreamStatus, audience: Audience) -> list[Promise]:
    """After the end of a service: nothing got lost uncounted."""
    counts, done, sent = stream.counts, sum(stream.load.finished.values()), stream.published
    assert sent is not None
    here, lost = audience.messages, audience.lost
    return [
        Promise("pictures in = published + dropped",
                f"{counts.arrived} = {done - sent.dropped} + {counts.dropped + sent.dropped}",
                balanced(stream) and len(audience.frames) <= done),
        Promise("messages published = received + lost on the way", f"{sent.published} = {here} + {lost}",
                sent.published == here + lost),
    ]  # fmt: skip


def spread(values: list[float], unit: str = "ms") -> str:
    """Percentiles in words."""
    if not values:
        return "nothing"
    ordered = sorted(values)
    shown = " / ".join(f"{percentile(ordered, percent):.0f}" for percent in (50, 95, 99))
    return f"{shown} {unit} (p50 / p95 / p99)"
