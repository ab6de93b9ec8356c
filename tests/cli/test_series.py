"""``restore --series``: files that are one recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamrestore.cli.main import commands
from streamrestore.weather import WeatherEstimate
from tests.media import read_planes, write_video
from tests.pipeline.test_job import exact, scene
from tests.restorers import (
    CLEAN_LEVEL,
    DROPS,
    HAZE,
    NOISE,
    RAIN,
    RAIN_LEVEL,
    ByBrightness,
    small_restorer,
    without_weights,
)

NAMES = ("clip9.mkv", "clip10.mkv", "clip11.mkv")


def invoke(*arguments: Any) -> Result:
    """``streamrestore restore --codec ffv1 ARGUMENTS`` in this process."""
    words = ["restore", "--codec", "ffv1", "--progress", "none", *map(str, arguments)]
    return CliRunner().invoke(commands, words)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``in``: two clear chunks and one of doubtful rain, which costs more to change to than it gains."""

    def estimate(_router: ByBrightness, views: Any) -> WeatherEstimate:
        share = 0.7 if float(views[-1].thumbnail.mean()) > 0.2 else 0.0
        shares = {RAIN: share, HAZE: 0.0, DROPS: 0.0, NOISE: 0.0}
        return WeatherEstimate(shares, 0.0, dict.fromkeys(shares, 0.5))

    without_weights(monkeypatch)
    monkeypatch.setattr(ByBrightness, "estimate", estimate)
    for place in ("pipeline.job", "pipeline.plan", "cli.run"):
        monkeypatch.setattr(f"streamrestore.{place}.make_restorer", lambda _: small_restorer())
    (tmp_path / "in").mkdir()
    for number, (name, level) in enumerate(
        zip(NAMES, (CLEAN_LEVEL, CLEAN_LEVEL, RAIN_LEVEL), strict=True), start=1
    ):
        write_video(tmp_path / "in" / name, planes=scene(level, number, 40))
    return tmp_path


def branches(folder: Path) -> dict[str, list[str]]:
    """Of each output, what its clips went through."""
    reports = json.loads((folder / "r.json").read_text())
    return {
        Path(report["output"]).name: [clip["branch"] for clip in report["clips"]]
        for report in reports
        if "clips" in report
    }


def test_decided_together(folder: Path) -> None:
    """A doubtful chunk goes with those before it; by itself it would be restored. Names stay."""
    report = ("--report", folder / "r.json")

    alone = invoke(folder / "in", "-o", folder / "alone", *report)
    assert alone.exit_code == 0, alone.stderr
    assert branches(folder)["clip11.mkv"] == ["rain"]
    together = invoke(folder / "in", "-o", folder / "out", "--series", *report, "--overwrite")
    assert together.exit_code == 0, together.stderr

    assert branches(folder) == {name: ["none"] for name in NAMES}
    assert list(branches(folder)) == list(NAMES)
    for name in NAMES:
        before, after = (read_planes(folder / place / name).planes for place in ("in", "out"))
        assert all(exact(a, b) for a, b in zip(before, after, strict=True))


def test_order_as_given(folder: Path) -> None:
    """Files that are named are taken in that order, whatever their names."""
    (folder / "out").mkdir()
    inputs = [folder / "in" / name for name in ("clip11.mkv", "clip9.mkv")]

    result = invoke(*inputs, "-o", folder / "out", "--series", "--report", folder / "r.json")

    assert result.exit_code == 0, result.stderr
    assert list(branches(folder)) == ["clip11.mkv", "clip9.mkv"]


def test_one_that_cannot_be_read(folder: Path) -> None:
    """It is told once; the others are done, and the one after it follows the one before it."""
    (folder / "in" / "clip10.mkv").write_text("no video")

    result = invoke(folder / "in", "-o", folder / "out", "--series", "--report", folder / "r.json")

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert branches(folder) == {"clip9.mkv": ["none"], "clip11.mkv": ["none"]}


def test_second_run(folder: Path) -> None:
    """What is done already is looked at for what follows it, and not made again."""
    invoke(folder / "in", "-o", folder / "out", "--series")
    (folder / "out" / "clip11.mkv").unlink()
    kept = (folder / "out" / "clip9.mkv").stat().st_mtime_ns

    result = invoke(folder / "in", "-o", folder / "out", "--series", "--report", folder / "r.json")

    assert result.stdout.splitlines()[-1] == "3 files: 1 copied, 2 done already"
    assert branches(folder) == {"clip11.mkv": ["none"]}
    assert (folder / "out" / "clip9.mkv").stat().st_mtime_ns == kept
    assert invoke(folder / "in", "-o", folder / "out").exit_code == 1  # not as a series: another result


@pytest.mark.parametrize("option", [("--start", "1"), ("--preview", "1"), ("--plan", "p.yaml")])
def test_as_a_whole(folder: Path, option: tuple[str, str]) -> None:
    """What is for one file is refused, in one line."""
    result = invoke(folder / "in", "-o", folder / "out", "--series", *option)

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "a series is restored as a whole" in result.stderr
    assert not (folder / "out").exists()
