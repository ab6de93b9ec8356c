"""The file that appears only when it is complete."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamrestore.encode.partial import Partial
from streamrestore.errors import OutputError, OutputExists


def test_appears_at_commit(tmp_path: Path) -> None:
    """Until then there is only a hidden file beside it."""
    partial = Partial(tmp_path / "out.mp4")
    partial.file.write(b"abc")
    assert [path.name for path in tmp_path.iterdir()] == [".out.mp4.partial"]

    assert partial.commit() == 3

    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"abc"


def test_discard_leaves_nothing(tmp_path: Path) -> None:
    """And may be called again, and after commit."""
    partial = Partial(tmp_path / "out.mp4")
    partial.discard()
    partial.discard()
    assert list(tmp_path.iterdir()) == []

    partial = Partial(tmp_path / "out.mp4")
    partial.commit()
    partial.discard()
    assert (tmp_path / "out.mp4").exists()


def test_an_error_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    """So does Ctrl-C."""
    with pytest.raises(KeyboardInterrupt), Partial(tmp_path / "out.mp4"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_left_over_is_taken_over(tmp_path: Path) -> None:
    """A run that was killed does not stand in the way, and none of its bytes survive."""
    (tmp_path / ".out.mp4.partial").write_bytes(b"x" * 1000)

    partial = Partial(tmp_path / "out.mp4")
    partial.file.write(b"abc")
    partial.commit()

    assert (tmp_path / "out.mp4").read_bytes() == b"abc"


def test_living_writer_is_respected(tmp_path: Path) -> None:
    """Two runs do not write one file; the first one is not disturbed."""
    first = Partial(tmp_path / "out.mp4")
    with pytest.raises(OutputError, match="written by another run"):
        Partial(tmp_path / "out.mp4")
    first.file.write(b"abc")
    first.commit()
    assert (tmp_path / "out.mp4").read_bytes() == b"abc"


def test_writer_in_another_process_is_respected(tmp_path: Path) -> None:
    """The lock holds between processes, and dies with its owner."""
    code = (
        "import sys, pathlib; from streamrestore.encode.partial import Partial;"
        "p = Partial(pathlib.Path(sys.argv[1])); print('here', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out.mp4")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        with pytest.raises(OutputError, match="written by another run"):
            Partial(tmp_path / "out.mp4")
        child.kill()

    Partial(tmp_path / "out.mp4").discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a:b.mp4", "50%d.mp4", "ä ö.mp4", "-x.mp4", "concat:x|y.mp4"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    """FFmpeg does not read anything into a name; its faststart opens the file once more."""
    from tests.encode.helpers import restore
    from tests.media import read_planes, write_video

    write_video(tmp_path / "in.mp4", frames=3)

    restore(tmp_path / "in.mp4", tmp_path / name)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "in.mp4"])
    os.rename(tmp_path / name, tmp_path / "plain.mp4")  # noqa: PTH104
    assert len(read_planes(tmp_path / "plain.mp4").planes) == 3


def test_existing_file_is_kept(tmp_path: Path) -> None:
    """Only --overwrite replaces it, and only when the new one is complete."""
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with pytest.raises(OutputExists, match="--overwrite"):
        Partial(target)

    partial = Partial(target, overwrite=True)
    partial.file.write(b"new!")
    assert target.read_bytes() == b"old"
    partial.commit()
    assert target.read_bytes() == b"new!"


def test_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    """Somebody else's file is not replaced at the end, either."""
    partial = Partial(tmp_path / "out.mp4")
    (tmp_path / "out.mp4").write_bytes(b"theirs")
    with pytest.raises(OutputExists):
        partial.commit()
    partial.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_missing_folder(tmp_path: Path) -> None:
    """One line says what to do."""
    with pytest.raises(OutputError, match="the folder does not exist; create it first"):
        Partial(tmp_path / "no" / "out.mp4")


def test_folder_of_the_name(tmp_path: Path) -> None:
    """A folder is no target, not even with --overwrite."""
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        Partial(tmp_path / "out.mp4", overwrite=True)


def test_name_too_long(tmp_path: Path) -> None:
    """The file system's limit is an error of ours."""
    with pytest.raises(OutputError, match="too long"):
        Partial(tmp_path / ("x" * 250 + ".mp4"))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]
        done = subprocess.run(mount, capture_output=True)
        if done.returncode:
            pytest.skip(f"root may not mount a tmpfs here: {done.stderr.decode().strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".ts", ".avi"])
def test_full_disk(small_disk: Path, tmp_path: Path, extension: str) -> None:
    """A full disk is one line, and nothing is left on it."""
    from tests.encode.helpers import restore
    from tests.media import write_video

    write_video(tmp_path / "in.mkv", frames=12, size=(320, 240))

    with pytest.raises(OutputError, match="the disk is full") as caught:
        restore(tmp_path / "in.mkv", small_disk / f"out{extension}", crf=1.0)

    assert "\n" not in str(caught.value)
    assert list(small_disk.iterdir()) == []


def test_read_only_folder(small_disk: Path) -> None:
    """A read-only file system is one line, too."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OutputError, match="read-only"):
        Partial(small_disk / "out.mp4")


def test_folder_without_permission() -> None:
    """So is a folder of somebody else's."""
    code = (  # root may write everywhere: become nobody
        "import os, sys, pathlib; from streamrestore.encode.partial import Partial\n"
        "from streamrestore.errors import OutputError\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: Partial(pathlib.Path(sys.argv[1]))\n"
        "except OutputError as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        command = [sys.executable, "-c", code, str(Path(folder) / "out.mp4")]
        done = subprocess.run(command, capture_output=True, text=True)
        Path(folder).chmod(0o755)
    assert "the folder is not writable" in done.stdout, done.stderr
