"""What will be done with each clip of a file, decided before anything is written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from streamrestore.decode import can_deinterlace, input_files
from streamrestore.encode import Span
from streamrestore.engine import Restorer, forced, load_restorer
from streamrestore.pipeline.before import Before
from streamrestore.pipeline.fingerprint import hash_input
from streamrestore.pipeline.look import FrameTiming, Survey, look_at
from streamrestore.pipeline.overlay import cut_out, lay_over, picture_at
from streamrestore.pipeline.planfile import PlanFile, read_plan
from streamrestore.pipeline.progress import OnProgress, Stop
from streamrestore.pipeline.report import ClipReport
from streamrestore.pipeline.scan import Scan, describe_scan, field_rate, why_kept
from streamrestore.pipeline.series import scene_starts
from streamrestore.pipeline.worst import worst_moment
from streamrestore.seams import SourceInfo
from streamrestore.settings import JobSettings
from streamrestore.weather import Decision, Weather
from streamrestore.windows import Clip


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done with each clip of a file.

    Attributes:
        decisions: one per clip.
        clips: the same for reports.
        origin: time of the first picture of the file, in seconds.
        span: the part of the file that it is for; None for the whole.
        frames: that decode.
        losses: what does not, by kind.
        scan: how its pictures are marked, interlaced or not.
        why_kept: why it is not deinterlaced, in words; empty if it is.
        before: the file of a recording that it goes on from; None if there is none.
    """

    info: SourceInfo
    windows: tuple[Clip, ...]
    decisions: tuple[Decision, ...]
    origin: float
    span: Span | None
    frames: int
    losses: dict[str, int]
    notes: tuple[str, ...]
    timing: FrameTiming
    seconds: float
    scan: Scan
    why_kept: str
    before: Before | None = None

    @property
    def clips(self) -> tuple[ClipReport, ...]:
        """For reports."""
        return tuple(
            report_clip(w, d, self.origin) for w, d in zip(self.windows, self.decisions, strict=True)
        )

    @property
    def bypass(self) -> bool:
        """True if no frame is touched."""
        return all(decision.bypass for decision in self.decisions)

    @property
    def weathers(self) -> set[Weather]:
        """Whose branches are used."""
        return {
            weather for decision in self.decisions if not decision.bypass for weather in decision.branches
        }

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
    """Look at a file, and decide; the plan file that the settings name is obeyed.

    If the settings ask for a preview, the plan is for the worst moment alone.

    Args:
        restorer: by default one is made from the settings.

    Raises:
        InputError: it cannot be used.
        UsageError: something is wrong in the plan file.
        Interrupted: `stop` said so.
    """
    restorer = restorer or make_restorer(settings)
    wanted = _read_wanted(spec, settings, restorer)
    survey = look_at(spec, settings, restorer, on_progress=on_progress, stop=stop)
    (decisions,) = decide([survey], settings, restorer)
    plan = plan_of(survey, decisions, settings, wanted)
    if settings.preview is None:
        return plan
    begin = worst_moment(plan.windows, _scores(plan, survey, restorer), settings.preview)
    return _cut_plan(plan, survey.times, begin, begin + settings.preview)


def plan_series(surveys: Sequence[Survey], settings: JobSettings, restorer: Restorer) -> list[Plan]:
    """Plans for files that are one recording, in order, from what was found in each: decided together."""
    decided = decide(surveys, settings, restorer)
    plans = [plan_of(survey, own, settings) for survey, own in zip(surveys, decided, strict=True)]
    befores = [None, *(_before(*pair) for pair in zip(surveys, plans, strict=True))]
    return [
        plan if starts[0] else replace(plan, before=before)
        for plan, before, starts in zip(plans, befores, scene_starts(surveys), strict=False)
    ]


def decide(surveys: Sequence[Survey], settings: JobSettings, restorer: Restorer) -> list[list[Decision]]:
    """What the weather, or the forced branch, calls for in each clip of files that follow each other."""
    wanted = settings.restore
    if wanted.branch != "auto":
        return [[forced(wanted.branch, wanted.strength)] * len(survey.windows) for survey in surveys]
    estimates = [estimate for survey in surveys for estimate in survey.estimates]
    cuts = [start for starts in scene_starts(surveys) for start in starts]
    decided = iter(restorer.decide(estimates, cuts=cuts, strength=wanted.strength))
    return [list(islice(decided, len(survey.windows))) for survey in surveys]


def plan_of(
    survey: Survey, decisions: Sequence[Decision], settings: JobSettings, wanted: PlanFile | None = None
) -> Plan:
    """The plan that follows from a survey, and a decision for each of its clips.

    Args:
        wanted: what a user decided otherwise.

    Raises:
        UsageError: an entry of that lies beyond the end.
    """
    info, windows = survey.info, list(survey.windows)
    if wanted is not None:
        if survey.span is None or survey.span.end is None:
            wanted.check_end(max(windows[-1].stop_seconds, windows[-1].start_seconds + 0.001) - survey.origin)
        windows, decisions = lay_over(windows, decisions, wanted.entries, survey.times, survey.origin)
    kept = why_kept(
        survey.scan,
        settings.restore.interlaced,
        restored=not all(decision.bypass for decision in decisions),
        codec=info.video.codec,
        taken=can_deinterlace(info.pixel_format, info.width, info.height),
    )
    return Plan(
        info,
        tuple(windows),
        tuple(decisions),
        survey.origin,
        survey.span,
        len(survey.times),
        survey.losses,
        survey.notes,
        survey.timing,
        survey.seconds,
        survey.scan,
        kept,
    )


def _before(survey: Survey, plan: Plan) -> Before:
    """A file, for the one that goes on from it."""
    return Before(survey.spec, plan.windows, plan.info.time_base, plan.is_sound, plan.deinterlace)


def _scores(plan: Plan, survey: Survey, restorer: Restorer) -> list[float]:
    """How bad each clip is: what its branches promise, or (if none is restored) the most that any does."""
    starts = [window.start for window in survey.windows]
    promised = [
        restorer.prospects(survey.estimates[bisect_right(starts, window.start) - 1])
        for window in plan.windows
    ]
    if plan.bypass:
        return [max(each.values(), default=0.0) for each in promised]
    return [
        0.0 if decision.bypass else sum(each.get(weather, 0.0) for weather in decision.branches)
        for each, decision in zip(promised, plan.decisions, strict=True)
    ]


def _cut_plan(plan: Plan, times: Sequence[float], begin: float, end: float) -> Plan:
    """The plan for a part.

    Args:
        times: of each picture of the plan, in seconds.
        begin, end: of the part, in the same.
    """
    first = min(picture_at(begin - plan.origin, times, plan.origin), len(times) - 1)
    stop = max(first + 1, picture_at(end - plan.origin, times, plan.origin))
    windows, decisions = cut_out(plan.windows, plan.decisions, times, first, stop)
    base = plan.info.time_base
    at, until = (round(t / base) * base for t in (windows[0].start_seconds, windows[-1].stop_seconds))
    span = Span(at, until, seek=plan.is_sound)
    return replace(plan, windows=tuple(windows), decisions=tuple(decisions), frames=stop - first, span=span)


def _read_wanted(spec: str, settings: JobSettings, restorer: Restorer) -> PlanFile | None:
    """The plan file that the settings name, if it fits the input and the tier."""
    if settings.restore.plan is None:
        return None
    wanted = read_plan(Path(settings.restore.plan))
    wanted.check_input(hash_input(input_files(spec)) if input_files(spec) else "")
    for weather in {weather for entry in wanted.entries for weather in entry.branches or ()}:
        restorer.network(weather)
    return wanted


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


def report_clip(window: Clip, decision: Decision, origin: float) -> ClipReport:
    """One clip for a report.

    Args:
        origin: time of the file's first picture, in seconds.
    """
    estimate = decision.estimate
    return ClipReport(
        start_frame=window.start,
        stop_frame=window.stop,
        start_seconds=window.start_seconds - origin,
        stop_seconds=window.stop_seconds - origin,
        ended_by=window.reason,
        branch=decision.label,
        strength=decision.strength,
        reason=decision.reason,
        probabilities=estimate.probabilities if estimate else {},
        severity={str(w): s for w, s in estimate.severity.items()} if estimate else {},
    )
