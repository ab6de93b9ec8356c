"""The file sink: its life, its report, and what it refuses."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

import streamrestore.encode
from streamrestore.encode import FileSink
from streamrestore.errors import OutputError, UnsupportedOutput
from streamrestore.frames import ColorInfo, FrameBatch
from streamrestore.seams import Restored, Sink, SourceInfo
from streamrestore.settings import EncodeSettings
from streamrestore.weather import Decision
from tests.encode.helpers import packet_hashes, read_source, restore
from tests.encode.test_pictures import make_batch
from tests.media import read_planes, write_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short video with sound."""
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    write_video(path, frames=12, pattern="moving", audio=True, metadata={"title": "T", "comment": "old"})
    return path


def batches_of(path: Path) -> tuple[SourceInfo, list[Restored]]:
    """What the pipeline would hand over."""
    info, batches = read_source(path)
    return info, [Restored(batch, Decision()) for batch in batches]


FAST = EncodeSettings(preset="ultrafast", threads=1)


def test_exports_are_sorted() -> None:
    """The package shows what it promises."""
    names = streamrestore.encode.__all__
    assert list(names) == sorted(names)
    assert all(hasattr(streamrestore.encode, name) for name in names)


def test_is_a_sink(clip: Path, tmp_path: Path) -> None:
    """It satisfies the seam."""
    info, _ = batches_of(clip)
    sink: Sink = FileSink(tmp_path / "out.mp4", info, FAST, source_path=clip)
    sink.abort()


def test_report(clip: Path, tmp_path: Path) -> None:
    """Counts, size, codec and path are those of the file."""
    report = restore(clip, tmp_path / "out.mp4")

    assert report.path == tmp_path / "out.mp4"
    assert report.frames == 12
    assert report.codec == "h264"
    assert report.bytes == (tmp_path / "out.mp4").stat().st_size
    assert report.copied == {1: len(packet_hashes(clip))}
    assert report.dropped == report.notes == ()


@pytest.mark.parametrize(
    ("extension", "codec"),
    [
        (".mp4", "h264"),
        (".m4v", "h264"),
        (".mov", "h264"),
        (".mkv", "h264"),
        (".ts", "h264"),
        (".m2ts", "h264"),
        (".avi", "h264"),
        (".webm", "vp9"),
    ],
)
def test_default_codec(clip: Path, tmp_path: Path, extension: str, codec: str) -> None:
    """H.264 where the container holds it."""
    path = tmp_path / f"OUT{extension.upper()}"

    assert restore(clip, path, codec="auto").codec == codec

    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == codec


def test_webm_with_more_bits_is_av1(tmp_path: Path) -> None:
    """VP9 here takes 8 bits only: 10 bit stays 10 bit as AV1."""
    write_video(tmp_path / "in.mkv", frames=3, pix_fmt="yuv420p10le")

    report = restore(tmp_path / "in.mkv", tmp_path / "out.webm", preset="12")

    assert report.codec == "av1"
    assert report.notes == ()
    assert read_planes(tmp_path / "out.webm").pix_fmt == "yuv420p10le"


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_remark_and_metadata(clip: Path, tmp_path: Path, extension: str) -> None:
    """The file says what made it, after what it said before."""
    path = tmp_path / f"out{extension}"
    restore(clip, path, remark="restored by streamrestore 0.1.0, settings 0123456789ab")

    with av.open(str(path)) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
    assert found["comment"] == "old | restored by streamrestore 0.1.0, settings 0123456789ab"
    assert found["title"] == "T"


def test_header_is_in_front(clip: Path, tmp_path: Path) -> None:
    """An mp4 can be played while it loads."""
    restore(clip, tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_abort_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    """At any moment, and more than once."""
    info, items = batches_of(clip)
    for count in (0, 1, len(items)):
        sink = FileSink(tmp_path / "out.mp4", info, FAST, source_path=clip)
        for item in items[:count]:
            sink.write(item)
        sink.abort()
        sink.abort()
        gc.collect()
        assert list(tmp_path.iterdir()) == []


def test_abort_after_finish_keeps_the_file(clip: Path, tmp_path: Path) -> None:
    """So that `finally: sink.abort()` is right."""
    restore(clip, tmp_path / "out.mp4")  # does so
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_abort_keeps_the_old_file(clip: Path, tmp_path: Path) -> None:
    """--overwrite replaces nothing before the new file is complete."""
    (tmp_path / "out.mp4").write_bytes(b"old")
    info, items = batches_of(clip)
    settings = EncodeSettings(preset="ultrafast", overwrite=True)
    sink = FileSink(tmp_path / "out.mp4", info, settings, source_path=clip)
    sink.write(items[0])
    sink.abort()

    assert (tmp_path / "out.mp4").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_ctrl_c_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    """SIGINT in the midst of writing; no trailer is written, either."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from streamrestore.encode import FileSink\n"
        "from tests.encode.test_file import FAST, batches_of\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored in a background job\n"
        "info, items = batches_of(pathlib.Path(sys.argv[1]))\n"
        "sink = FileSink(pathlib.Path(sys.argv[2]), info, FAST, source_path=pathlib.Path(sys.argv[1]))\n"
        "try:\n"
        "    for index, item in enumerate(items):\n"
        "        if index == 6: os.kill(os.getpid(), signal.SIGINT)\n"
        "        sink.write(item)\n"
        "except KeyboardInterrupt:\n"
        "    sink.abort()\n"
        "    print('stopped')\n"
    )
    command = [sys.executable, "-c", code, str(clip), str(tmp_path / "out.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])

    assert done.stdout == "stopped\n", done.stderr
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_killed_run_is_taken_over(clip: Path, tmp_path: Path) -> None:
    """kill -9 leaves a hidden file, and the next run is not disturbed by it."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from streamrestore.encode import FileSink\n"
        "from tests.encode.test_file import FAST, batches_of\n"
        "info, items = batches_of(pathlib.Path(sys.argv[1]))\n"
        "sink = FileSink(pathlib.Path(sys.argv[2]), info, FAST, source_path=pathlib.Path(sys.argv[1]))\n"
        "for item in items: sink.write(item)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, str(clip), str(tmp_path / "out.mp4")]
    subprocess.run(command, capture_output=True, cwd=Path(__file__).parents[2])
    assert [path.name for path in tmp_path.iterdir()] == [".out.mp4.partial"]

    restore(clip, tmp_path / "out.mp4")

    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert len(read_planes(tmp_path / "out.mp4").planes) == 12


def test_no_frame(clip: Path, tmp_path: Path) -> None:
    """An empty video is an error, not an empty file."""
    info, _ = batches_of(clip)
    sink = FileSink(tmp_path / "out.mp4", info, FAST, source_path=clip)
    with pytest.raises(OutputError, match="no frame came"):
        sink.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("size", "pix_fmt"), [((32, 48), "yuv420p"), ((64, 48), "yuv422p")])
def test_change_on_the_way(clip: Path, tmp_path: Path, size: tuple[int, int], pix_fmt: str) -> None:
    """FFmpeg would scale silently: another size or format is refused, and nothing is left."""
    info, items = batches_of(clip)
    _, other = make_batch(pix_fmt, size, ColorInfo())
    sink = FileSink(tmp_path / "out.mp4", info, FAST, source_path=clip)
    sink.write(items[0])
    with pytest.raises(UnsupportedOutput, match="at frame 1; one file cannot hold both"):
        sink.write(Restored(other, Decision()))
    assert list(tmp_path.iterdir()) == []


def test_change_of_tags_is_noted(clip: Path, tmp_path: Path) -> None:
    """Samples of another colour are written as they are, and the report tells."""
    info, items = batches_of(clip)
    sink = FileSink(tmp_path / "out.mkv", info, FAST, source_path=None)
    sink.write(items[0])
    old = items[1].frames
    new = FrameBatch(old.frames, old.width, old.height, old.format, old.time_base, ColorInfo(1, 1))
    sink.write(Restored(new, Decision()))
    report = sink.finish()
    assert any("the file keeps the first ones" in note for note in report.notes)


def test_interlaced_is_noted(clip: Path, tmp_path: Path) -> None:
    """Lines of both fields are kept; that they are fields is not said in the file."""
    info, items = batches_of(clip)
    old = items[0].frames
    frame = replace(old.frames[0], interlaced=True)
    sink = FileSink(tmp_path / "out.mkv", info, FAST, source_path=None)
    sink.write(Restored(replace(old, frames=(frame,)), Decision()))
    assert any("not marked as interlaced" in note for note in sink.finish().notes)


def test_empty_batches_are_nothing(clip: Path, tmp_path: Path) -> None:
    """A batch without frames changes nothing."""
    info, items = batches_of(clip)
    sink = FileSink(tmp_path / "out.mkv", info, FAST, source_path=None)
    sink.write(Restored(FrameBatch((), 64, 48, info.format, Fraction(1, 25)), Decision()))
    sink.write(items[0])
    assert sink.finish().frames == 1


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "ffv1"])
def test_same_input_same_file(clip: Path, tmp_path: Path, codec: str) -> None:
    """Twice the same bytes, with two threads, too: a run can be repeated."""
    preset = {"h264": "medium", "hevc": "fast", "av1": "10"}.get(codec)
    info, items = batches_of(clip)
    hashes = set()
    for attempt in range(2):
        path = tmp_path / f"{attempt}.mkv"
        settings = EncodeSettings(codec=codec, preset=preset, threads=2)  # type: ignore[arg-type]
        sink = FileSink(path, info, settings, source_path=None)
        for item in items:
            sink.write(item)
        sink.finish()
        hashes.add(hashlib.sha256("".join(packet_hashes(path, "video")).encode()).hexdigest())
    assert len(hashes) == 1


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_quality_and_preset_arrive(clip: Path, tmp_path: Path, codec: str) -> None:
    """A worse quality makes a smaller file: FFmpeg would ignore an option it does not know."""
    presets = ("12", "6") if codec == "av1" else ("ultrafast", "slow")
    sizes = {
        crf: restore(clip, tmp_path / f"{crf}.mkv", codec=codec, crf=float(crf), preset=presets[0]).bytes
        for crf in (5, 45)
    }
    assert sizes[45] < sizes[5]
    other = restore(clip, tmp_path / "slow.mkv", codec=codec, crf=5.0, preset=presets[1]).bytes
    assert other != sizes[5]


def test_nothing_on_stderr(clip: Path, tmp_path: Path) -> None:
    """The encoders do not talk to the terminal."""
    code = (
        "import pathlib, sys\n"
        "from tests.encode.helpers import restore\n"
        "for codec in ('h264', 'hevc', 'av1', 'ffv1'):\n"
        "    restore(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) / f'{codec}.mkv', codec=codec)\n"
    )
    command = [sys.executable, "-c", code, str(clip), str(tmp_path)]
    environment = {key: value for key, value in os.environ.items() if key != "SVT_LOG"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[2], env=environment
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
