"""``streamrestore restore``: degraded video files in, restored ones out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from streamrestore.cli.interrupts import Interrupts
from streamrestore.cli.options import encode_options, job_settings, setting, settings_option
from streamrestore.cli.shared import Session, debug_option
from streamrestore.instants import parse_time


@click.command(short_help="Restore video files.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUTPUT",
    help="File to write, its extension naming the container; or a folder, which several inputs and folders "
    "need.",
)  # fmt: skip
@setting("--start", "start", "Begin at this time: seconds, or h:mm:ss.mmm.", metavar="TIME", read=parse_time)
@setting("--end", "end", "End at this time.  [default: the end]", metavar="TIME", read=parse_time)
@setting("--preview", "preview", "A sample of the worst moment, and a comparison.", metavar="SECONDS")
@setting("--series", "series", "The inputs are one recording, such as a dashcam's, in their order.")
@setting("--tier", "restore.tier", "Which networks: how good, how slow.", metavar="NAME")
@setting("--branch", "restore.branch", "Restore everything with one branch, instead of what each clip needs.")
@setting("--strength", "restore.strength", "0 changes nothing, 1 is as trained, up to 1.5.", metavar="FACTOR")
@setting("--gates", "restore.gates", "Multipliers of the noise branch's gates: 1,1,0.5.", metavar="A,B,...")
@click.option("--mask", "restore__mask", multiple=True, metavar="X,Y,W,H",
              callback=lambda _context, _option, given: given or None,
              help="Leave this part alone (pixels as displayed), or where a picture is white.")  # fmt: skip
@setting("--max-passes", "restore.policy.max_passes", "Branches that one clip may pass through.")
@setting(
    "--plan", "restore.plan", "Obey a plan, written by 'inspect --plan' and edited.", metavar="FILE.yaml"
)
@setting("--device", "restore.device", "Where networks run: auto, cpu, cuda, cuda:1.", metavar="NAME")
@setting("--precision", "restore.precision", "What networks calculate in.")
@setting("--hdr", "restore.hdr", "HDR (PQ, HLG) that needs restoring; pass treats it as it is coded.")
@setting("--interlaced", "restore.interlaced", "Video marked as interlaced: keep fields, or deinterlace it.")
@encode_options
@setting(
    "--size-like-input",
    "encode.size_like_input",
    "Make the video as large as it is in the input; HEVC and AV1 then differ a little from run to run.",
)
@setting("--force-encode", "encode.force_encode", "Encode even if nothing needs restoring.")
@setting("--drop-unsupported", "encode.drop_unsupported", "Leave out streams that the container cannot hold.")
@setting("--strict", "strict", "Refuse damaged input instead of restoring what decodes.")
@setting("--workers", "workers", "Processes that restore parts of a file at the same time.", metavar="N")
@setting("--resume", "resume", "Go on with what an interrupted run has left.")
@click.option("--match", multiple=True, metavar="PATTERN",
              help="In folders, take files that fit, such as '*.dat'; may be given again.")  # fmt: skip
@click.option("--fail-fast", is_flag=True, help="Stop at the first file that fails.")
@click.option("--report", "report_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Write what was done, clip by clip: as a page (.html) or as data (.json).")  # fmt: skip
@click.option("--progress", type=click.Choice(["auto", "json", "none"]), default="auto",
              help="A bar or lines, JSON lines, or nothing, on stderr.  [default: auto]")  # fmt: skip
@settings_option
@debug_option
@click.pass_obj
def command(
    session: Session,
    /,
    inputs: tuple[str, ...],
    output: Path,
    match: tuple[str, ...],
    fail_fast: bool,
    report_file: Path | None,
    progress: Any,
    settings_file: Path | None,
    **chosen: Any,
) -> int:
    """Restore video files, folders of them, URLs, or numbered pictures (frames/%05d.png).

    Each clip of about two seconds is looked at and restored with the branch that its weather calls
    for. Clips that need nothing keep their pictures exactly, and a file that needs nothing is copied.
    """
    with Interrupts() as interrupts:
        settings = job_settings(settings_file, chosen)

        from streamrestore.cli.targets import plan_targets

        targets = plan_targets(inputs, output, match)
        if report_file is not None:
            from streamrestore.render.report_file import check_report

            others = [path for target in targets for path in (Path(target.input), target.output)]
            check_report(report_file, others, overwrite=settings.encode.overwrite)
        from streamrestore.cli.run import Run

        run = Run(targets, settings, interrupts, progress=progress, fail_fast=fail_fast, debug=session.debug)
        try:
            run.work()
        finally:
            if report_file is not None and run.reports:
                from streamrestore.render.report_file import write_report

                write_report(report_file, run.reports, stop=interrupts.asked)
        return run.status
