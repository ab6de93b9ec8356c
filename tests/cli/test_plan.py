"""A plan: written by `inspect`, edited, obeyed by `restore`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result

from streamrestore.cli.main import commands
from tests.media import read_planes, write_video
from tests.pipeline.test_job import exact, scene
from tests.restorers import CLEAN_LEVEL, RAIN_LEVEL, small_restorer, without_weights

LOSSLESS = ("--codec", "ffv1", "--progress", "none")
FRAMES = 80


def invoke(*arguments: Any) -> Result:
    """``streamrestore ARGUMENTS`` in this process."""
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clear scene and one of rain, 1.6 s each, and a restorer that sees which is which."""
    without_weights(monkeypatch)
    for place in ("job", "plan"):
        monkeypatch.setattr(f"streamrestore.pipeline.{place}.make_restorer", lambda _: small_restorer())
    write_video(tmp_path / "in.mkv", planes=scene(CLEAN_LEVEL, 1, 40) + scene(RAIN_LEVEL, 2, 40))
    return tmp_path


def planned(folder: Path) -> str:
    """The plan that `inspect` writes."""
    result = invoke("inspect", folder / "in.mkv", "--plan", folder / "plan.yaml")
    assert result.exit_code == 0, result.stderr
    return (folder / "plan.yaml").read_text()


def obeyed(folder: Path, text: str, *more: Any) -> Result:
    """Restore by a plan."""
    (folder / "plan.yaml").write_text(text)
    return invoke(
        "restore",
        folder / "in.mkv",
        "-o",
        folder / "out.mkv",
        "--plan",
        folder / "plan.yaml",
        *LOSSLESS,
        *more,
    )


def untouched(folder: Path) -> list[bool]:
    """Whether each picture came out exactly as it was."""
    before, after = read_planes(folder / "in.mkv").planes, read_planes(folder / "out.mkv").planes
    return [exact(a, b) for a, b in zip(before, after, strict=True)]


def test_written(folder: Path) -> None:
    """An entry for each clip, in order of time, with what was seen as a comment."""
    text = planned(folder)

    entries = re.findall(r"start: (\S+), end: (\S+), branch: (\S+), strength: 1}  # (\S+)", text)
    assert entries == [
        ("0:00:00.000", "0:00:01.600", "none", "clean:"),
        ("0:00:01.600", "0:00:03.200", "rain", "classified:"),
    ]
    assert "rain 100% (severity 0.5)" in text


def test_unchanged_plan_changes_nothing(folder: Path) -> None:
    """Restoring by the plan as it was written is restoring without one."""
    text = planned(folder)
    invoke("restore", folder / "in.mkv", "-o", folder / "plain.mkv", *LOSSLESS)

    result = obeyed(folder, text)

    assert result.exit_code == 0, result.stderr
    plain, by_plan = (read_planes(folder / name).planes for name in ("plain.mkv", "out.mkv"))
    assert all(exact(a, b) for a, b in zip(plain, by_plan, strict=True))


def test_edited_plan(folder: Path) -> None:
    """Entries split, joined, deleted: each picture gets what the entry over it says, to the very picture."""
    text = planned(folder).partition("entries:")[0] + (
        "entries:\n"
        "  - {start: 0.2, end: 0.6, branch: haze}\n"
        "  - {start: 0.6, end: 1, branch: auto, strength: 0.5}\n"
        "  - {start: 1.4, end: 1.8, branch: rain+haze, strength: 1.2}\n"
        "  - {start: 2, end: 2.4, branch: rain, strength: 0}\n"
        "  - {start: 2.4, end: 2.44, branch: none}\n"
    )

    result = obeyed(folder, text, "--report", folder / "r.json")

    assert result.exit_code == 0, result.stderr
    expected = [True] * 5 + [False] * 10 + [True] * 20 + [False] * 15 + [True] * 11 + [False] * 19
    assert untouched(folder) == expected
    with av.open(str(folder / "out.mkv")) as container:
        comment = container.metadata["COMMENT"]
    assert re.search(r"settings [0-9a-f]{12}, plan [0-9a-f]{12}, input [0-9a-f]{12}$", comment)


def test_strength_of_an_entry(folder: Path) -> None:
    """Half the strength is half the change."""
    invoke("restore", folder / "in.mkv", "-o", folder / "plain.mkv", "--branch", "rain", *LOSSLESS)

    obeyed(folder, "entries: [{start: 0, end: 3.2, branch: rain, strength: 0.5}]")

    before, whole, half = (read_planes(folder / name).planes for name in ("in.mkv", "plain.mkv", "out.mkv"))
    for old, new, between in zip(before, whole, half, strict=True):
        change = new[0].astype(int) - old[0]
        clipped = (new[0] == 0) | (new[0] == 255)
        assert np.abs((between[0] - old[0].astype(int) - change / 2)[~clipped]).max() <= 1
        assert np.abs(change).max() > 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("entries:\n- {start: 0, end: 3.3}", ":2: the entry ends at 0:00:03.300, and the video at 0:00:03.2"),
        ("fingerprint: 12\nentries: []", ":1: the plan was made for another file"),
        ("entries:\n- {start: 0, end: 1}\n- {start: 0.9, end: 1}", ":3: the entry overlaps that of line 2"),
    ],
)  # fmt: skip
def test_refused(folder: Path, text: str, said: str) -> None:
    """One line, status 2, nothing written."""
    result = obeyed(folder, text)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert f"{folder}/plan.yaml{said}" in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["in.mkv", "plan.yaml"]


def test_edited_since_an_interrupted_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments that were made by another plan are not used; those of a plan that says the same are."""
    settings = folder / "s.yaml"
    settings.write_text("windows: {clip_seconds: 0.4, segment_seconds: 0.4}")
    from streamrestore.pipeline.resume import Manifest

    add = Manifest.add

    def fail(self: Manifest, fact: Any) -> None:
        add(self, fact)
        if fact.number == 1:
            raise RuntimeError("the power failed")

    plan = "entries: [{start: 0, end: 3.2, branch: rain}]"
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "add", fail)
        obeyed(folder, plan, "--settings", settings)
    same = obeyed(folder, plan + "  # the same", "--settings", settings)
    assert "segments were there from an earlier run" in same.stdout

    (folder / "out.mkv").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "add", fail)
        obeyed(folder, plan, "--settings", settings)
    other = obeyed(folder, plan.replace("rain", "haze"), "--settings", settings)
    assert "the plan for the clips is another" in other.stdout


def test_there_already(folder: Path) -> None:
    """What a user may have edited is not replaced unasked, and no other file is taken for a plan."""
    planned(folder)
    (folder / "plan.yaml").write_text("precious")

    refused = invoke("inspect", folder / "in.mkv", "--plan", folder / "plan.yaml")

    assert (refused.exit_code, (folder / "plan.yaml").read_text()) == (1, "precious")
    assert invoke("inspect", folder / "in.mkv", "--plan", folder / "plan.yaml", "--overwrite").exit_code == 0
    assert "entries:" in (folder / "plan.yaml").read_text()
    assert invoke("inspect", folder / "in.mkv", "--plan", folder / "plan.txt").exit_code == 2
