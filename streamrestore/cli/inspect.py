"""``streamrestore inspect``: what a file is, and what would be done with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamrestore.cli.interrupts import Interrupts
from streamrestore.cli.options import job_settings, setting, settings_option
from streamrestore.cli.shared import debug_option
from streamrestore.errors import DONE_WITH_LOSSES

if TYPE_CHECKING:
    from rich.console import Console

    from streamrestore.pipeline.plan import Plan


@click.command(short_help="Show what a video file is, and its weather over time.")
@click.argument("input", metavar="INPUT")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, clip by clip.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), metavar="FILE.yaml",
              help="Write what would be done, clip by clip, to be edited for 'restore --plan'.")  # fmt: skip
@setting("--overwrite", "encode.overwrite", "Replace a plan that is there.")
@setting("--tier", "restore.tier", "Which networks to plan for.", metavar="NAME")
@setting("--max-passes", "restore.policy.max_passes", "Branches that one clip may pass through.")
@setting("--device", "restore.device", "Where networks run: auto, cpu, cuda, cuda:1.", metavar="NAME")
@setting("--strict", "strict", "Refuse damaged input.")
@settings_option
@debug_option
def command(
    input: str, as_json: bool, plan_file: Path | None, settings_file: Path | None, **chosen: Any
) -> int:
    """Show what a video is: its streams, colour, timing, and its weather over time.

    Nothing is restored, and nothing written but the plan that --plan asks for. The status is 4 if parts
    of the video cannot be decoded.
    """
    with Interrupts() as interrupts:
        settings = job_settings(settings_file, chosen)

        from streamrestore.cli.progress import progress_of
        from streamrestore.decode.names import redact
        from streamrestore.pipeline import plan as planning
        from streamrestore.render.plan_file import check_plan_file, write_plan_file

        if plan_file is not None:
            check_plan_file(plan_file, input, overwrite=settings.encode.overwrite)
        interrupts.check()
        with progress_of("bar", Path(redact(input)).name) as on_progress:
            plan = planning.plan_file(input, settings, on_progress=on_progress, stop=interrupts.asked)
        if plan_file is not None:
            write_plan_file(plan_file, input, plan)
    if as_json:
        from streamrestore.render.inspection import inspection_json

        click.echo(inspection_json(plan), nl=False)
    else:
        from rich.console import Console

        show(plan, Console(highlight=False))
    return DONE_WITH_LOSSES if plan.losses else 0


def show(plan: Plan, console: Console) -> None:
    """Print a plan for people."""
    from streamrestore.render import streams, timeline
    from streamrestore.render.words import counted, plain

    def heading(text: str) -> None:
        console.print()
        console.print(text, style="bold underline", markup=False)

    info = plan.info
    color = console.color_system is not None and not console.no_color
    console.print(plain(info.name), style="bold", markup=False)
    console.print(f"container: {plain(info.container)}", markup=False)
    heading("Streams")
    console.print(streams.streams_table(info))
    heading("Picture")
    console.print(streams.pairs(streams.picture_rows(info, plan.scan_notes)))
    heading("Frames")
    console.print(streams.pairs(streams.timing_rows(info, plan.timing, plan.frames)))
    if plan.clips:
        heading("Weather")
        width = min(console.width, 100)
        console.print(timeline.timeline_bar(plan.clips, width, color=color))
        console.print(timeline.legend(plan.clips, width, color=color))
        console.print()
        console.print(timeline.timeline_table(plan.clips))
        for unit in timeline.severity_units(plan.clips):
            console.print(unit, style="dim", markup=False)
    if plan.losses:
        heading("Damage")
        console.print(plain(counted(plan.losses)), style="red", markup=False)
    if plan.notes:
        heading("Notes")
        for note in plan.notes:
            console.print(plain(note), markup=False)
