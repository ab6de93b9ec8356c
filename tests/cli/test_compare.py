"""`compare` from the command line; the pictures are tested in tests/render."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from streamrestore.cli.main import commands
from tests.media import read_planes, write_video

QUICK = ("--preset", "ultrafast")


def invoke(*arguments: object):
    """``streamrestore compare ARGUMENTS`` in this process."""
    return CliRunner().invoke(commands, ["compare", *map(str, arguments)])


def test_writes_and_tells(tmp_path):
    """A line says what was written."""
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, frames=3, size=(64, 48))
    result = invoke(tmp_path / "a.mp4", tmp_path / "b.mp4", "-o", tmp_path / "c.mp4", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{tmp_path}/c.mp4: 3 frames of h264, ")
    assert "c.mp4: comparing, 1/3 frames" in result.stderr
    assert read_planes(tmp_path / "c.mp4").size == (130, 48)


def test_json_progress(tmp_path):
    """Progress is the same as that of a run, in a phase of its own."""
    write_video(tmp_path / "a.mp4", frames=2, size=(64, 48))
    result = invoke(
        tmp_path / "a.mp4",
        tmp_path / "a.mp4",
        "-o",
        tmp_path / "c.mkv",
        "--progress",
        "json",
        "--mode",
        "wipe",
        *QUICK,
    )
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert [(line["phase"], line["frames"]) for line in lines] == [("compare", 1), ("compare", 2)]


def test_metrics(tmp_path):
    """How near the two are is told, and written frame by frame."""
    for seed, name in enumerate(("a.mp4", "b.mp4")):
        write_video(tmp_path / name, frames=3, size=(64, 48), seed=10 * seed)
    names = (tmp_path / "a.mp4", tmp_path / "b.mp4", "-o", tmp_path / "c.mp4")
    result = invoke(*names, "--metrics", tmp_path / "m.csv", *QUICK)
    assert result.exit_code == 0, result.stderr
    _, signal, likeness = result.stdout.splitlines()
    assert signal.startswith("  PSNR ")
    assert likeness.startswith("  SSIM ")
    assert len((tmp_path / "m.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["a.mp4", "small.mp4", "-o", "c.mp4"], 2),
        (["a.mp4", "short.mp4", "-o", "c.mp4"], 2),
        (["a.mp4", "no.mp4", "-o", "c.mp4"], 1),
        (["a.mp4", "a.mp4", "-o", "c.txt"], 2),
        (["a.mp4", "small.mp4", "-o", "small.mp4", "--overwrite"], 1),
        (["a.mp4", "short.mp4", "-o", "short.mp4"], 1),
        (["a.mp4", "a.mp4", "-o", "c.mp4", "--metrics", "m.txt"], 2),
        (["a.mp4", "a.mp4", "-o", "c.mp4", "--metrics", "a.mp4"], 2),
        (["a.mp4", "a.mp4", "-o", "c.mp4", "--metrics", "no/m.csv"], 1),
    ],
    ids=str,
)
def test_mistakes_leave_nothing(tmp_path, monkeypatch, arguments, status):
    """One line, the right status, no trace."""
    write_video(tmp_path / "a.mp4", frames=3, size=(64, 48))
    write_video(tmp_path / "small.mp4", frames=3, size=(32, 48))
    write_video(tmp_path / "short.mp4", frames=2, size=(64, 48))
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments, "--progress", "none", *QUICK)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "short.mp4", "small.mp4"]
