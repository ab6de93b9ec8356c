"""`restore`: what it checks, tells, keeps and returns."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamrestore.cli.main import commands
from streamrestore.errors import DeviceError, Interrupted, StageError, UsageError
from streamrestore.pipeline.report import Progress
from tests.cli.process import start
from tests.media import read_planes, truncate, write_video
from tests.render.samples import report_of

QUICK = ("--branch", "none", "--progress", "none")


def invoke(*arguments: object):
    """``streamrestore restore ARGUMENTS`` in this process."""
    return CliRunner().invoke(commands, ["restore", *map(str, arguments)])


@pytest.fixture
def job(monkeypatch):
    """In place of the pipeline: writes a line, or does what the input's name has in `acts`."""

    class Job:
        def __init__(self) -> None:
            self.acts = {}
            self.settings = []
            self.inputs = []

        def __call__(self, spec, output, settings, *, restorer=None, on_progress=None, stop=None):
            del restorer, stop
            self.settings.append(settings)
            self.inputs.append(Path(spec).name)
            on_progress(Progress("plan", 10, 100, 50.0, 1.8))
            on_progress(Progress("restore", 50, 100, 25.0, 2.0, "rain"))
            act = self.acts.get(Path(spec).name, {})
            if isinstance(act, Exception):
                raise act
            Path(output).write_text("video")
            return report_of(input=str(spec), output=str(output), **act)

    fake = Job()
    monkeypatch.setattr("streamrestore.cli.run.restore_file", fake)
    return fake


@pytest.fixture
def videos(tmp_path):
    """Three small videos and a folder for results."""
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        write_video(tmp_path / name, frames=3, size=(32, 24))
    (tmp_path / "out").mkdir()
    return tmp_path


class TestOne:
    """A single input."""

    def test_summary(self, job, videos):
        """What was done stands in a line on stdout."""
        result = invoke(videos / "a.mp4", "-o", videos / "r.mp4", "--progress", "none")
        assert (result.exit_code, result.stderr) == (0, "")
        assert job.inputs == ["a.mp4"]
        done = "100 frames of 1280x720 h264, 100 restored (rain 50, haze 50), in 10.0 s, 11.1 fps"
        assert result.stdout == f"{videos}/r.mp4: {done}\n"

    def test_losses_are_status_4(self, job, videos):
        """Done with losses is told, and is a status of its own."""
        job.acts["a.mp4"] = {"losses": {"packets that do not decode": 3}}
        result = invoke(videos / "a.mp4", "-o", videos / "r.mp4")
        assert result.exit_code == 4
        assert "damaged: 3 x packets that do not decode" in result.stdout

    def test_failure_is_its_own_status(self, job, videos):
        """The error's status, and one line."""
        job.acts["a.mp4"] = StageError("encode", RuntimeError("broke"), 7)
        result = invoke(videos / "a.mp4", "-o", videos / "r.mp4", "--progress", "none")
        assert result.exit_code == 3
        assert result.stderr.count("\n") == 1
        assert "the encode stage broke at frame 7" in result.stderr

    def test_settings_arrive(self, job, videos):
        """Options end up in the settings of the job."""
        invoke(
            videos / "a.mp4", "-o", videos / "r.mp4", "--branch", "haze", "--strength", "0.7", "--crf", "30"
        )
        (settings,) = job.settings
        assert (settings.restore.branch, settings.restore.strength, settings.encode.crf) == (
            "haze",
            0.7,
            30.0,
        )

    def test_bad_option_is_found_before_the_work(self, job, videos):
        """Nothing starts if an option is wrong."""
        assert invoke(videos / "a.mp4", "-o", videos / "r.mp4", "--settings", "no.yaml").exit_code == 2
        assert job.settings == []


class TestSeveral:
    """Several inputs, one after the other."""

    def test_one_failing_does_not_stop_the_others(self, job, videos):
        """Status is the first error's, the others are done."""
        job.acts |= {"a.mp4": {"losses": {"x": 1}}, "b.mp4": StageError("restore", RuntimeError("broke"))}
        result = invoke(*(videos / name for name in ("a.mp4", "b.mp4", "c.mp4")), "-o", videos / "out")
        assert result.exit_code == 3
        assert job.inputs == ["a.mp4", "b.mp4", "c.mp4"]
        assert f"streamrestore: {videos}/b.mp4: the restore stage broke" in result.stderr
        assert [path.name for path in sorted((videos / "out").iterdir())] == ["a.mp4", "c.mp4"]

    def test_losses_only_are_status_4(self, job, videos):
        """Status 4 if nothing else went wrong."""
        job.acts["b.mp4"] = {"losses": {"x": 1}}
        assert invoke(videos / "a.mp4", videos / "b.mp4", "-o", videos / "out").exit_code == 4

    def test_unusable_inputs_are_told_before_the_first_frame(self, job, videos):
        """A missing file, a text, and a result that is there: told first, while the rest is done."""
        (videos / "c.mp4").write_text("no video")
        (videos / "out" / "b.mp4").write_text("precious")
        names = ("no.mp4", "a.mp4", "b.mp4", "c.mp4")
        result = invoke(*(videos / name for name in names), "-o", videos / "out", "--progress", "none")
        assert result.exit_code == 1
        assert job.inputs == ["a.mp4"]
        assert len(result.stderr.splitlines()) == 3
        assert (videos / "out" / "b.mp4").read_text() == "precious"

    @pytest.mark.parametrize("error", [UsageError("--gates: 5 levels"), DeviceError("no cuda")])
    def test_what_every_input_would_meet_ends_the_run(self, job, videos, error):
        """Settings that are wrong are wrong for all."""
        job.acts["a.mp4"] = error
        result = invoke(videos / "a.mp4", videos / "b.mp4", "-o", videos / "out")
        assert result.exit_code == error.exit_code
        assert job.inputs == ["a.mp4"]

    def test_interrupt_tells_what_is_kept(self, job, videos):
        """What is finished stays; what is not leaves nothing."""
        job.acts["b.mp4"] = Interrupted("stopped")
        result = invoke(*(videos / name for name in ("a.mp4", "b.mp4", "c.mp4")), "-o", videos / "out")
        assert result.exit_code == 130
        assert job.inputs == ["a.mp4", "b.mp4"]
        assert f"nothing is left of {videos}/out/b.mp4; done: {videos}/out/a.mp4" in result.stderr


@pytest.fixture
def tree(tmp_path):
    """A folder with videos at two depths, and what is none."""
    for name in ("a.mp4", "sub/b.mkv", "sub/.hidden.mp4", ".git/c.mp4"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(tmp_path / "in" / name, frames=3, size=(32, 24))
    (tmp_path / "in" / "notes.txt").write_text("no video")
    return tmp_path


class TestFolders:
    """A folder in, a folder out."""

    def test_mirrored(self, tree):
        """Every video has its place, a folder that is made; hidden ones and texts stay out."""
        result = invoke(tree / "in", "-o", tree / "new" / "out", *QUICK)
        assert result.exit_code == 0
        made = sorted(str(path.relative_to(tree / "new")) for path in (tree / "new").rglob("[!.]*.*"))
        assert made == ["out/a.mp4", "out/sub/b.mkv"]
        assert result.stdout.splitlines()[-1] == "2 files: 2 copied"

    def test_done_already(self, tree):
        """A second run does what is new or was changed, with other settings all, and says so."""
        arguments = (tree / "in", "-o", tree / "out", *QUICK)
        invoke(*arguments)
        write_video(tree / "in" / "new.mp4", frames=3, size=(32, 24))
        result = invoke(*arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.splitlines()[-1] == "3 files: 1 copied, 2 done already"

        write_video(tree / "in" / "a.mp4", frames=4, size=(32, 24))
        changed = invoke(*arguments)
        assert changed.exit_code == 1
        assert f"{tree}/out/a.mp4" in changed.stderr
        assert changed.stdout.splitlines()[-1] == "3 files: 2 done already, 1 failed"
        assert invoke(*arguments, "--crf", "30").stdout.splitlines()[-1] == "3 files: 3 failed"
        assert invoke(*arguments, "--overwrite").stdout.splitlines()[-1] == "3 files: 3 copied"

    def test_done_in_a_container_without_a_comment(self, tree):
        """The folder of the outputs knows what was written, whatever they can say of themselves."""
        write_video(tree / "in" / "c.ts", frames=3, size=(32, 24))
        arguments = (tree / "in", "-o", tree / "out", *QUICK)
        invoke(*arguments)
        result = invoke(*arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.splitlines()[-1] == "3 files: 3 done already"

    def test_done_and_cut_since(self, tree):
        """An output that is no more what was written is not passed over, nor replaced without a word."""
        arguments = (tree / "in", "-o", tree / "out", *QUICK)
        invoke(*arguments)
        truncate(tree / "out" / "a.mp4", 0.9)
        result = invoke(*arguments)
        assert result.exit_code == 1
        assert f"{tree}/out/a.mp4 was cut or changed since it was written; give --overwrite" in result.stderr
        assert result.stdout.splitlines()[-1] == "2 files: 1 done already, 1 failed"
        assert invoke(*arguments, "--overwrite").exit_code == 0
        assert invoke(*arguments).stdout.splitlines()[-1] == "2 files: 2 done already"

    def test_one_bad_file(self, tree):
        """It stops nobody, and is told at the end, too; unless it should."""
        (tree / "in" / "a.mp4").write_text("no video")
        result = invoke(tree / "in", "-o", tree / "out", *QUICK)
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        *_, failed, done, total = result.stdout.splitlines()
        assert failed.startswith("failed ")
        assert f" {tree}/in/a.mp4: FFmpeg cannot read it (" in failed
        assert done.endswith("out/sub/b.mkv")
        assert total == "2 files: 1 copied, 1 failed"
        fast = invoke(tree / "in", "-o", tree / "fast", "--fail-fast", *QUICK)
        assert (fast.exit_code, fast.stdout) == (1, "")

    def test_json_lines(self, tree):
        """Programs get a line per file."""
        arguments = (tree / "in", "-o", tree / "out", "--branch", "none", "--progress", "json")
        for expected in ("frames", "skipped"):
            result = invoke(*arguments)
            reports = [
                json.loads(line)["report"] for line in result.stderr.splitlines() if '"report"' in line
            ]
            assert [expected in report for report in reports] == [True, True]

    def test_json_line_of_a_bad_file(self, tree):
        """It says why, and what the program would exit with."""
        (tree / "in" / "a.mp4").write_text("no video")
        result = invoke(tree / "in", "-o", tree / "out", "--branch", "none", "--progress", "json")
        lines = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
        failed, done = (line["report"] for line in lines if "report" in line)
        assert (failed["input"], failed["exit_code"]) == (f"{tree}/in/a.mp4", 1)
        assert "FFmpeg cannot read it" in failed["error"]
        assert done["frames"] == 3


class TestReport:
    """``--report``."""

    @pytest.mark.usefixtures("job")
    def test_one_is_an_object(self, videos):
        """The report of one file is the job's."""
        invoke(videos / "a.mp4", "-o", videos / "r.mp4", "--report", videos / "r.json")
        report = json.loads((videos / "r.json").read_text())
        assert (report["output"], report["frames"]) == (str(videos / "r.mp4"), 100)
        assert [clip["branch"] for clip in report["clips"]] == ["rain", "haze"]

    def test_several_are_a_list_failures_included(self, job, videos):
        """Each input has its place in the list."""
        job.acts["a.mp4"] = StageError("restore", RuntimeError("broke"))
        invoke(videos / "a.mp4", videos / "b.mp4", "-o", videos / "out", "--report", videos / "r.json")
        first, second = json.loads((videos / "r.json").read_text())
        assert (first["exit_code"], first["input"]) == (3, str(videos / "a.mp4"))
        assert second["frames"] == 100

    @pytest.mark.usefixtures("job")
    def test_page(self, videos):
        """A name that ends in .html gets a page to look at."""
        for name in ("r.html", "R.HTML"):
            result = invoke(
                videos / "a.mp4", "-o", videos / "r.mp4", "--overwrite", "--report", videos / name
            )
            assert result.exit_code == 0, result.stderr
            assert "100 restored (rain 50, haze 50)" in (videos / name).read_text()

    @pytest.mark.parametrize(
        ("name", "status"),
        [("a.mp4", 2), ("r.mp4", 2), ("out", 1), ("no/r.json", 1), ("there.json", 1), ("r.txt", 2)],
    )
    def test_bad_places_are_found_before_the_work(self, job, videos, name, status):
        """A report replaces neither input nor output, nor anything else unasked."""
        (videos / "there.json").write_text("{}")
        result = invoke(videos / "a.mp4", "-o", videos / "r.mp4", "--report", videos / name)
        assert result.exit_code == status
        assert job.inputs == []


class TestProgress:
    """``--progress``."""

    @pytest.mark.usefixtures("job")
    def test_json_lines(self, videos):
        """With json, stderr is documents, one a line: which file, how far, and the report."""
        result = invoke(videos / "a.mp4", "-o", videos / "r.mp4", "--progress", "json")
        lines = [json.loads(line) for line in result.stderr.splitlines()]
        assert result.stdout == ""
        assert lines[0] == {"input": str(videos / "a.mp4"), "output": str(videos / "r.mp4")}
        assert lines[1]["phase"] == "plan"
        assert lines[2] == {
            "phase": "restore", "frames": 50, "total": 100, "fps": 25.0, "eta_seconds": 2.0, "branch": "rain"
        }  # fmt: skip
        assert lines[3]["report"]["frames"] == 100

    @pytest.mark.usefixtures("job")
    def test_log_lines_where_there_is_no_terminal(self, videos):
        """In a log, each phase is a line."""
        result = invoke(videos / "a.mp4", "-o", videos / "r.mp4")
        assert result.stderr.splitlines() == [
            "a.mp4: looking, 10/100 frames, 50.0 fps, 2 s left",
            "a.mp4: restoring, 50/100 frames, 25.0 fps, 2 s left, rain",
        ]


class TestReal:
    """With the pipeline itself, on videos of a few frames."""

    def test_nothing_to_restore_copies(self, videos):
        """The file comes out as it was, and the report says so."""
        result = invoke(videos / "a.mp4", "-o", videos / "r.mp4", "--report", videos / "r.json", *QUICK)
        assert result.exit_code == 0, result.stderr
        assert "3 frames copied packet by packet" in result.stdout
        assert json.loads((videos / "r.json").read_text())["copied"]
        assert len(read_planes(videos / "r.mp4").planes) == 3

    def test_a_part(self, tmp_path):
        """Times as people write them; a part is never copied packet by packet."""
        write_video(tmp_path / "a.mkv", frames=100, size=(32, 24))
        part = ("--start", "0:01.2", "--end", "2.6", "--report", tmp_path / "r.json")
        result = invoke(tmp_path / "a.mkv", "-o", tmp_path / "r.mkv", *part, *QUICK)
        assert result.exit_code == 0, result.stderr
        assert len(read_planes(tmp_path / "r.mkv").planes) == 35
        report = json.loads((tmp_path / "r.json").read_text())
        assert (report["settings"]["start"], report["settings"]["end"]) == (1.2, 2.6)
        assert report["clips"][0]["start_seconds"] == pytest.approx(1.2)

    def test_streams_are_left_out_only_where_it_is_allowed(self, videos):
        """The run stops before it starts; allowed to, it goes on, and lists what is missing."""
        write_video(videos / "loud.mp4", frames=3, size=(32, 24), audio=True)
        arguments = (videos / "loud.mp4", "-o", videos / "r.webm", "--report", videos / "r.json", *QUICK)

        refused = invoke(*arguments)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "cannot hold all streams" in refused.stderr
        assert "audio stream 1 (aac, und): webm does not take it" in refused.stderr
        assert "write mkv, or give --drop-unsupported to leave them out" in refused.stderr
        assert not (videos / "r.webm").exists()

        result = invoke(*arguments, "--drop-unsupported")
        assert result.exit_code == 0, result.stderr
        assert "left out: stream 1, audio aac: webm does not take it" in result.stdout
        assert json.loads((videos / "r.json").read_text())["streams"][1]["outcome"] == "dropped"

    def test_several_with_real_failures(self, videos):
        """A text among videos; a name that is no text."""
        (videos / "b.mp4").write_text("no video")
        strange = videos / os.fsdecode(b"\xff.mp4")
        (videos / "c.mp4").rename(strange)
        names = (videos / "a.mp4", videos / "b.mp4", strange)
        result = invoke(*names, "-o", videos / "out", "--report", videos / "r.json", *QUICK)
        assert result.exit_code == 1
        assert [type(item.get("error")) for item in json.loads((videos / "r.json").read_text())] == [
            str, type(None), type(None)
        ]  # fmt: skip
        assert len(list((videos / "out").iterdir())) == 2

    def test_truncated_is_status_4_and_strict_refuses(self, tmp_path):
        """What decodes comes out; with --strict nothing does."""
        write_video(tmp_path / "a.mkv", frames=30, size=(64, 48))
        truncate(tmp_path / "a.mkv", 0.6)
        assert invoke(tmp_path / "a.mkv", "-o", tmp_path / "r.mkv", *QUICK).exit_code == 4
        result = invoke(tmp_path / "a.mkv", "-o", tmp_path / "s.mkv", "--strict", *QUICK)
        assert result.exit_code == 1
        assert not (tmp_path / "s.mkv").exists()

    @pytest.mark.parametrize(
        ("arguments", "status"),
        [
            (["no.mp4", "-o", "r.mp4"], 1),
            ([".", "-o", "r.mp4"], 2),
            (["a.mp4", "-o", "a.mp4"], 1),
            (["a.mp4", "-o", "b.mp4"], 1),
            (["a.mp4", "-o", "no/r.mp4"], 1),
            (["a.mp4", "-o", "r.xyz"], 2),
            (["a.mp4", "-o", "r.mp4", "--tier", "huge"], 2),
            (["a.mp4", "-o", "r.mp4", "--preset", "warp"], 2),
            (["a.mp4", "-o", "r.mp4", "--start", "now"], 2),
            (["a.mp4", "-o", "r.mp4", "--start", "2", "--end", "1"], 2),
            (["a.mp4", "-o", "r.mp4", "--start", "2"], 2),
            (["a.mp4", "-o", "r.mp4", "--end", "20"], 2),
            (["a.mp4", "-o", "r.webm", "--codec", "h264"], 1),
        ],
        ids=str,
    )
    def test_mistakes_are_one_line_and_leave_nothing(self, videos, monkeypatch, arguments, status):
        """Each mistake has its status, one line, and no trace."""
        monkeypatch.chdir(videos)
        before = {path: path.read_bytes() for path in videos.iterdir() if path.is_file()}
        result = invoke(*arguments, *QUICK)
        assert (result.exit_code, result.stdout) == (status, "")
        assert result.stderr.startswith("streamrestore: ")
        assert result.stderr.count("\n") == 1
        assert {path: path.read_bytes() for path in videos.iterdir() if path.is_file()} == before

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted_while_restoring(self, tmp_path, number):
        """A signal in the middle: status 130, one line that says what is kept, no output."""
        write_video(tmp_path / "a.mkv", frames=2400, size=(320, 180), pattern="flat")
        process = start(
            "restore", tmp_path / "a.mkv", "-o", tmp_path / "r.mkv", "--branch", "rain", "--progress", "json"
        )  # fmt: skip
        assert process.stderr is not None
        while '"phase":"restore"' not in (line := process.stderr.readline()):
            assert line, "it ended before it restored"
        process.send_signal(number)
        told = process.communicate(timeout=120)[1]
        assert process.returncode == 130, told
        state = tmp_path / ".r.mkv.streamrestore"
        kept = f"finished segments are kept in {state}; run again to go on"
        assert (kept if state.exists() else f"interrupted: nothing is left of {tmp_path}/r.mkv") in told
        assert not (tmp_path / "r.mkv").exists()
