"""The entry: lazy commands, errors in one line, exit statuses."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from streamrestore import __version__
from streamrestore.cli.main import COMMANDS, commands
from streamrestore.errors import InputNotFound, Interrupted, StreamRestoreError, UsageError
from tests.cli.process import ENVIRONMENT, run, start

HEAVY = ("torch", "av", "numpy", "kornia", "zmq")


@pytest.fixture
def failing(monkeypatch):
    """Have the command `doctor` raise what is given."""

    def fail(error: BaseException):
        @click.command()
        def command() -> None:
            raise error

        monkeypatch.setattr("streamrestore.cli.doctor.command", command)
        return CliRunner()

    return fail


class TestStart:
    """Help and version, at once."""

    @pytest.mark.parametrize(
        "arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
    )
    def test_help_imports_nothing_heavy(self, arguments):
        """Help comes at once: no torch, no FFmpeg, no numpy."""
        code = (
            "import sys; from streamrestore.cli.main import commands\n"
            f"try: commands({arguments!r})\n"
            f"except SystemExit as end: sys.exit(end.code or [m for m in {HEAVY} if m in sys.modules] or 0)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_version_names_the_program(self):
        """The version is the package's."""
        done = run("--version")
        assert (done.returncode, done.stdout) == (0, f"streamrestore {__version__}\n")

    def test_help_lists_every_command(self):
        """Every command stands in the help, with what it is for."""
        text = CliRunner().invoke(commands, ["--help"]).stdout
        for name, summary in COMMANDS.items():
            assert name in text
            assert summary in text

    @pytest.mark.parametrize("name", COMMANDS)
    def test_summary_is_the_commands_own(self, name):
        """The table of commands, which spares their import, says what they say."""
        command = commands.get_command(click.Context(commands), name)
        assert command is not None
        assert command.short_help == COMMANDS[name]


class TestErrors:
    """One handler for every error."""

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (InputNotFound("a.mp4: there is no such file; check the name"), 1),
            (UsageError("settings: there is no 'x'"), 2),
            (Interrupted("interrupted"), 130),
        ],
    )
    def test_ours_are_one_line(self, failing, error: StreamRestoreError, status: int):
        """An error of ours is its message, and its own status."""
        result = failing(error).invoke(commands, ["doctor"])
        assert (result.exit_code, result.stdout, result.stderr) == (status, "", f"streamrestore: {error}\n")

    def test_unexpected_is_a_stage_error(self, failing):
        """What nobody foresaw is told as a defect, in one line, with status 3."""
        result = failing(KeyError("oops")).invoke(commands, ["doctor"])
        assert result.exit_code == 3
        assert result.stderr.startswith("streamrestore: the command line stage broke: KeyError: 'oops'")
        assert result.stderr.count("\n") == 1

    def test_keyboard_interrupt(self, failing):
        """Ctrl-C where no command takes it is told, too."""
        result = failing(KeyboardInterrupt()).invoke(commands, ["doctor"])
        assert result.exit_code == 130
        assert "streamrestore: interrupted" in result.stderr

    @pytest.mark.parametrize("arguments", [["--debug", "doctor"], ["doctor"]])
    def test_debug_shows_the_traceback(self, failing, arguments):
        """With --debug the traceback comes before the line."""
        result = failing(InputNotFound("gone")).invoke(commands, arguments)
        assert ("Traceback" in result.stderr) == ("--debug" in arguments)
        assert result.stderr.endswith("streamrestore: gone\n")

    @pytest.mark.parametrize("arguments", [["--debug", "restore"], ["restore", "--debug"]])
    def test_debug_works_on_both_sides_of_the_command(self, arguments, tmp_path):
        """--debug may stand before or after the command's name."""
        result = CliRunner().invoke(
            commands, [*arguments, str(tmp_path / "no.mp4"), "-o", str(tmp_path / "o.mp4")]
        )
        assert result.exit_code == 1
        assert "Traceback" in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["nonsense"], "No such command 'nonsense'"),
            (["restore"], "Missing argument 'INPUT...'; see 'streamrestore restore --help'"),
            (["restore", "a.mp4"], "Missing option '-o'"),
            (["restore", "a.mp4", "-o", "b.mp4", "--codec", "divx"], "'divx' is not one of"),
            (
                ["restore", "a.mp4", "-o", "b.mp4", "--strength", "2"],
                "'2' is not good, it takes a number <= 1.5",
            ),
            (["restore", "a.mp4", "-o", "b.mp4", "--gates", "1,x"], "'1,x' is not good"),
            (["compare", "a.mp4", "b.mp4", "-o", "c.mp4", "--labels", "one"], "--labels 'one': give two"),
        ],
    )
    def test_wrong_usage_is_one_line_and_status_2(self, arguments, said):
        """Usage errors are one line like all others."""
        result = CliRunner().invoke(commands, arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith("streamrestore: ")
        assert said in result.stderr
        assert result.stderr.count("\n") == 1

    def test_no_command_shows_help(self):
        """Without a command there is help, and status 2."""
        result = CliRunner().invoke(commands, [])
        assert result.exit_code == 2
        assert "Commands:" in result.stderr

    def test_control_characters_do_not_reach_the_terminal(self, failing):
        """A name may hold escape sequences; they are not passed on."""
        result = failing(InputNotFound("a\x1b[2Jb\nc")).invoke(commands, ["doctor"])
        assert result.stderr == "streamrestore: a\N{REPLACEMENT CHARACTER}[2Jb c\n"


def test_closed_pipe_is_quiet():
    """Nobody reads on, as with `| head`: no traceback, no complaint."""
    process = start("doctor", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        told = process.stderr.read()
    assert (process.wait(), told) == (1, "")
