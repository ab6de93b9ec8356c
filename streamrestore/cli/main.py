"""The entry: finds the command, and turns errors into one line and an exit status.

0    done
1    an error of ours: input, output, weights, device
2    wrong usage, settings or plan
3    a stage broke unexpectedly
4    done, but not everything could be decoded
130  interrupted
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from streamrestore import __version__
from streamrestore.cli.shared import Session, complain, debug_option, say
from streamrestore.errors import Interrupted, StageError, StreamRestoreError

COMMANDS = {
    "restore": "Restore video files.",
    "live": "Restore cameras and other live sources, and publish the frames.",
    "watch": "Show what a service publishes, and record it.",
    "keys": "Make keys, so that other machines may watch a service.",
    "inspect": "Show what a video file is, and its weather over time.",
    "compare": "Make a video that shows two others side by side, or with a wipe.",
    "doctor": "Show what is installed, what would be used, and what is missing.",
}
"""Name and summary; each is `command` in the module of that name, imported when it is used."""


class Commands(click.Group):
    """The commands, imported when they are used, and the one place where errors end."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"streamrestore.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; in standalone mode, end the process with the exit status that the result calls for."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        session = extra.setdefault("obj", Session())
        try:
            name = prog_name or "streamrestore"
            result = super().main(args, name, complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        except Exception as error:  # noqa: BLE001 - the edge of the process
            sys.exit(_status_of(error, session))
        sys.exit(result if isinstance(result, int) else 0)


def _status_of(error: Exception, session: Session) -> int:
    """Tell an error, and return its exit status."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return error.exit_code
        case click.ClickException():
            say(_usage(error))
            return error.exit_code
        case click.Abort():
            say("interrupted")
            return Interrupted.exit_code
        case StreamRestoreError():
            complain(error, debug=session.debug)
            return error.exit_code
        case OSError(errno=errno.EPIPE):
            # Who read our output is gone, as with `| head`; what is left in the buffer goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        case _:
            broken = StageError("command line", error)
            broken.__cause__ = error
            complain(broken, debug=session.debug)
            return broken.exit_code


def _usage(error: click.ClickException) -> str:
    """A usage error in one line, with the command whose help has more."""
    message = error.format_message().strip().rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message}; see '{context.command_path} --help'" if context is not None else message


@click.group(cls=Commands, name="streamrestore", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s", prog_name="streamrestore")
@debug_option
def commands() -> None:
    """Restores video damaged by rain, haze, raindrops and noise."""


def main() -> NoReturn:
    """Run the command line of this process."""
    # Names may hold bytes that are no text; they are shown escaped instead of breaking the output.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 would write two dozen lines on stderr
    commands()
    raise AssertionError
