"""Where a file is cut into clips, and the causal window of a stream. Data and numpy only.

A clip is about `WindowSettings.clip_seconds` of one scene; it ends where the scene does, where time
has a gap, or where the picture's kind changes. Streams have no clips: their window of the last
second or two moves along.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from streamrestore.errors import UsageError
from streamrestore.frames import Frame, FrameBatch, PixelFormat
from streamrestore.settings import WindowSettings

Signature: TypeAlias = npt.NDArray[np.float32]
"""A small luma picture, at most (18, 32), 0 to 1."""

Ending = Literal["cut", "gap", "change", "length", "end"]

BLOCKS = (18, 32)
"""Rows and columns of a signature."""

CONFIRM = 3
"""Pictures after a cut that must all differ from the scene before; shorter ones are flashes."""

_SAMPLES = 8  # per block and direction: the mean of 64 leaves an eighth of the noise
_LEVELS = 12  # changes from which the usual one is taken
_STAND_OUT = 3.0  # times the usual change
_ALIKE = 0.92  # correlation of two pictures of one scene, whatever the light does
_UNLIKE = 0.7  # correlation below which a sixth of the threshold suffices: haze and night are pale
_PALE = 6
_HORIZON = 4  # clips that may be open before the first is given out

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clip:
    """A window of one scene: pictures `start` to `stop`, without `stop`.

    Attributes:
        start_seconds: time of the first picture.
        stop_seconds: when the last picture ends.
        reason: why it ends: a scene cut, a gap in time, a change of size, format or orientation, the
            aimed length, or the end of the input.
    """

    start: int
    stop: int
    start_seconds: float
    stop_seconds: float
    reason: Ending

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.stop_seconds - self.start_seconds


def signature(frame: Frame, format: PixelFormat) -> Signature:
    """Block means of a frame's luma (of RGB: of green), from 64 samples a block.

    Returns:
        (18, 32), or less where the picture itself is smaller; 0 to 1 whatever the depth.
    """
    plane: Any = frame.planes[1 if format.model == "rgb" else 0]
    height, width = plane.shape
    rows, columns = min(BLOCKS[0], height), min(BLOCKS[1], width)
    step_y, step_x = max(1, height // (rows * _SAMPLES)), max(1, width // (columns * _SAMPLES))
    thinned = plane[step_y // 2 :: step_y, step_x // 2 :: step_x]
    if hasattr(thinned, "cpu"):  # a tensor, perhaps on a GPU
        thinned = thinned.cpu().numpy()
    deep, wide = thinned.shape[0] // rows, thinned.shape[1] // columns
    bands = thinned[: rows * deep, : columns * wide].reshape(rows, deep, -1).sum(axis=1, dtype=np.uint32)
    sums = bands.reshape(rows, columns, wide).sum(axis=2)
    small: Signature = (sums * np.float32(1 / (deep * wide * format.peak))).astype(np.float32)
    return small


def change(a: Signature, b: Signature) -> float:
    """Mean absolute difference, 0 to 1; of different shapes 1."""
    return float(np.abs(a - b).mean()) if a.shape == b.shape else 1.0


def likeness(a: Signature, b: Signature) -> float:
    """Correlation, -1 to 1: 1 if they differ by brightness and contrast alone; flat pictures give 0."""
    if a.shape != b.shape:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / scale if scale > 1e-6 else 0.0


class CutDetector:
    """Finds scene cuts in a stream of signatures, `CONFIRM` pictures late.

    A cut changes the picture by more than `threshold` (in pale scenes a sixth of it suffices, if
    the pictures are not alike at all), stands out from the changes before and after, and lasts: a
    flash, after which the old scene comes back, is none. Changes of light alone are none, either.

    Args:
        threshold: mean change of the signature, 0 to 1.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._levels: deque[float] = deque(maxlen=_LEVELS)
        self._before: Signature | None = None
        self._since: list[Signature] = []

    def add(self, picture: Signature) -> bool:
        """Take the next picture; True if a scene began `CONFIRM` pictures before it."""
        if self._before is None:
            self._before = picture
            return False
        if not self._differs(self._before, picture):  # the scene goes on, perhaps after a flash
            if not self._since:
                self._levels.append(change(self._before, picture))
            self._since.clear()
            self._before = picture
            return False
        self._since.append(picture)
        if len(self._since) <= CONFIRM:
            return False
        return self._judge()

    def reset(self) -> None:
        """Begin anew: what comes next belongs to another scene anyway."""
        self._levels.clear()
        self._since.clear()
        self._before = None

    def _differs(self, a: Signature, b: Signature) -> bool:
        amount = change(a, b)
        usual = statistics.median(self._levels) if self._levels else 0.0
        if amount <= max(self._threshold / _PALE, _STAND_OUT * usual):
            return False
        return likeness(a, b) < (_ALIKE if amount > self._threshold else _UNLIKE)

    def _judge(self) -> bool:
        assert self._before is not None
        first = self._since[0]
        after = [change(a, b) for a, b in pairwise(self._since)]
        if change(self._before, first) > 2 * max(after):
            self._levels.clear()
            self._levels.extend(after)
            self._before = self._since[-1]
            self._since.clear()
            return True
        self._levels.append(change(self._before, first))  # motion: take the pictures one by one
        self._before = first
        self._since.pop(0)
        return False


class GapFinder:
    """Finds gaps in time: more than `frames` usual durations without a picture.

    Usual is the median of the last few; after a gap it is learnt anew, as the rate may have changed.
    """

    def __init__(self, frames: float) -> None:
        self._frames = frames
        self._deltas: deque[float] = deque(maxlen=9)

    def add(self, delta: float, duration: float = 0.0) -> bool:
        """Take the time from one picture to the next, in seconds; True if a gap lies between them.

        Args:
            duration: of the former picture; 0 if unknown. It counts until enough was seen.
        """
        usual = self.usual if len(self._deltas) > 1 else duration or abs(delta)
        if delta < 0 or delta > self._frames * usual * (1 + 1e-9):
            self._deltas.clear()
            return True
        self._deltas.append(delta)
        return False

    @property
    def usual(self) -> float:
        """Seconds from picture to picture; 0 if nothing was seen yet."""
        return statistics.median(self._deltas) if self._deltas else 0.0


@dataclass(frozen=True, slots=True)
class _Moment:
    index: int
    seconds: float
    duration: float


class ClipCutter:
    """Cuts a file into clips while it is read, at most some clips late.

    A scene is divided evenly: 5 s become two or three clips of one length, never two and a rest. Of
    a scene longer than four clips, the first are given out with exactly the aimed length.

    The result depends on the pictures and the settings alone, not on how they come in batches.
    """

    def __init__(self, settings: WindowSettings | None = None) -> None:
        self._settings = settings or WindowSettings()
        self._cuts = CutDetector(self._settings.cut_threshold)
        self._open: list[_Moment] = []
        self._gaps = GapFinder(self._settings.gap_frames)
        self._kind: Hashable = None

    def feed(self, batch: FrameBatch) -> list[Clip]:
        """Take a batch of frames; the clips that are complete now."""
        kind = (batch.width, batch.height, batch.format, batch.color, batch.rotation)
        clips: list[Clip] = []
        for frame in batch.frames:
            small = signature(frame, batch.format)
            lasts = float(frame.duration * batch.time_base)
            clips += self.add(frame.index, batch.seconds(frame), small, lasts, kind)
        return clips

    def add(
        self, index: int, seconds: float, picture: Signature, duration: float = 0.0, kind: Hashable = None
    ) -> list[Clip]:
        """Take one picture; the clips that are complete now.

        Args:
            seconds: its time, greater than the last one's.
            duration: in seconds; 0 if unknown.
            kind: what all pictures of a clip share, such as their size.
        """
        clips: list[Clip] = []
        if self._open:
            last, usual = self._open[-1], self._gaps.usual
            if seconds <= last.seconds or index <= last.index:
                raise UsageError(f"pictures must come in order: {index} at {seconds} s after {last.index}")
            if kind != self._kind:
                clips = self._end("change", seconds)
            elif self._gaps.add(seconds - last.seconds, last.duration):
                clips = self._end("gap", last.seconds + (usual or last.duration))
        self._kind = kind
        self._open.append(_Moment(index, seconds, duration))
        if self._cuts.add(picture):
            clips += self._cut()
        return clips + self._early()

    def finish(self) -> list[Clip]:
        """The clips that are left at the end of the input."""
        return self._end("end", None)

    def _cut(self) -> list[Clip]:
        """The scene before the cut is complete; the last pictures belong to the next one."""
        begun = self._open[-1 - CONFIRM :]
        self._open = self._open[: -1 - CONFIRM]
        clips = self._divide("cut", begun[0].seconds)
        self._open = begun
        return clips

    def _end(self, reason: Ending, until: float | None) -> list[Clip]:
        self._cuts.reset()
        return self._divide(reason, until)

    def _early(self) -> list[Clip]:
        """Of a long scene, a first clip of the aimed length."""
        aim = self._settings.clip_seconds
        if self._open[-1].seconds - self._open[0].seconds < _HORIZON * aim:
            return []
        begin = self._open[0].seconds
        count = max(1, sum(moment.seconds < begin + aim - 1e-9 for moment in self._open))
        if count >= len(self._open) - CONFIRM:
            return []
        clip = _clip(self._open[:count], "length", self._open[count].seconds)
        del self._open[:count]
        return [clip]

    def _divide(self, reason: Ending, until: float | None) -> list[Clip]:
        """All open pictures in clips of one length; `until` is when the last of them ends."""
        moments, self._open = self._open, []
        if not moments:
            return []
        begin = moments[0].seconds
        last = moments[-1]
        end = until if until is not None else last.seconds + (last.duration or self._gaps.usual)
        count = max(1, min(len(moments), round((end - begin) / self._settings.clip_seconds)))
        groups: list[list[_Moment]] = [[] for _ in range(count)]
        for moment in moments:
            part = int((moment.seconds - begin) / max(end - begin, 1e-9) * count + 1e-6)
            groups[min(part, count - 1)].append(moment)
        groups = [group for group in groups if group]
        clips = [_clip(group, "length", after[0].seconds) for group, after in pairwise(groups)]
        return [*clips, _clip(groups[-1], reason, end)]


def _clip(moments: list[_Moment], reason: Ending, until: float) -> Clip:
    first, last = moments[0], moments[-1]
    return Clip(first.index, last.index + 1, first.seconds, until, reason)


def clips_of(batches: Iterable[FrameBatch], settings: WindowSettings | None = None) -> Iterator[Clip]:
    """The clips of a whole input; together they hold every frame once, in order."""
    cutter = ClipCutter(settings)
    for batch in batches:
        yield from cutter.feed(batch)
    yield from cutter.finish()


class CausalWindow(Generic[T]):
    """What was seen in the last second or two of one scene of a stream.

    Nothing waits: a cut empties the window of the old scene `CONFIRM` pictures late, a gap at once.

    Args:
        seconds: how far it reaches back.
        every: pictures between two evaluations; the first picture of all is evaluated at once.
        settings: for cuts and gaps.
    """

    def __init__(self, seconds: float = 2.0, every: int = 5, settings: WindowSettings | None = None) -> None:
        if seconds <= 0 or every < 1:
            raise UsageError(f"seconds must be above 0 and every at least 1, not {seconds=}, {every=}")
        self._reach, self._every = seconds, every
        self._settings = settings or WindowSettings()
        self._cuts = CutDetector(self._settings.cut_threshold)
        self._items: deque[tuple[float, T]] = deque()
        self._gaps = GapFinder(self._settings.gap_frames)
        self._count = 0

    def add(self, seconds: float, picture: Signature, item: T) -> list[T] | None:
        """Take one picture's item; all items of the window if it is time to evaluate them, else None."""
        due = self._count % self._every == 0
        self._count += 1
        if self._items and self._gaps.add(seconds - self._items[-1][0]):
            self._items.clear()
            self._cuts.reset()
            due = True
        self._items.append((seconds, item))
        if self._cuts.add(picture):
            self._items = deque(list(self._items)[-1 - CONFIRM :])
            due = True
        while self._items[0][0] <= seconds - self._reach:
            self._items.popleft()
        return [item for _, item in self._items] if due else None
