"""The folder beside the output: its lock, and what is left in it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from streamrestore.errors import OutputError
from streamrestore.pipeline.manifest import Manifest
from streamrestore.pipeline.workplace import Workplace, partial_path
from tests.pipeline.test_manifest import JOB

ROOT = Path(__file__).parents[2]


def test_folder_beside_the_output(tmp_path: Path) -> None:
    """It is hidden, on the same file system, and bears the output's name."""
    with Workplace(tmp_path / "out.mp4") as place:
        assert place.folder == tmp_path / ".out.mp4.streamrestore"
        assert place.manifest.parent == place.folder
        assert place.folder.is_dir()


def test_work_stays_and_leavings_go(tmp_path: Path) -> None:
    """The next run finds segments and manifest, but nothing that was not finished."""
    with Workplace(tmp_path / "out.mp4") as place:
        Manifest(place.manifest).begin(JOB)
        for number in (0, 1):
            partial = partial_path(place.folder, number)
            partial.write_bytes(b"packets")
        adopted = place.adopt(0, partial_path(place.folder, 0))
        place.manifest.with_name("manifest.jsonl.partial").write_bytes(b"torn")

    with Workplace(tmp_path / "out.mp4") as place:
        assert adopted == place.folder / "00000.packets"
        assert sorted(path.name for path in place.folder.iterdir()) == [
            "00000.packets", "lock", "manifest.jsonl"
        ]  # fmt: skip
        assert adopted.read_bytes() == b"packets"
        assert Manifest(place.manifest).facts.job == JOB


def test_adopt_replaces(tmp_path: Path) -> None:
    """A segment that is made anew takes the place of the old one."""
    with Workplace(tmp_path / "out.mp4") as place:
        for data in (b"old", b"new"):
            partial_path(place.folder, 7).write_bytes(data)
            path = place.adopt(7, partial_path(place.folder, 7))
        assert path.read_bytes() == b"new"


def test_clear_keeps_the_lock(tmp_path: Path) -> None:
    """All work is forgotten, and nobody else gets in."""
    with Workplace(tmp_path / "out.mp4") as place:
        Manifest(place.manifest).begin(JOB)
        partial_path(place.folder, 0).write_bytes(b"packets")
        place.adopt(0, partial_path(place.folder, 0))
        place.clear()
        assert [path.name for path in place.folder.iterdir()] == ["lock"]
        with pytest.raises(OutputError):
            Workplace(tmp_path / "out.mp4")


def test_remove_leaves_nothing(tmp_path: Path) -> None:
    """When the job is done."""
    with Workplace(tmp_path / "out.mp4") as place:
        Manifest(place.manifest).begin(JOB)
        partial_path(place.folder, 0).write_bytes(b"packets")
        place.remove()
    assert list(tmp_path.iterdir()) == []


def test_remove_keeps_what_is_not_ours(tmp_path: Path) -> None:
    """A file that somebody put there is no error, and stays."""
    with Workplace(tmp_path / "out.mp4") as place:
        (place.folder / "notes.txt").write_text("mine")
        place.remove()
    assert [path.name for path in place.folder.iterdir()] == ["notes.txt"]


def test_second_run_is_refused(tmp_path: Path) -> None:
    """It hears who is at work, and what to do; the first one is not disturbed."""
    with Workplace(tmp_path / "out.mp4") as place:
        with pytest.raises(OutputError) as caught:
            Workplace(tmp_path / "out.mp4")
        assert str(caught.value) == (
            f"{tmp_path / 'out.mp4'} is being made by another run (process {os.getpid()} on "
            f"{socket.gethostname()}); wait until it ends, stop it, or name another output"
        )
        Workplace(tmp_path / "other.mp4").close()
        place.close()
        Workplace(tmp_path / "out.mp4").close()


def test_lock_dies_with_its_process(tmp_path: Path) -> None:
    """kill -9: the next run takes over at once."""
    code = (
        "import sys, pathlib; from streamrestore.pipeline.workplace import Workplace;"
        "p = Workplace(pathlib.Path(sys.argv[1])); print('here', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out.mp4")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        with pytest.raises(OutputError, match=f"process {child.pid} on "):
            Workplace(tmp_path / "out.mp4")
        child.kill()

    Workplace(tmp_path / "out.mp4").close()


def test_runs_that_come_and_go(tmp_path: Path) -> None:
    """While one removes the folder others come in: there is never more than one, and no error but ours."""
    code = (
        "import os, sys, pathlib\n"
        "from streamrestore.errors import OutputError\n"
        "from streamrestore.pipeline.workplace import Workplace\n"
        "output, alone = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])\n"
        "done = 0\n"
        "while done < 40:\n"
        "    try: place = Workplace(output)\n"
        "    except OutputError as error:\n"
        "        assert 'another run' in str(error), error\n"
        "        continue\n"
        "    os.close(os.open(alone, os.O_CREAT | os.O_EXCL))\n"  # fails if somebody else is in
        "    alone.unlink()\n"
        "    place.remove()\n"
        "    done += 1\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out.mp4"), str(tmp_path / "alone")]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    errors = [run.communicate()[1] for run in runs]

    assert errors == ["", "", ""]
    assert list(tmp_path.iterdir()) == []


def test_lock_that_says_nothing(tmp_path: Path) -> None:
    """A lock that is just being written is respected, too."""
    with Workplace(tmp_path / "out.mp4") as place:
        (place.folder / "lock").write_bytes(b"")
        with pytest.raises(OutputError, match="another process"):
            Workplace(tmp_path / "out.mp4")


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Errors of the system are ours, and no lock is left."""
    with pytest.raises(OutputError, match="the folder does not exist; create it first"):
        Workplace(tmp_path / "no" / "out.mp4")
    (tmp_path / ".out.mp4.streamrestore").write_text("a file")
    with pytest.raises(OutputError, match="cannot create"):
        Workplace(tmp_path / "out.mp4")
    with pytest.raises(OutputError, match="too long"):
        Workplace(tmp_path / ("x" * 245))


def test_folder_that_is_gone(tmp_path: Path) -> None:
    """Whoever deletes it under us gets an error of ours."""
    with Workplace(tmp_path / "out.mp4") as place:
        shutil.rmtree(place.folder)
        with pytest.raises(OutputError):
            place.adopt(0, partial_path(place.folder, 0))
        with pytest.raises(OutputError):
            place.remove()
