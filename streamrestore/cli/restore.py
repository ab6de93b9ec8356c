"""``streamrestore restore``: degraded video files in, restored ones out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamrestore.cli.interrupts import Interrupts
from streamrestore.cli.options import encode_options, job_settings, setting, settings_option
from streamrestore.cli.shared import Session, complain, debug_option
from streamrestore.errors import (
    DONE_WITH_LOSSES,
    DeviceError,
    Interrupted,
    StreamRestoreError,
    UsageError,
    WeightsError,
)
from streamrestore.settings import JobSettings

if TYPE_CHECKING:
    from streamrestore.cli.progress import Kind
    from streamrestore.cli.targets import Target
    from streamrestore.engine import Restorer
    from streamrestore.pipeline.report import JobReport
    from streamrestore.render.report_json import JobFailure

SAME_FOR_ALL = (UsageError, DeviceError, WeightsError, Interrupted)
"""Errors that every further input would meet, too: they end the run."""


@click.command(short_help="Restore video files.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUTPUT",
    help="File to write, its extension naming the container; or a folder, which several inputs need.",
)  # fmt: skip
@setting("--tier", "restore.tier", "Which networks: how good, how slow.", metavar="NAME")
@setting("--branch", "restore.branch", "Restore everything with one branch, instead of what each clip needs.")
@setting("--strength", "restore.strength", "0 changes nothing, 1 is as trained, up to 1.5.", metavar="FACTOR")
@setting("--gates", "restore.gates", "Multipliers of the noise branch's gates: 1,1,0.5.", metavar="A,B,...")
@setting("--max-passes", "restore.policy.max_passes", "Branches that one clip may pass through.")
@setting("--device", "restore.device", "Where networks run: auto, cpu, cuda, cuda:1.", metavar="NAME")
@setting("--precision", "restore.precision", "What networks calculate in.")
@encode_options
@setting("--force-encode", "encode.force_encode", "Encode even if nothing needs restoring.")
@setting("--strict", "strict", "Refuse damaged input instead of restoring what decodes.")
@setting("--workers", "workers", "Processes that restore parts of a file at the same time.", metavar="N")
@setting("--resume", "resume", "Go on with what an interrupted run has left.")
@click.option("--report", "report_file", type=click.Path(path_type=Path), metavar="FILE.json",
              help="Write what was done, clip by clip.")  # fmt: skip
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
    report_file: Path | None,
    progress: Any,
    settings_file: Path | None,
    **chosen: Any,
) -> int:
    """Restore video files, URLs, or numbered pictures (frames/%05d.png).

    Each clip of about two seconds is looked at and restored with the branch that its weather calls
    for. Clips that need nothing keep their pictures exactly, and a file that needs nothing is copied.
    """
    with Interrupts() as interrupts:
        settings = job_settings(settings_file, chosen)

        from streamrestore.cli.targets import plan_targets

        targets = plan_targets(inputs, output)
        if report_file is not None:
            from streamrestore.render.report_json import check_report

            others = [path for target in targets for path in (Path(target.input), target.output)]
            check_report(report_file, others, overwrite=settings.encode.overwrite)
        run = Run(targets, settings, interrupts, progress=progress, debug=session.debug)
        try:
            run.work()
        finally:
            if report_file is not None and run.reports:
                from streamrestore.render.report_json import write_report

                write_report(report_file, run.reports)
        return run.status


class Run:
    """All inputs, one after the other.

    Attributes:
        reports: of what is finished or failed so far.
        status: exit status: the first error's, else that of losses, else 0.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        settings: JobSettings,
        interrupts: Interrupts,
        *,
        progress: Kind,
        debug: bool,
    ) -> None:
        self._targets, self._settings, self._interrupts = targets, settings, interrupts
        self._progress, self._debug = progress, debug
        self._restorer: Restorer | None = None
        self.reports: list[JobReport | JobFailure] = []
        self.status = 0

    def work(self) -> None:
        """Restore every input; one that fails does not stop the others.

        Raises:
            StreamRestoreError: if there is only one input, or every further one would fail likewise.
        """
        sound = [target for target in self._targets if len(self._targets) == 1 or self._check(target)]
        for target in sound:
            try:
                self._interrupts.check()
                report = self._restore(target)
            except Interrupted as error:
                raise Interrupted(self._interrupted(target, error)) from error
            except SAME_FOR_ALL:
                raise
            except StreamRestoreError as error:
                self._fail(target, error)
            else:
                self._done(report)

    def _check(self, target: Target) -> bool:
        """Look at an input and its output before the first frame of any is restored."""
        from streamrestore.decode import open_source
        from streamrestore.decode.names import is_url
        from streamrestore.encode import check_output

        self._interrupts.check()
        if is_url(target.input):
            return True  # a stream is opened once
        path = Path(target.input) if Path(target.input).is_file() else None
        try:
            with open_source(target.input) as source:
                check_output(target.output, path, self._settings.encode, source.info)
        except SAME_FOR_ALL:
            raise
        except StreamRestoreError as error:
            self._fail(target, error)
            return False
        return True

    def _restore(self, target: Target) -> JobReport:
        from streamrestore.cli.progress import json_line, progress_of
        from streamrestore.pipeline.job import restore_file
        from streamrestore.pipeline.plan import make_restorer

        # A single file is checked before; worker processes make restorers of their own.
        if len(self._targets) > 1 and self._settings.workers == 1 and self._restorer is None:
            self._restorer = make_restorer(self._settings)
        if self._progress == "json":
            json_line({"input": target.shown, "output": str(target.output)})
        with progress_of(self._progress, Path(target.shown).name) as on_progress:
            return restore_file(
                target.input,
                target.output,
                self._settings,
                restorer=self._restorer,
                on_progress=on_progress,
                stop=self._interrupts.asked,
            )

    def _done(self, report: JobReport) -> None:
        from streamrestore.cli.progress import json_line
        from streamrestore.render.summary import job_summary

        self.reports.append(report)
        if report.has_losses:
            self.status = self.status or DONE_WITH_LOSSES
        if self._progress == "json":
            json_line({"report": report})
        else:
            click.echo("\n".join(job_summary(report)))

    def _fail(self, target: Target, error: StreamRestoreError) -> None:
        from streamrestore.render.report_json import JobFailure

        if len(self._targets) == 1:
            raise error
        self.reports.append(JobFailure(target.shown, str(target.output), str(error), error.exit_code))
        if self.status in (0, DONE_WITH_LOSSES):
            self.status = error.exit_code
        complain(error, debug=self._debug, about=target.shown)

    def _interrupted(self, target: Target, error: Interrupted) -> str:
        finished = {report.output for report in self.reports if not hasattr(report, "error")}
        done = [str(each.output) for each in self._targets if str(each.output) in finished]
        told = str(error) if "kept" in str(error) else f"interrupted: nothing is left of {target.output}"
        return f"{told}; done: {', '.join(done)}" if done else told
