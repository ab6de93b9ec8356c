"""What a run did, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streamrestore.pipeline.report import ClipReport, JobReport
from streamrestore.render.report_json import JobFailure, JobSkipped, Outcome
from streamrestore.render.words import counted, duration, plain, quantity


def job_summary(report: JobReport) -> list[str]:
    """The lines that stand on the terminal after a run."""
    lines = [plain(f"{report.output}: {what_was_done(report)}")]
    dropped = [stream for stream in report.streams if stream.outcome == "dropped"]
    for stream in dropped:
        why = f": {stream.why}" if stream.why else ""
        lines.append(plain(f"  left out: stream {stream.index}, {stream.kind} {stream.codec}{why}"))
    lines += [plain(f"  note: {note}") for note in report.notes]
    if report.assumed:
        tags = " and ".join(report.assumed)
        lines.append(f"  note: the file does not say its colour {tags}; the usual was assumed")
    if report.losses:
        lines.append(plain(f"  damaged: {counted(report.losses)}; what decodes was restored"))
    return lines


def what_was_done(report: JobReport) -> str:
    """Frames, those restored by branch, time and speed, in one line."""
    frames = quantity(report.frames, "frame")
    spent = duration(report.plan_seconds + report.restore_seconds)
    if report.copied:
        return f"{frames} copied packet by packet, in {spent}"
    by_branch = ", ".join(f"{branch} {count}" for branch, count in restored_frames(report.clips).items())
    restored = f"{report.frames_restored} restored" + (f" ({by_branch})" if by_branch else "")
    picture = f"{report.width}x{report.height} {report.codec}"
    speed = f", {report.frames / report.restore_seconds:.1f} fps" if report.restore_seconds > 0 else ""
    return f"{frames} of {picture}, {restored}, in {spent}{speed}"


def files_table(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each of several files, and one for all of them."""
    rows = [_row(outcome) for outcome in outcomes]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join((what.ljust(wide[0]), frames.rjust(wide[1]), restored.rjust(wide[2]), name))
        for what, frames, restored, name in rows
    ]
    counts = Counter(row[0] for row in rows)
    total = ", ".join(f"{counts[what]} {what}" for what in OUTCOMES if counts[what])
    return [*lines, f"{quantity(len(rows), 'file')}: {total}"]


def restored_frames(clips: tuple[ClipReport, ...]) -> dict[str, int]:
    """Frames by the branch that restored them, the most frequent first."""
    counts: Counter[str] = Counter()
    for clip in clips:
        if clip.branch != "none" and clip.strength > 0:
            counts[clip.branch] += clip.stop_frame - clip.start_frame
    return dict(counts.most_common())


OUTCOMES = ("restored", "copied", "damaged", "done already", "failed")
"""In the order in which they are counted."""


def outcome_of(outcome: Outcome) -> str:
    """What became of a file, one of `OUTCOMES`."""
    if isinstance(outcome, JobFailure):
        return "failed"
    if isinstance(outcome, JobSkipped):
        return "done already"
    return "damaged" if outcome.has_losses else "copied" if outcome.copied else "restored"


def _row(outcome: Outcome) -> tuple[str, str, str, str]:
    """What became of a file, its frames, those restored, and its name, or why it failed."""
    name = plain(outcome.output)
    what = outcome_of(outcome)
    if isinstance(outcome, JobFailure):
        told = outcome.error if outcome.input in outcome.error else f"{outcome.input}: {outcome.error}"
        return what, "", "", plain(told)
    if isinstance(outcome, JobSkipped):
        return what, "", "", name
    branches = ", ".join(f"{branch} {count}" for branch, count in restored_frames(outcome.clips).items())
    return what, quantity(outcome.frames, "frame"), branches, name
