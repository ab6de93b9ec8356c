"""The first pass over a file: clips, weather and decisions, before anything is written."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from streamrestore.decode import can_deinterlace, open_source
from streamrestore.engine import GivenPlanes, Restorer, forced, load_restorer
from streamrestore.errors import Interrupted
from streamrestore.frames import FrameBatch
from streamrestore.pipeline.report import ClipReport, Progress
from streamrestore.pipeline.scan import Scan, describe_scan, field_rate, why_kept
from streamrestore.route.router import spread
from streamrestore.route.views import Views
from streamrestore.seams import SourceInfo
from streamrestore.settings import JobSettings
from streamrestore.weather import Decision, WeatherEstimate
from streamrestore.windows import Clip, ClipCutter

LOOK_EVERY = 6
"""Every sixth picture may be looked at; of those, a few per clip are."""

OnProgress = Callable[[Progress], None]
Stop = Callable[[], bool]


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
class Plan:
    """What will be done with each clip of a file.

    Attributes:
        decisions: one per clip.
        clips: the same for reports.
        frames: that decode.
        losses: what does not, by kind.
        scan: how its pictures are marked, interlaced or not.
        why_kept: why it is not deinterlaced, in words; empty if it is.
    """

    info: SourceInfo
    windows: tuple[Clip, ...]
    decisions: tuple[Decision, ...]
    frames: int
    losses: dict[str, int]
    notes: tuple[str, ...]
    timing: FrameTiming
    seconds: float
    scan: Scan
    why_kept: str

    @property
    def clips(self) -> tuple[ClipReport, ...]:
        """For reports."""
        return tuple(report_clip(w, d) for w, d in zip(self.windows, self.decisions, strict=True))

    @property
    def bypass(self) -> bool:
        """True if no frame is touched."""
        return all(decision.bypass for decision in self.decisions)

    @property
    def frames_restored(self) -> int:
        """Frames that are touched."""
        pairs = zip(self.windows, self.decisions, strict=True)
        return sum(window.stop - window.start for window, decision in pairs if not decision.bypass)

    @property
    def deinterlace(self) -> bool:
        """True if pictures marked as interlaced are to go through bwdif."""
        return not self.why_kept

    @property
    def scan_words(self) -> str:
        """How the video is interlaced, with its field rate; empty if it is not."""
        if not self.scan.interlaced:
            return ""
        info = self.info
        return describe_scan(self.scan, field_rate(info.rate, self.timing.mean_ms, codec=info.video.codec))

    @property
    def scan_notes(self) -> list[str]:
        """How the video is interlaced, and what restoring does about it; nothing if it is not."""
        done = f"kept, since {self.why_kept}" if self.why_kept else "deinterlaced with bwdif"
        return [f"{self.scan_words}: {done}"] if self.scan_words else []

    @property
    def is_sound(self) -> bool:
        """True if nothing was lost or repaired: decoding may begin anywhere and gives the same."""
        return not self.losses and not self.notes


def plan_file(
    spec: str,
    settings: JobSettings,
    *,
    restorer: Restorer | None = None,
    on_progress: OnProgress | None = None,
    stop: Stop | None = None,
) -> Plan:
    """Decode a whole file, cut it into clips, classify them, and decide.

    Args:
        restorer: by default one is made from the settings.

    Raises:
        InputError: it cannot be used.
        Interrupted: `stop` said so.
    """
    restorer = restorer or make_restorer(settings)
    began = time.monotonic()
    with open_source(spec, threads=settings.restore.decoder_threads) as source:
        look = Look(restorer, settings)
        for batch in source:
            look.feed(batch)
            if stop is not None and stop():
                raise Interrupted(f"{source.info.name}: stopped; nothing was written")
            if on_progress is not None:
                on_progress(progress("plan", look.frames, source.info.frame_count, time.monotonic() - began))
        windows, estimates = look.finish()
        info, status = source.info, source.status
    cuts = [True, *(w.reason in ("cut", "gap", "change") for w in windows[:-1])]
    if settings.restore.branch == "auto":
        decisions = restorer.decide(estimates, cuts=cuts, strength=settings.restore.strength)
    else:
        decision = forced(settings.restore.branch, settings.restore.strength)
        decisions = [decision] * len(windows)
    kept = why_kept(
        look.scan,
        settings.restore.interlaced,
        restored=not all(decision.bypass for decision in decisions),
        codec=info.video.codec,
        taken=can_deinterlace(info.pixel_format, info.width, info.height),
    )
    return Plan(
        info,
        tuple(windows),
        tuple(decisions),
        look.frames,
        dict(status.losses),
        tuple(status.notes),
        look.timing(info.rate),
        time.monotonic() - began,
        look.scan,
        kept,
    )


def make_restorer(settings: JobSettings) -> Restorer:
    """The restorer that the settings ask for."""
    wanted = settings.restore
    return load_restorer(
        tier=wanted.tier,
        device=wanted.device,
        precision=wanted.precision,
        threads=wanted.threads,
        policy=wanted.policy,
    )


class Look:
    """Goes through the frames of a file once, and keeps little of them."""

    def __init__(self, restorer: Restorer, settings: JobSettings) -> None:
        self._restorer = restorer
        self._classify = settings.restore.branch == "auto"
        self._cutter = ClipCutter(settings.windows)
        self._views: dict[int, Views] = {}
        self._windows: list[Clip] = []
        self._estimates: list[WeatherEstimate] = []
        self._shortest, self._longest = math.inf, 0.0
        self._start: float | None = None
        self._last = 0.0
        self._interlaced = self._top_first = 0
        self.frames = 0

    def feed(self, batch: FrameBatch) -> None:
        """Take the next frames."""
        for position, frame in enumerate(batch.frames):
            seconds = batch.seconds(frame)
            if self._start is None:
                self._start = seconds
            else:
                self._shortest = min(self._shortest, seconds - self._last)
                self._longest = max(self._longest, seconds - self._last)
            self._last = seconds
            self.frames += 1
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
        start = self._start or 0.0
        mean = (self._last - start) / max(1, self.frames - 1)
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


def report_clip(window: Clip, decision: Decision) -> ClipReport:
    """One clip for a report."""
    estimate = decision.estimate
    return ClipReport(
        start_frame=window.start,
        stop_frame=window.stop,
        start_seconds=window.start_seconds,
        stop_seconds=window.stop_seconds,
        ended_by=window.reason,
        branch=decision.label,
        strength=decision.strength,
        reason=decision.reason,
        probabilities=estimate.probabilities if estimate else {},
        severity={str(w): s for w, s in estimate.severity.items()} if estimate else {},
    )


def progress(
    phase: str, frames: int, total: int | None, seconds: float, branch: str = "", *, already: int = 0
) -> Progress:
    """How far a phase is after some seconds; of its frames, some may have been done before."""
    fps = (frames - already) / seconds if seconds > 0 else 0.0
    left = (total - frames) / fps if total is not None and fps > 0 else None
    return Progress(phase, frames, total, fps, left if left is None or left > 0 else 0.0, branch)  # type: ignore[arg-type]
