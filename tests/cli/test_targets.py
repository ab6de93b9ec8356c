"""Which input goes where."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamrestore.cli.targets import output_name, plan_targets
from streamrestore.errors import UsageError


class TestOutputName:
    """Names in a folder."""

    @pytest.mark.parametrize(
        ("spec", "name"),
        [
            ("a/clip.mp4", "clip.mp4"),
            ("clip.MKV", "clip.MKV"),
            ("clip.wmv", "clip.mkv"),
            ("clip", "clip.mkv"),
            ("shots/frames/%05d.png", "frames.mkv"),
            ("https://user:secret@host/a/b%20c.mp4?token=x", "b c.mp4"),
            ("rtsp://host/", "stream.mkv"),
        ],
    )
    def test_is_the_inputs_in_a_container_that_we_write(self, spec, name):
        """The result is called as the input, as far as its container can be written."""
        assert output_name(spec) == name


class TestPlan:
    """Inputs and their outputs."""

    def test_one_input_to_a_file(self, tmp_path):
        """The plain case."""
        (target,) = plan_targets(["in.mp4"], tmp_path / "out.mkv")
        assert (target.input, target.output) == ("in.mp4", tmp_path / "out.mkv")

    def test_folder_takes_the_names(self, tmp_path):
        """A folder takes one input as well as several."""
        targets = plan_targets(["x/a.mp4", "y/b.avi"], tmp_path)
        assert [target.output.name for target in targets] == ["a.mp4", "b.avi"]
        assert plan_targets(["x/a.mp4"], tmp_path)[0].output == tmp_path / "a.mp4"

    def test_several_need_a_folder(self, tmp_path):
        """Several inputs do not go into one file; the cure is in the message."""
        with pytest.raises(UsageError, match="mkdir -p"):
            plan_targets(["a.mp4", "b.mp4"], tmp_path / "no")
        (tmp_path / "file.mp4").touch()
        with pytest.raises(UsageError, match="it is a file"):
            plan_targets(["a.mp4", "b.mp4"], tmp_path / "file.mp4")

    def test_two_inputs_of_one_name(self, tmp_path):
        """Nothing is written over within a run."""
        with pytest.raises(UsageError, match="would both become"):
            plan_targets(["x/a.mp4", "y/a.mp4"], tmp_path)

    def test_file_urls_are_files(self):
        """``file:`` in front changes nothing."""
        (target,) = plan_targets(["file:///tmp/a.mp4"], Path("out.mp4"))
        assert target.input == "/tmp/a.mp4"  # noqa: S108
