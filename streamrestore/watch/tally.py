"""What came of each stream, counted. Pure: items and times in, numbers out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from streamrestore.transport import Received

WINDOW_SECONDS = 5.0
"""Over which rates and latencies are taken."""
MOST_STREAMS = 256
"""That are told apart; the publisher chooses their names."""


class Latency(Struct, frozen=True):
    """Milliseconds from the service's decoder to this reader, by the clocks of both machines."""

    p50: float
    p95: float
    p99: float


class StreamView(Struct, frozen=True):
    """A stream at one moment.

    Attributes:
        state: the last one that was told; empty if none was.
        fps: frames per second that came here.
        latency_ms: None if no frame came lately.
        frames: that came here.
        drops: frames that its service did not publish, since it started.
        lost: messages that were published, and did not come.
        missing: frames that the source lost, as far as that is known.
        weathers: probability of each, of the last frame; empty if it was not classified.
        branches: what was removed from the last frame.
        reason: why that was decided.
    """

    stream: str
    state: str
    width: int
    height: int
    fps: float
    latency_ms: Latency | None
    frames: int
    drops: int
    lost: int
    missing: int
    weathers: dict[str, float]
    branches: tuple[str, ...]
    reason: str


class StreamTally:
    """Counts what comes of one stream."""

    def __init__(self, stream: str, now: float) -> None:
        self._stream, self._begun = stream, now
        self._recent: deque[tuple[float, float]] = deque()
        """When a frame came, and how old it was, in seconds."""
        self._last: Received | None = None
        self._state = ""
        self._frames = self._drops = self._lost = self._missing = 0

    def take(self, item: Received, now: float) -> None:
        """Take note of what came at `now`, in seconds of any clock."""
        if not item.made_here:
            self._drops = item.drops  # smaller again after a restart of the service
        if item.kind == "frame":
            self._frames += 1
            self._last = item
            self._recent.append((now, _age(item)))
            self._forget(now)
        elif item.kind == "gap" and item.made_here:
            self._lost += item.missing
        elif item.kind == "gap":
            self._missing += item.missing
        else:
            self._state = item.state or item.kind

    def view(self, now: float) -> StreamView:
        """How it is at `now`."""
        self._forget(now)
        header = None if self._last is None else self._last.header
        seen = None if header is None else header.weather
        decided = None if header is None else header.decision
        return StreamView(
            stream=self._stream,
            state=self._state,
            width=0 if header is None else header.width,
            height=0 if header is None else header.height,
            fps=round(len(self._recent) / max(min(now - self._begun, WINDOW_SECONDS), 1.0), 2),
            latency_ms=_latency(sorted(age for _, age in self._recent)),
            frames=self._frames,
            drops=self._drops,
            lost=self._lost,
            missing=self._missing,
            weathers={} if seen is None else dict(seen.weathers),
            branches=() if decided is None else decided.branches,
            reason="" if decided is None else decided.reason,
        )

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] <= now - WINDOW_SECONDS:
            self._recent.popleft()


class Tally:
    """Counts what comes of all streams.

    Attributes:
        connection: what was last told about it.
    """

    def __init__(self) -> None:
        self._streams: dict[str, StreamTally] = {}
        self.connection = "not connected yet"

    def take(self, item: Received, now: float) -> None:
        """Take note of what came at `now`."""
        if not item.stream:
            self.connection = item.text
            return
        if item.stream not in self._streams:
            if len(self._streams) >= MOST_STREAMS:
                return
            self._streams[item.stream] = StreamTally(item.stream, now)
        self._streams[item.stream].take(item, now)

    def view(self, now: float) -> list[StreamView]:
        """Every stream at `now`, in the order in which they were first seen."""
        return [tally.view(now) for tally in self._streams.values()]


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The least of the values that at least so many percent do not exceed.

    Args:
        ordered: at least one.
    """
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _age(frame: Received) -> float:
    """Seconds; not from capture, as cameras' clocks are seldom right."""
    assert frame.header.received_at is not None
    return (frame.taken_at - frame.header.received_at) / 1e9


def _latency(ordered: list[float]) -> Latency | None:
    if not ordered:
        return None
    return Latency(*(round(percentile(ordered, p) * 1000, 1) for p in (50, 95, 99)))
