"""The first pass over a file: its clips, and what each looks like."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from streamrestore.decode import input_files, is_set_back, open_source
from streamrestore.encode import Span
from streamrestore.engine import GivenPlanes, Restorer
from streamrestore.errors import Interrupted
from streamrestore.frames import FrameBatch
from streamrestore.pipeline.excerpt import check_excerpt, find_excerpt
from streamrestore.pipeline.progress import OnProgress, Stop, progress
from streamrestore.pipeline.scan import Scan
from streamrestore.route.router import spread
from streamrestore.route.views import Views
from streamrestore.seams import SourceInfo
from streamrestore.settings import JobSettings
from streamrestore.weather import WeatherEstimate
from streamrestore.windows import Clip, ClipCutter

LOOK_EVERY = 6
"""Every sixth picture may be looked at; of those, a few per clip are."""


SET_BACK = "the clock is set back in the middle of the file, which is read from its beginning"


class FrameTiming(msgspec.Struct, frozen=True):
    """When pictures are shown."""

    rate: str
    """Average, as a fraction of pictures per second; empty if unknown."""
    variable: bool
    min_ms: float
    max_ms: float
    mean_ms: float
    start_seconds: float


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first pass found.

    Attributes:
        spec: what was looked at.
        windows: in which the first picture is number 0.
        estimates: one per clip; none if nothing was classified.
        times: of every picture, in seconds, rising.
        origin: time of the first picture of the file, in seconds.
        span: the part of the file that was looked at; None for the whole.
        losses: what does not decode, by kind.
        scan: how the pictures are marked, interlaced or not.
        seconds: that it took.
    """

    spec: str
    info: SourceInfo
    windows: tuple[Clip, ...]
    estimates: tuple[WeatherEstimate, ...]
    times: Sequence[float]
    origin: float
    span: Span | None
    losses: dict[str, int]
    notes: tuple[str, ...]
    timing: FrameTiming
    scan: Scan
    seconds: float


def look_at(
    spec: str,
    settings: JobSettings,
    restorer: Restorer,
    *,
    on_progress: OnProgress | None = None,
    stop: Stop | None = None,
) -> Survey:
    """Decode a file, or the part that is wanted, cut it into clips, and classify them if that is needed.

    Raises:
        InputError: it cannot be used.
        UsageError: the part that is wanted is not in it.
        Interrupted: `stop` said so.
    """
    began, stop = time.monotonic(), stop or _never
    excerpt, first = find_excerpt(spec, settings.start, settings.end)
    files = input_files(spec) if settings.is_part else ()
    steady = len(files) != 1 or not is_set_back(files[0], stop)
    # What is not sound does not decode from the middle as it does in a pass.
    for seek in (True, False) if steady else (False,):
        source = open_source(
            spec,
            threads=settings.restore.decoder_threads,
            start=excerpt.start,
            stop=excerpt.stop,
            seek=seek,
        )
        with source:
            look, info = Look(restorer, settings), source.info
            total = None if settings.is_part else info.frame_count
            for batch in source:
                look.feed(batch)
                if stop():
                    raise Interrupted(f"{info.name}: stopped; nothing was written")
                if on_progress is not None:
                    on_progress(progress("plan", look.frames, total, time.monotonic() - began))
            status = source.status
        if excerpt.start is None or not (status.losses or status.notes):
            break
    notes = status.notes if steady else status.notes or (SET_BACK,)
    windows, estimates = look.finish()
    origin = look.times[0] if first is None else float(first)
    check_excerpt(info, settings, windows, origin)
    return Survey(
        spec,
        info,
        tuple(windows),
        tuple(estimates),
        look.times,
        origin,
        excerpt.narrowed(windows, info.time_base).span(info.time_base, seek=not status.losses and not notes),
        dict(status.losses),
        tuple(notes),
        look.timing(info.rate),
        look.scan,
        time.monotonic() - began,
    )


class Look:
    """Goes through the frames of a file once, and keeps little of them.

    Attributes:
        times: of the pictures so far, in seconds.
    """

    def __init__(self, restorer: Restorer, settings: JobSettings) -> None:
        self._restorer = restorer
        self._classify = settings.restore.branch == "auto" or settings.preview is not None
        self._cutter = ClipCutter(settings.windows)
        self._views: dict[int, Views] = {}
        self._windows: list[Clip] = []
        self._estimates: list[WeatherEstimate] = []
        self._shortest, self._longest = math.inf, 0.0
        self._interlaced = self._top_first = 0
        self.times = array("d")

    @property
    def frames(self) -> int:
        """Pictures so far."""
        return len(self.times)

    def feed(self, batch: FrameBatch) -> None:
        """Take the next frames."""
        for position, frame in enumerate(batch.frames):
            seconds = batch.seconds(frame)
            if self.times:
                self._shortest = min(self._shortest, seconds - self.times[-1])
                self._longest = max(self._longest, seconds - self.times[-1])
            self.times.append(seconds)
            self._interlaced += frame.interlaced
            self._top_first += frame.top_field_first
            if self._classify and frame.index % LOOK_EVERY == 0:
                look = frame.index // LOOK_EVERY
                self._views[frame.index] = GivenPlanes(batch).views(self._restorer.router, position, look)
        self._take(self._cutter.feed(batch))

    def finish(self) -> tuple[list[Clip], list[WeatherEstimate]]:
        """All clips, and (if they are classified) what each looks like."""
        self._take(self._cutter.finish())
        return self._windows, self._estimates

    @property
    def scan(self) -> Scan:
        """How the pictures so far were marked."""
        return Scan(self.frames, self._interlaced, self._top_first)

    def timing(self, rate: Fraction | None) -> FrameTiming:
        """When pictures were shown."""
        start, last = (self.times[0], self.times[-1]) if self.times else (0.0, 0.0)
        mean = (last - start) / max(1, self.frames - 1)
        shortest = min(self._shortest, self._longest)
        return FrameTiming(
            rate=str(rate) if rate else "",
            variable=self._longest - shortest > max(0.0021, 0.1 * mean),
            min_ms=shortest * 1000,
            max_ms=self._longest * 1000,
            mean_ms=mean * 1000,
            start_seconds=start,
        )

    def _take(self, clips: Iterable[Clip]) -> None:
        for clip in clips:
            self._windows.append(clip)
            if self._classify:
                self._estimates.append(self._restorer.router.estimate(self._views_in(clip)))
                self._views = {i: v for i, v in self._views.items() if i >= clip.stop - LOOK_EVERY}

    def _views_in(self, clip: Clip) -> Sequence[Views]:
        """Views of pictures of a clip, or for one shorter than the stride the nearest picture's."""
        inside = [i for i in self._views if clip.start <= i < clip.stop]
        if not inside:
            inside = [min(self._views, key=lambda i: abs(i - clip.start))]
        return [self._views[inside[k]] for k in spread(len(inside))]


def _never() -> bool:
    return False
