"""``streamrestore compare``: two videos in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from streamrestore.cli.interrupts import Interrupts
from streamrestore.cli.options import encode_options, job_settings
from streamrestore.cli.shared import debug_option
from streamrestore.errors import UsageError


@click.command(short_help="Make a video that shows two others side by side, or with a wipe.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUTPUT",
              help="File to write; its extension names the container.")  # fmt: skip
@click.option("--mode", type=click.Choice(["side", "wipe"]), default="side", show_default=True,
              help="Side by side, or a line that moves to and fro.")  # fmt: skip
@click.option("--labels", default="before,after", show_default=True, metavar="A,B",
              help="Words to burn in; leave one empty to have none.")  # fmt: skip
@click.option("--metrics", "metrics_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Write PSNR and SSIM of each frame, as a table (.csv) or as data (.json).")  # fmt: skip
@encode_options
@click.option("--progress", type=click.Choice(["auto", "json", "none"]), default="auto", show_default=True,
              help="A bar or lines, JSON lines, or nothing, on stderr.")  # fmt: skip
@debug_option
def command(
    a: str,
    b: str,
    output: Path,
    mode: Any,
    labels: str,
    metrics_file: Path | None,
    progress: Any,
    **chosen: Any,
) -> None:
    """Make a video that shows A beside B, or A and B parted by a moving line.

    Both must have the same size as displayed and the same number of frames. Sound and timing are A's. PSNR
    (over all planes) and SSIM (of luma) say how far B is from A.
    """
    with Interrupts() as interrupts:
        settings = job_settings(None, chosen).encode
        words = _two_words(labels)

        from streamrestore.cli.progress import progress_of
        from streamrestore.pipeline.report import Progress
        from streamrestore.render.comparison import compare_files
        from streamrestore.render.metrics import (
            FrameMetrics,
            check_metrics,
            metrics_summary,
            write_metrics,
        )
        from streamrestore.render.words import plain, quantity, size

        metrics: list[FrameMetrics] = []
        if metrics_file is not None:
            check_metrics(metrics_file, [Path(a), Path(b), output], overwrite=settings.overwrite)
        with progress_of(progress, output.name) as on_progress:

            def on_frames(done: int, total: int | None, fps: float) -> None:
                left = max(0, total - done) / fps if total is not None and fps > 0 else None
                on_progress(Progress("compare", done, total, fps, left))

            report = compare_files(
                a,
                b,
                output,
                settings,
                mode=mode,
                labels=words,
                on_frames=on_frames,
                on_metrics=metrics.append,
                stop=interrupts.asked,
            )
        if metrics_file is not None:
            write_metrics(metrics_file, metrics)
    told = f"{report.path}: {quantity(report.frames, 'frame')} of {report.codec}, {size(report.bytes)}"
    if progress != "json":
        click.echo(plain(told))
        for line in metrics_summary(metrics):
            click.echo(f"  {line}")
        for note in (*report.notes, *(f"left out: {dropped}" for dropped in report.dropped)):
            click.echo(plain(f"  note: {note}"))


def _two_words(labels: str) -> tuple[str, str]:
    words = [word.strip() for word in labels.split(",")]
    if len(words) != 2:
        raise UsageError(f"--labels {labels!r}: give two, parted by one comma, such as 'before,after'")
    return words[0], words[1]
