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


class TestFolders:
    """Inputs that are folders."""

    @pytest.fixture
    def folder(self, tmp_path):
        """Files of several kinds, at several depths."""
        for name in ("b.mp4", "a.wmv", "a.mkv", "deep/er/c.dat", "deep/d.MOV", "out/e.mp4", ".cache/f.mp4"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    def names(self, folder, output, match=()):
        """Inputs and outputs, from the folders on."""
        targets = plan_targets([str(folder)], output, match)
        assert all(target.found for target in targets)
        return {
            str(Path(target.input).relative_to(folder)): str(target.output.relative_to(output))
            for target in targets
        }

    def test_videos_and_their_places(self, folder):
        """In order, mirrored; the output's folder is not an input; no two go to one file."""
        assert self.names(folder, folder / "out") == {
            "a.mkv": "a.mkv", "a.wmv": "a.wmv.mkv", "b.mp4": "b.mp4", "deep/d.MOV": "deep/d.MOV",
        }  # fmt: skip

    def test_numbers_count_as_numbers(self, tmp_path):
        """As people number files, in names and in folders; everything has a place of its own."""
        names = ["1.mp4", "clip.mp4", "Clip2.mp4", "clip2.mp4", "clip9.mp4", "clip10.mp4", "2/a.mp4"]
        names.append("10/a.mp4")
        for name in names:
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / name).touch()
        targets = plan_targets([str(tmp_path / "in")], tmp_path / "out")
        assert [str(target.output.relative_to(tmp_path / "out")) for target in targets] == names

    @pytest.mark.parametrize("pattern", ["*.dat", "deep/er/*"])
    def test_patterns(self, folder, pattern):
        """They decide alone, by name or by place."""
        assert self.names(folder, folder / "out", [pattern]) == {"deep/er/c.dat": "deep/er/c.mkv"}

    def test_beside_files(self, folder, tmp_path):
        """Folders and files may be given together."""
        targets = plan_targets([str(folder / "deep"), "x/y.mp4"], tmp_path / "new")
        assert [str(target.output.relative_to(tmp_path / "new")) for target in targets] == ["d.MOV", "y.mp4"]

    def test_refusals(self, folder):
        """A file for a folder, a folder into itself, and a folder without videos."""
        for output in (folder / "b.mp4", folder / "new.mkv"):
            with pytest.raises(UsageError, match="must be one, too"):
                plan_targets([str(folder)], output)
        with pytest.raises(UsageError, match="name another"):
            plan_targets([str(folder)], folder / "deep" / "..")
        with pytest.raises(UsageError, match="there is no video in this folder"):
            plan_targets([str(folder / "deep" / "er")], folder / "new")
