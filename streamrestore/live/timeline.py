"""What was seen, what was done, and how late, second by second, for those who come later."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from streamrestore.live.lanes import Notice
from streamrestore.live.outlets import Finished

SECONDS = 300
"""How far back."""


class Moment(msgspec.Struct, frozen=True):
    """One second of a stream.

    Attributes:
        at: seconds since 1970; whole.
        frames: that came through.
        branch: what was done with most of them: ``none``, ``rain``, ...
        latency: seconds from decoding until the last outlet, of the slowest one.
        weathers: mean probability by name, ``clean`` and ``unknown`` included; empty if nothing was
            classified.
    """

    at: int
    frames: int
    branch: str
    latency: float
    weathers: dict[str, float]


@dataclass(slots=True, eq=False)
class _Growing:
    """The second that is not over."""

    at: int
    branches: Counter[str] = field(default_factory=Counter)
    latency: float = 0.0
    classified: int = 0
    weathers: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Sums of probabilities."""

    def moment(self) -> Moment:
        return Moment(
            self.at,
            self.branches.total(),
            self.branches.most_common(1)[0][0],
            self.latency,
            {name: total / self.classified for name, total in self.weathers.items()},
        )


class Timelines:
    """An outlet that remembers the last `SECONDS`; everything may be called by any thread.

    Args:
        clock: monotonic, as `Picture.arrived`.
        now: seconds since 1970.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        self._clock, self.now = clock, now
        self._lock = threading.Lock()
        self._growing: dict[str, _Growing] = {}
        self._moments: dict[str, deque[Moment]] = {}

    def picture(self, finished: Finished) -> None:
        """See `Outlet`."""
        latency, at = self._clock() - finished.picture.arrived, int(self.now())
        with self._lock:
            growing = self._growing.get(finished.stream)
            if growing is None or growing.at != at:
                if growing is not None:
                    past = self._moments.setdefault(finished.stream, deque(maxlen=SECONDS))
                    past.append(growing.moment())
                growing = self._growing[finished.stream] = _Growing(at)
            growing.branches["none" if finished.decision.bypass else finished.decision.label] += 1
            growing.latency = max(growing.latency, latency)
            if finished.weather is not None:
                growing.classified += 1
                for name, probability in finished.weather.probabilities.items():
                    growing.weathers[name] += probability

    def notice(self, stream: str, notice: Notice, dropped: int) -> None:
        """See `Outlet`."""

    def since(self, stream: str, after: float) -> list[Moment]:
        """Seconds of a stream that are over and began after a time, which are not older than `SECONDS`."""
        now = self.now()
        oldest = max(after, now - SECONDS - 1)
        with self._lock:
            moments = list(self._moments.get(stream, ()))
            growing = self._growing.get(stream)
            if growing is not None and growing.at < int(now):
                moments.append(growing.moment())
        return [moment for moment in moments if moment.at > oldest]
