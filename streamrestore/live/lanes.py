"""What has come in and was not worked on yet: a lane for each stream, in which the newest pictures win."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

from streamrestore.frames import FrameBatch
from streamrestore.live.messages import Picture, Shape
from streamrestore.live.process import Reading

DEPTH = 4
"""Pictures that wait in a lane: cameras send some at once after a moment of silence."""
SLOTS = DEPTH + 4
"""Of a source: those that wait, one that is read, one that is written, and some that are on their way."""
OTHERS = 64
"""Notices that wait in a lane."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A picture that lies in a capture process's memory; to be loaded or dropped, once."""

    epoch: int
    shape: Shape
    picture: Picture
    reading: Reading

    def load(self) -> FrameBatch:
        """A copy of it."""
        return self.reading.read(self.picture, self.shape)

    def drop(self) -> None:
        """Let it go."""
        self.reading.drop(self.picture)


@dataclass(frozen=True, slots=True)
class Notice:
    """What subscribers are told beside pictures, in its place among them; see `wire.Header`."""

    epoch: int
    kind: Literal["gap", "status", "end"]
    state: str = ""
    text: str = ""
    missing: int = 0


Item: TypeAlias = Arrived | Notice


@dataclass(slots=True)
class Counts:
    """Decoded pictures of a stream since it was opened.

    Attributes:
        arrived: came in, whatever became of them.
        skipped: were never told of, as there was no slot for them.
        crowded: left the lane for newer ones.
        late: would have been too old.
        decode_seconds: of the processor, that their process spent on them.
    """

    arrived: int = 0
    skipped: int = 0
    crowded: int = 0
    late: int = 0
    decode_seconds: float = 0.0

    @property
    def dropped(self) -> int:
        """All that did not come through."""
        return self.skipped + self.crowded + self.late


T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Lane(Generic[T]):
    """One stream's; only `Lanes` changes it.

    Attributes:
        owner: whatever works on the stream.
    """

    name: str
    owner: T
    counts: Counts = field(default_factory=Counts)
    items: deque[Item] = field(default_factory=deque)
    closed: bool = False

    @property
    def oldest(self) -> float | None:
        """When the first picture that waits arrived; None if none does."""
        return next((item.picture.arrived for item in self.items if isinstance(item, Arrived)), None)


@dataclass(frozen=True, slots=True)
class Ready(Generic[T]):
    """A lane in which something waits.

    Attributes:
        oldest: when its first picture arrived, in monotonic seconds; None if only notices wait.
    """

    lane: Lane[T]
    oldest: float | None


@dataclass(frozen=True, slots=True)
class Turn(Generic[T]):
    """What is to be done for one stream now: tell what came before the picture, then restore it."""

    lane: Lane[T]
    notices: tuple[Notice, ...]
    picture: Arrived | None


class Lanes(Generic[T]):
    """All lanes, between the thread that hears of pictures and the one that works on them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lanes: list[Lane[T]] = []
        self._ended = False

    def open(self, name: str, owner: T) -> Lane[T]:
        """A new lane."""
        with self._changed:
            lane = Lane(name, owner)
            self._lanes.append(lane)
            return lane

    def put(self, lane: Lane[T], item: Item) -> None:
        """Append an item; the oldest of its kind leaves if there are too many."""
        with self._changed:
            lane.items.append(item)
            if isinstance(item, Arrived):
                lane.counts.arrived += 1 + item.picture.skipped
                lane.counts.skipped += item.picture.skipped
                lane.counts.decode_seconds += item.picture.decode_seconds
                if sum(isinstance(each, Arrived) for each in lane.items) > DEPTH:
                    self._leave(lane, Arrived)
                    lane.counts.crowded += 1
            elif sum(isinstance(each, Notice) for each in lane.items) > OTHERS:
                self._leave(lane, Notice)
            self._changed.notify_all()

    def close(self, lane: Lane[T]) -> None:
        """No more items; the lane goes once it is empty."""
        with self._changed:
            lane.closed = True
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more will come into any lane."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait(self) -> bool:
        """Wait until something is there; False if nothing is, and nothing will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or any(lane.items for lane in self._lanes))
            return any(lane.items for lane in self._lanes)

    def ready(self) -> list[Ready[T]]:
        """Lanes in which something waits."""
        with self._changed:
            self._tidy()
            return [Ready(lane, lane.oldest) for lane in self._lanes if lane.items]

    def all(self) -> list[Lane[T]]:
        """Every lane that something may still come out of."""
        with self._changed:
            self._tidy()
            return list(self._lanes)

    def take(self, lane: Lane[T], now: float, *, limit: float, cost: float) -> Turn[T]:
        """The next picture that is worth the work, and the notices before it.

        A picture older than `limit` is dropped. One that will be, once it is done, is dropped if there is a
        newer one; the newest is worth a try.

        Args:
            limit: greatest age in seconds.
            cost: seconds that the work will probably take.
        """
        notices: list[Notice] = []
        with self._changed:
            while lane.items:
                item = lane.items.popleft()
                if isinstance(item, Notice):
                    notices.append(item)
                    continue
                age = now - item.picture.arrived
                if age > limit or (age + cost > limit and lane.oldest is not None):
                    item.drop()
                    lane.counts.late += 1
                    continue
                return Turn(lane, tuple(notices), item)
        return Turn(lane, tuple(notices), None)

    def lose(self, lane: Lane[T]) -> None:
        """Count a picture that was taken and could not be loaded."""
        with self._changed:
            lane.counts.skipped += 1

    def clear(self) -> None:
        """Let go of every picture that waits; notices stay."""
        with self._changed:
            for lane in self._lanes:
                for item in [item for item in lane.items if isinstance(item, Arrived)]:
                    lane.items.remove(item)
                    item.drop()
                    lane.counts.late += 1

    def _leave(self, lane: Lane[T], kind: type[Item]) -> None:
        index = next(i for i, item in enumerate(lane.items) if isinstance(item, kind))
        item = lane.items[index]
        del lane.items[index]
        if isinstance(item, Arrived):
            item.drop()

    def _tidy(self) -> None:
        self._lanes = [lane for lane in self._lanes if lane.items or not lane.closed]
