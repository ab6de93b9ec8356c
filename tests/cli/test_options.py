"""Settings from options and files."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from streamrestore.cli.options import encode_options, job_settings, setting, settings_option
from streamrestore.errors import UsageError
from streamrestore.settings import JobSettings


@pytest.fixture
def parse():
    """Settings that a command with a few options would get."""

    def read(*arguments: str) -> JobSettings:
        got: list[JobSettings] = []

        @click.command()
        @setting("--strength", "restore.strength", "")
        @setting("--gates", "restore.gates", "")
        @setting("--max-passes", "restore.policy.max_passes", "")
        @setting("--strict", "strict", "")
        @encode_options
        @settings_option
        def command(settings_file, **chosen):
            got.append(job_settings(settings_file, chosen))

        command.main(list(arguments), standalone_mode=False)
        return got[0]

    return read


class TestOptions:
    """Options alone."""

    def test_nothing_given_is_the_defaults(self, parse):
        """Options that are not given change nothing: defaults stand in the settings alone."""
        assert parse() == JobSettings()

    def test_values_take_the_settings_types(self, parse):
        """Numbers, lists, choices and switches arrive as the structs have them."""
        got = parse(
            "--strength", "0.5", "--gates", "1, 1,0.5", "--max-passes", "2", "--strict", "--crf", "20",
            "--codec", "hevc",
        )  # fmt: skip
        assert got.restore.strength == 0.5
        assert got.restore.gates == (1.0, 1.0, 0.5)
        assert got.restore.policy.max_passes == 2
        assert got.strict
        assert (got.encode.crf, got.encode.codec) == (20.0, "hevc")

    @pytest.mark.parametrize(
        "arguments",
        [["--strength", "1.6"], ["--strength", "nan"], ["--gates", "1,-1"], ["--crf", "64"], ["--crf", "a"]],
    )
    def test_limits_are_the_settings_own(self, parse, arguments):
        """A value out of its range names the option."""
        with pytest.raises(click.BadParameter) as caught:
            parse(*arguments)
        assert arguments[0] in caught.value.format_message()

    def test_help_shows_the_default(self):
        """The default in the help comes from the settings."""

        @click.command()
        @setting("--strength", "restore.strength", "How much.")
        def command(**chosen):
            del chosen

        assert "[default: 1.0]" in CliRunner().invoke(command, ["--help"]).output


class TestFile:
    """A file of settings."""

    def test_options_win_over_the_file(self, parse, tmp_path):
        """A file gives settings, and an option that is given wins, switched-off switches too."""
        file = tmp_path / "s.yaml"
        file.write_text(
            "restore: {strength: 0.5, tier: fast}\nencode: {overwrite: true, crf: 30}\nstrict: true\n"
        )
        got = parse("--settings", str(file), "--strength", "1.25", "--no-overwrite")
        assert got.restore.strength == 1.25
        assert not got.encode.overwrite
        assert got.encode.crf == 30
        assert got.strict

    def test_empty_file_is_the_defaults(self, parse, tmp_path):
        """Nothing in the file, nothing changed."""
        (tmp_path / "s.yaml").write_text("# nothing\n")
        assert parse("--settings", str(tmp_path / "s.yaml")) == JobSettings()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("restore: {strenght: 1}", "did you mean 'strength'?"),
            ("restore: {strength: 3}", "<= 1.5"),
            ("restore: {strength: 1\nencode: {}", "line 2"),
            ("strict: true\nrestore: {}\nstrict: false", "line 3: 'strict' stands there twice"),
            ("- a\n- b", "must hold named values"),
            ("restore: 5", "restore"),
            ("restore: !!python/object:os.system {}", "not valid YAML"),
        ],
    )
    def test_mistakes_are_named(self, parse, tmp_path, text, said):
        """A mistake in the file names the file and what is wrong."""
        file = tmp_path / "s.yaml"
        file.write_text(text)
        with pytest.raises(UsageError) as caught:
            parse("--settings", str(file))
        assert str(file) in str(caught.value)
        assert said in str(caught.value)

    def test_missing_file(self, parse, tmp_path):
        """A file that is not there is a usage error, too."""
        with pytest.raises(UsageError, match="No such file"):
            parse("--settings", str(tmp_path / "no.yaml"))

    def test_option_does_not_hide_a_mistake(self, parse, tmp_path):
        """The file must be right by itself."""
        (tmp_path / "s.yaml").write_text("restore: {strength: 3}")
        with pytest.raises(UsageError, match=r"1\.5"):
            parse("--settings", str(tmp_path / "s.yaml"), "--strength", "1")
