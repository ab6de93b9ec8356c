"""A preview: the worst moment of a file, restored, and a comparison with the input beside it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from streamrestore.decode import input_files, open_source
from streamrestore.encode import check_output
from streamrestore.engine import Restorer
from streamrestore.errors import Interrupted
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.progress import OnProgress, Stop
from streamrestore.pipeline.report import JobReport, Progress
from streamrestore.render.comparison import compare_files
from streamrestore.render.words import clock, plain
from streamrestore.settings import JobSettings


def comparison_path(output: Path) -> Path:
    """``restored.mp4`` has its comparison in ``restored.compare.mp4``."""
    return output.with_name(f"{output.stem}.compare{output.suffix}")


def restore_preview(
    spec: str,
    output: Path,
    settings: JobSettings,
    *,
    restorer: Restorer | None = None,
    on_progress: OnProgress | None = None,
    stop: Stop | None = None,
) -> JobReport:
    """Restore a sample, as `settings.preview` says, and write a comparison beside it.

    Raises:
        StreamRestoreError: as `restore_file` and `compare_files`.
        Interrupted: `stop` said so; of the two files, one that is complete stays.
    """
    beside = comparison_path(output)
    encode = msgspec.structs.replace(settings.encode, size_like_input=False)
    files = input_files(spec)
    with open_source(spec) as source:
        check_output(
            beside,
            files[0] if len(files) == 1 else None,
            msgspec.structs.replace(encode, drop_unsupported=True),
            source.info,
        )
    report = restore_file(spec, output, settings, restorer=restorer, on_progress=on_progress, stop=stop)

    def on_frames(done: int, _total: int | None, fps: float) -> None:
        if on_progress is not None:
            left = max(0, report.frames - done) / fps if fps > 0 else None
            on_progress(Progress("compare", done, report.frames, fps, left))

    try:
        compare_files(
            spec,
            str(output),
            beside,
            encode,
            between=(report.clips[0].start_seconds, report.clips[-1].stop_seconds),
            seek=not (report.losses or report.notes),
            on_frames=on_frames,
            stop=stop,
        )
    except Interrupted:
        raise Interrupted(f"{output} is complete, and kept; its comparison is not there") from None
    return report


def preview_lines(report: JobReport) -> list[str]:
    """What to tell of a preview: which moment it is, and where the comparison stands."""
    begin, end = clock(report.clips[0].start_seconds), clock(report.clips[-1].stop_seconds)
    lines = [f"{comparison_path(Path(report.output))}: before and after, {begin} to {end} of {report.input}"]
    if not report.frames_restored:
        lines.append("  note: even in its worst moment, nothing would be restored")
    return [plain(line) for line in lines]
