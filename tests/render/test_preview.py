"""``--preview``: the worst moment, and a comparison of it."""

from __future__ import annotations

import av
import numpy as np
import pytest
from click.testing import CliRunner

from streamrestore.cli.main import commands
from streamrestore.engine import Restorer
from streamrestore.errors import Interrupted, OutputExists
from streamrestore.pipeline.job import restore_file
from streamrestore.render.preview import restore_preview
from streamrestore.settings import JobSettings, read_settings
from streamrestore.weather import Weather
from tests.encode.helpers import read_times
from tests.media import read_planes, truncate, write_video
from tests.pipeline.test_job import exact, scene
from tests.restorers import CLEAN_LEVEL, HAZE_LEVEL, RAIN_LEVEL, small_restorer, without_weights

SIZE = (96, 64)


@pytest.fixture
def restorer(monkeypatch):
    """Small networks; rain gains more than haze."""
    without_weights(monkeypatch)
    table = {weather: [(0.0, 3.0)] for weather in Weather} | {Weather.RAIN: [(0.0, 6.0)]}
    monkeypatch.setattr(Restorer, "gains", table)
    made = small_restorer()
    for place in ("job", "plan"):
        monkeypatch.setattr(f"streamrestore.pipeline.{place}.make_restorer", lambda _: made)
    return made


def pictures(*levels):
    """A scene of one second for each level."""
    enlarged = []
    for number, level in enumerate(levels):
        for luma, u, v in scene(level, number + 1, 25):
            enlarged.append([np.kron(luma, np.ones((2, 2), np.uint8)) for luma in (luma, u, v)])
    return enlarged


@pytest.fixture
def video(tmp_path):
    """Clear, haze, rain, haze; with sound."""
    path = tmp_path / "in.mkv"
    planes = pictures(CLEAN_LEVEL, HAZE_LEVEL, RAIN_LEVEL, HAZE_LEVEL)
    write_video(path, planes=planes, codec="libx264", options={"crf": "12", "g": "30"}, audio=True)
    return path


def settings_of(preview=0.4, **more):
    """For a preview, without loss."""
    encode = {"codec": "ffv1", **more.pop("encode", {})}
    return read_settings(JobSettings, {"preview": preview, "encode": encode, **more})


def left_half(planes):
    """What stands on the left of a comparison, but for its label."""
    return planes[0][32 : SIZE[1], : SIZE[0]]


class TestMoment:
    """Which part it is."""

    def test_worst(self, tmp_path, video, restorer):
        """Where restoring gains the most: the rain. It is restored as in a run over the whole."""
        restore_file(str(video), tmp_path / "whole.mkv", settings_of(None), restorer=restorer)

        report = restore_preview(str(video), tmp_path / "out.mkv", settings_of(), restorer=restorer)

        begin = report.clips[0].start_seconds
        assert 1.95 < begin < 2.65
        assert (report.clips[0].branch, report.clips[0].start_frame, report.frames) == ("rain", 0, 10)
        first = round(begin * 25)
        wanted = read_planes(tmp_path / "whole.mkv").planes[first : first + 10]
        assert all(exact(a, b) for a, b in zip(read_planes(tmp_path / "out.mkv").planes, wanted, strict=True))

    def test_longer_than_the_video(self, tmp_path, video, restorer):
        """All of it."""
        report = restore_preview(str(video), tmp_path / "out.mkv", settings_of(60), restorer=restorer)

        assert report.frames == 100
        assert report.clips[0].start_seconds == 0

    def test_forced_branch(self, tmp_path, video, restorer):
        """Where that branch gains the most."""
        settings = settings_of(restore={"branch": "haze"})
        report = restore_preview(str(video), tmp_path / "out.mkv", settings, restorer=restorer)

        assert {clip.branch for clip in report.clips} == {"haze"}
        assert 0.95 < report.clips[0].start_seconds < 1.65

    @pytest.mark.usefixtures("restorer")
    def test_nothing_to_restore(self, tmp_path):
        """The same video twice, and a word."""
        write_video(tmp_path / "in.mkv", planes=pictures(CLEAN_LEVEL))
        result = CliRunner().invoke(
            commands,
            ["restore", str(tmp_path / "in.mkv"), "-o", str(tmp_path / "out.mkv"), "--preview", "0.4"],
        )
        assert result.exit_code == 0, result.stderr
        assert "even in its worst moment, nothing would be restored" in result.stdout
        assert len(read_planes(tmp_path / "out.mkv").planes) == 10

    def test_in_a_part(self, tmp_path, video, restorer):
        """Of the part that is asked for, the worst."""
        settings = settings_of(start=0.5, end=1.6)
        report = restore_preview(str(video), tmp_path / "out.mkv", settings, restorer=restorer)

        assert report.clips[0].start_seconds == pytest.approx(1.0, abs=0.05)
        assert report.frames == 10


class TestComparison:
    """The video beside it."""

    def test_before_and_after(self, tmp_path, video, restorer):
        """The input's own pictures of that moment, with its sound."""
        report = restore_preview(str(video), tmp_path / "out.mkv", settings_of(), restorer=restorer)

        beside = tmp_path / "out.compare.mkv"
        first = round(report.clips[0].start_seconds * 25)
        before, shown = read_planes(video).planes[first : first + 10], read_planes(beside).planes
        assert len(shown) == 10
        for old, both in zip(before, shown, strict=True):
            assert np.array_equal(left_half(both), old[0][32:])
        sound = read_times(beside)
        assert len(sound.audio) == pytest.approx(0.4 * 48000 / 1024, abs=1)
        assert min(sound.audio) - min(sound.video) < 0.03

    def test_damaged(self, tmp_path, video, restorer):
        """What decodes of a damaged file is shown as it is restored."""
        truncate(video, 0.8)
        report = restore_preview(str(video), tmp_path / "out.mkv", settings_of(), restorer=restorer)

        first = round(report.clips[0].start_seconds * 25)
        assert report.losses
        shown = read_planes(tmp_path / "out.compare.mkv").planes
        assert np.array_equal(left_half(shown[0]), read_planes(video).planes[first][0][32:])

    def test_there_already(self, tmp_path, video, restorer):
        """It replaces nothing, and that is found before the work."""
        (tmp_path / "out.compare.mkv").write_text("precious")
        seen = []

        with pytest.raises(OutputExists, match=r"out\.compare\.mkv exists already"):
            restore_preview(
                str(video), tmp_path / "out.mkv", settings_of(), restorer=restorer, on_progress=seen.append
            )

        assert not seen
        assert (tmp_path / "out.compare.mkv").read_text() == "precious"

    def test_stopped(self, tmp_path, video, restorer):
        """What is complete stays, and that is said."""
        seen = []

        with pytest.raises(Interrupted, match=r"out\.mkv is complete, and kept"):
            restore_preview(
                str(video), tmp_path / "out.mkv", settings_of(), restorer=restorer,
                on_progress=lambda progress: seen.append(progress.phase), stop=lambda: "compare" in seen,
            )  # fmt: skip

        assert len(read_planes(tmp_path / "out.mkv").planes) == 10
        assert not (tmp_path / "out.compare.mkv").exists()


@pytest.mark.usefixtures("restorer")
def test_command_line(tmp_path, video):
    """Both files are named, with the moment."""
    output = tmp_path / "out.mp4"
    result = CliRunner().invoke(
        commands,
        [
            "restore",
            str(video),
            "-o",
            str(output),
            "--preview",
            "1",
            "--progress",
            "none",
            "--size-like-input",
        ],
    )
    assert result.exit_code == 0, result.stderr
    assert f"{tmp_path}/out.compare.mp4: before and after, 0:0" in result.stdout
    with av.open(str(tmp_path / "out.compare.mp4")) as container:
        assert container.streams.video[0].width > 2 * SIZE[0]
