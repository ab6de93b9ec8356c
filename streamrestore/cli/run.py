"""The inputs of one ``streamrestore restore``, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamrestore.cli.interrupts import Interrupts
from streamrestore.cli.progress import Kind, json_line, progress_of
from streamrestore.cli.shared import complain
from streamrestore.cli.targets import Target
from streamrestore.decode import input_files, open_source
from streamrestore.decode.names import is_url
from streamrestore.encode import check_output
from streamrestore.encode.partial import translated
from streamrestore.errors import (
    DONE_WITH_LOSSES,
    DeviceError,
    Interrupted,
    StreamRestoreError,
    UsageError,
    WeightsError,
)
from streamrestore.pipeline.done import is_done, job_files, note_done
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.look import Survey, look_at
from streamrestore.pipeline.plan import Plan, make_restorer, plan_series
from streamrestore.pipeline.progress import OnProgress
from streamrestore.pipeline.report import JobReport
from streamrestore.render.preview import preview_lines, restore_preview
from streamrestore.render.report_json import JobFailure, JobSkipped, Outcome
from streamrestore.render.summary import files_table, job_summary
from streamrestore.settings import JobSettings

if TYPE_CHECKING:
    from streamrestore.engine import Restorer

SAME_FOR_ALL = (UsageError, DeviceError, WeightsError, Interrupted)
"""Errors that every further input would meet, too: they end the run."""


class Run:
    """All inputs, one after the other.

    Args:
        fail_fast: the first input that fails ends the run.

    Attributes:
        reports: of what is finished, failed or was done already, so far.
        status: exit status: the first error's, else that of losses, else 0.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        settings: JobSettings,
        interrupts: Interrupts,
        *,
        progress: Kind,
        fail_fast: bool,
        debug: bool,
    ) -> None:
        self._targets, self._settings, self._interrupts = targets, settings, interrupts
        self._progress, self._debug = progress, debug
        self._alone = len(targets) == 1 and not targets[0].found
        self._give_up = self._alone or fail_fast
        self._restorer: Restorer | None = None
        self.reports: list[Outcome] = []
        self.status = 0

    def work(self) -> None:
        """Restore every input; one that fails does not stop the others.

        Raises:
            StreamRestoreError: if there is only one input, if the first failure ends the run, or if every
                further input would fail likewise.
        """
        open_targets = [target for target in self._targets if self._is_sound(target)]
        plans: dict[Target, Plan] = {}
        if self._settings.series and open_targets and not self._alone:
            plans = self._plan_together(open_targets)
            open_targets = [target for target in open_targets if target in plans]
        for target in open_targets:
            try:
                self._interrupts.check()
                report = self._restore(target, plans.get(target))
            except Interrupted as error:
                raise Interrupted(self._interrupted(target, error)) from error
            except SAME_FOR_ALL:
                raise
            except StreamRestoreError as error:
                self._fail(target, error)
            else:
                self._done(target, report)
        if not self._alone and self._progress != "json":
            click.echo("\n".join(files_table(self.reports)))

    def _is_sound(self, target: Target) -> bool:
        """Look at an input and its output before the first frame of any is restored."""
        self._interrupts.check()
        if self._alone or is_url(target.input):
            return True  # it is looked at when it is restored; a stream is opened once
        files = input_files(target.input)
        try:
            if target.found:
                with translated(target.output.parent, "create"):
                    target.output.parent.mkdir(parents=True, exist_ok=True)
                known = job_files(target.input, self._settings)
                if not self._settings.encode.overwrite and is_done(target.output, self._settings, known):
                    self._skip(target)
                    return False
            path = files[0] if len(files) == 1 and files[0].is_file() else None
            with open_source(target.input) as source:
                check_output(target.output, path, self._settings.encode, source.info)
        except SAME_FOR_ALL:
            raise
        except StreamRestoreError as error:
            self._fail(target, error)
            return False
        return True

    def _plan_together(self, wanted: Sequence[Target]) -> dict[Target, Plan]:
        """What is done with the files of a recording; those that are done already are looked at, too."""
        done = {report.output for report in self.reports if isinstance(report, JobSkipped)}
        restorer = self._shared_restorer() or make_restorer(self._settings)
        surveys: dict[Target, Survey] = {}
        for target in self._targets:
            if target not in wanted and str(target.output) not in done:
                continue
            try:
                with self._progress_of(target) as on_progress:
                    surveys[target] = look_at(
                        target.input,
                        self._settings,
                        restorer,
                        on_progress=on_progress,
                        stop=self._interrupts.asked,
                    )
            except SAME_FOR_ALL:
                raise
            except StreamRestoreError as error:
                if target in wanted:
                    self._fail(target, error)
        plans = plan_series(list(surveys.values()), self._settings, restorer)
        return dict(zip(surveys, plans, strict=True))

    def _restore(self, target: Target, plan: Plan | None) -> JobReport:
        restorer, stop = self._shared_restorer(), self._interrupts.asked
        more: dict[str, Any] = {} if plan is None else {"plan": plan}
        restore = restore_file if self._settings.preview is None else restore_preview
        with self._progress_of(target) as on_progress:
            return restore(
                target.input,
                target.output,
                self._settings,
                restorer=restorer,
                on_progress=on_progress,
                stop=stop,
                **more,
            )

    def _shared_restorer(self) -> Restorer | None:
        """For all files; a single one makes its own when it has been checked, as worker processes do."""
        if not self._alone and self._settings.workers == 1 and self._restorer is None:
            self._restorer = make_restorer(self._settings)
        return self._restorer

    def _progress_of(self, target: Target) -> AbstractContextManager[OnProgress]:
        if self._progress == "json":
            json_line({"input": target.shown, "output": str(target.output)})
        return progress_of(self._progress, Path(target.shown).name)

    def _done(self, target: Target, report: JobReport) -> None:
        self.reports.append(report)
        if target.found:
            note_done(target.output, self._settings, job_files(target.input, self._settings))
        if report.has_losses:
            self.status = self.status or DONE_WITH_LOSSES
        if self._progress == "json":
            json_line({"report": report})
            return
        click.echo("\n".join(job_summary(report)))
        if self._settings.preview is not None:
            click.echo("\n".join(preview_lines(report)))

    def _skip(self, target: Target) -> None:
        self.reports.append(JobSkipped(target.shown, str(target.output)))
        if self._progress == "json":
            json_line({"report": self.reports[-1]})

    def _fail(self, target: Target, error: StreamRestoreError) -> None:
        if not self._alone:
            self.reports.append(JobFailure(target.shown, str(target.output), str(error), error.exit_code))
            if self._progress == "json":
                json_line({"report": self.reports[-1]})
        if self._give_up:
            raise error
        if self.status in (0, DONE_WITH_LOSSES):
            self.status = error.exit_code
        complain(error, debug=self._debug, about=target.shown)

    def _interrupted(self, target: Target, error: Interrupted) -> str:
        finished = {report.output for report in self.reports if isinstance(report, JobReport)}
        done = [str(each.output) for each in self._targets if str(each.output) in finished]
        told = str(error) if "kept" in str(error) else f"interrupted: nothing is left of {target.output}"
        return f"{told}; done: {', '.join(done)}" if done else told
