"""Files in which nothing is restored: packets are copied."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamrestore.decode import open_source
from streamrestore.encode import CannotCopy, copy_file
from streamrestore.errors import Interrupted, OutputError, OutputExists, UsageError
from streamrestore.frames import Frame, FrameBatch
from streamrestore.seams import SinkReport, SourceInfo, StreamInfo
from streamrestore.settings import EncodeSettings
from tests.encode.boxes import add_to_sample_entry
from tests.encode.helpers import ffprobe, packet_hashes, pixel_format, read_source, read_times
from tests.media import read_planes, write_video

B_FRAMES = {"codec": "libx264", "options": {"preset": "veryfast", "qp": "20"}}
HEVC = {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none"}}
MADE: dict[str, dict[str, Any]] = {
    "b.mp4": {"frames": 30, "audio": True, **B_FRAMES},
    "b.mkv": {"frames": 30, "audio": True, "rate": Fraction(24000, 1001), **B_FRAMES},
    "b.ts": {"frames": 30, "audio": True, **B_FRAMES},
    "hevc.mp4": {"frames": 12, "audio": True, **HEVC},
    "variable.mkv": {
        "frames": 6, "times": [0, 40, 90, 300, 320, 700], "time_base": Fraction(1, 1000), **B_FRAMES,
    },
    "start.mov": {"frames": 8, "audio": True, "start": 45000, "time_base": Fraction(1, 90000), **B_FRAMES},
    "v.webm": {"frames": 10, "audio": True},
    "m.avi": {"frames": 10, "audio": {"codec": "libmp3lame"}, "codec": "mpeg4"},
    "hidden.mp4": {
        "frames": 40, "audio": True, "start": -512 * 10, "time_base": Fraction(1, 12800), "rotation": 90,
        "matrix": 1, "range": 2, "sample_aspect_ratio": Fraction(4, 3), **B_FRAMES,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every source."""
    folder = tmp_path_factory.mktemp("made")
    for name, keywords in MADE.items():
        write_video(folder / name, pattern="moving", **keywords)
    return folder


def copy(source: Path, target: Path, **settings: Any) -> SinkReport:
    """As the pipeline would."""
    return copy_file(source, target, read_source(source)[0], EncodeSettings(**settings), remark="by a test")


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("b.mp4", ".mp4"), ("b.mp4", ".mov"), ("b.mp4", ".mkv"), ("b.mp4", ".ts"),
        ("b.mkv", ".mkv"), ("b.mkv", ".mp4"), ("b.mkv", ".ts"),
        ("b.ts", ".ts"), ("b.ts", ".mp4"), ("b.ts", ".mkv"),
        ("hevc.mp4", ".mp4"), ("hevc.mp4", ".mkv"), ("hevc.mp4", ".ts"),
        ("variable.mkv", ".mkv"), ("variable.mkv", ".mp4"), ("variable.mkv", ".ts"),
        ("start.mov", ".mov"), ("start.mov", ".mp4"), ("start.mov", ".mkv"), ("start.mov", ".ts"),
        ("v.webm", ".webm"), ("v.webm", ".mkv"), ("v.webm", ".mp4"),
        ("m.avi", ".avi"), ("m.avi", ".mkv"), ("m.avi", ".mp4"),
        ("hidden.mp4", ".mp4"), ("hidden.mp4", ".mov"),
    ],
)  # fmt: skip
def test_copies_are_exact(made: Path, tmp_path: Path, name: str, extension: str) -> None:
    """The same pictures at the same times with the same sound, and the same tags."""
    source, target = made / name, tmp_path / f"out{extension}"

    report = copy(source, target)

    before, after = read_planes(source), read_planes(target)
    assert report.frames == len(before.planes) == len(after.planes)
    assert after.tags == before.tags
    for old, new in zip(before.planes, after.planes, strict=True):
        for a, b in zip(old, new, strict=True):
            np.testing.assert_array_equal(a, b)
    old_times, new_times = read_times(source), read_times(target)
    for x, y in zip(old_times.video, new_times.video, strict=True):
        assert abs(y - new_times.video[0] - x + old_times.video[0]) <= new_times.video_tick
    tick = max(new_times.video_tick, new_times.audio_tick)
    for x, y in zip(old_times.audio, new_times.audio, strict=True):
        assert abs(y - new_times.video[0] - x + old_times.video[0]) <= tick
    if source.suffix == extension:
        assert packet_hashes(target, "video") == packet_hashes(source, "video")
        assert new_times.video[0] == old_times.video[0]
        if old_times.audio:
            assert packet_hashes(target) == packet_hashes(source)
    if name == "hidden.mp4":
        assert after.rotation == 90
        assert after.sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".ts"])
def test_ffprobe_sees_the_same_times(made: Path, tmp_path: Path, extension: str) -> None:
    """Another reader, reordered pictures."""
    copy(made / "b.mkv", tmp_path / f"out{extension}")
    frames = ffprobe(tmp_path / f"out{extension}", "-show_frames", "-select_streams", "v")["frames"]
    times = [Fraction(frame["pts_time"]) for frame in frames]
    for index, time in enumerate(times):
        assert abs(time - times[0] - index * Fraction(1001, 24000)) < Fraction(11, 10_000)


@pytest.mark.parametrize(
    ("name", "extension", "says"),
    [
        ("b.mp4", ".webm", "does not hold h264"),
        ("v.webm", ".mov", "does not hold vp9"),
        ("v.webm", ".ts", "does not hold vp9"),
        ("b.mp4", ".avi", "constant frame rate only"),
        ("hidden.mp4", ".mkv", "an edit list of the input hides"),
        ("hidden.mp4", ".ts", "an edit list of the input hides"),
    ],
)
def test_what_cannot_be_copied_says_so(
    made: Path, tmp_path: Path, name: str, extension: str, says: str
) -> None:
    """A clear signal to encode instead, and nothing left behind."""
    with pytest.raises(CannotCopy, match=says):
        copy(made / name, tmp_path / f"out{extension}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["raw.h264", "b-frames.avi"])
def test_video_without_times_cannot_be_copied(tmp_path: Path, name: str) -> None:
    """Nobody knows when its pictures are shown before they are decoded."""
    source = tmp_path / name
    container = "h264" if name == "raw.h264" else None
    write_video(source, frames=12, pattern="moving", container=container, **B_FRAMES)
    base = Fraction(1, 25)
    stream = StreamInfo(0, "video", "h264", base, None, None)
    batch = FrameBatch((Frame((), 0),), 64, 48, pixel_format("yuv420p"), base)
    kind = name.partition(".")[2]
    info = SourceInfo(name, kind, (stream,), stream, 64, 48, batch.format, "yuv420p", batch.color, base)

    with pytest.raises(CannotCopy, match="does not store when"):
        copy_file(source, tmp_path / "out.mp4", info, EncodeSettings())

    assert not (tmp_path / "out.mp4").exists()


def test_pictures_hidden_in_the_middle_cannot_be_copied(made: Path, tmp_path: Path) -> None:
    """FFmpeg writes edit lists that begin late, not ones that end early."""
    source, cut = made / "b.mp4", tmp_path / "cut.mp4"
    data = bytearray(source.read_bytes())
    at = data.index(b"elst")
    version = data[at + 4]
    assert version == 0
    scale_at = data.index(b"mvhd") + 16
    scale = int.from_bytes(data[scale_at : scale_at + 4], "big")
    data[at + 12 : at + 16] = (scale // 2).to_bytes(4, "big")  # half a second is shown
    cut.write_bytes(data)
    with av.open(str(cut)) as container:
        assert any(packet.is_discard for packet in container.demux(video=0))

    with pytest.raises(CannotCopy, match="edit list"):
        copy(cut, tmp_path / "out.mp4")


def test_stop_leaves_nothing(made: Path, tmp_path: Path) -> None:
    """A long copy can be interrupted."""
    info = read_source(made / "b.mp4")[0]
    answers = iter([False] * 10 + [True])
    with pytest.raises(Interrupted):
        copy_file(made / "b.mp4", tmp_path / "out.mp4", info, EncodeSettings(), stop=lambda: next(answers))
    assert list(tmp_path.iterdir()) == []


def test_report_and_remark(made: Path, tmp_path: Path) -> None:
    """The report says that it is a copy, and so does the file."""
    report = copy(made / "b.mp4", tmp_path / "out.mp4")

    assert report.codec == "h264 (copied)"
    assert set(report.copied) == {0, 1}
    assert report.bytes == (tmp_path / "out.mp4").stat().st_size
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["comment"] == "by a test"


def test_name_of_hevc_is_kept(made: Path, tmp_path: Path) -> None:
    """Players of Apple take hvc1 only."""
    for name in ("first.mp4", "second.mp4"):
        source = made / "hevc.mp4" if name == "first.mp4" else tmp_path / "encoded.mp4"
        if name == "second.mp4":
            from tests.encode.helpers import restore

            restore(made / "hevc.mp4", source, codec="hevc")
        copy(source, tmp_path / name)
        with av.open(str(source)) as old, av.open(str(tmp_path / name)) as new:
            tag = new.streams.video[0].codec_context.codec_tag
            assert tag == old.streams.video[0].codec_context.codec_tag
    assert tag == "hvc1"


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".mov", ".ts"])
def test_stereo_pictures(tmp_path: Path, extension: str) -> None:
    """What stands beside the pictures about their meaning is kept, or its loss noted."""
    write_video(tmp_path / "in.mp4", frames=3, pattern="moving", **B_FRAMES)
    add_to_sample_entry(tmp_path / "in.mp4", b"\0\0\0\x0dst3d\0\0\0\0\x01")  # one picture above the other
    with open_source(str(tmp_path / "in.mp4")) as source:
        info = source.info
    assert info.side_data == ("stereo 3D",)

    report = copy_file(tmp_path / "in.mp4", tmp_path / f"out{extension}", info, EncodeSettings())

    with open_source(str(tmp_path / f"out{extension}")) as source:
        kept = "stereo 3D" in source.info.side_data
    assert kept == (extension != ".ts")
    assert any(note.startswith("stereo 3D: ") for note in report.notes) == (not kept)


def test_errors(made: Path, tmp_path: Path) -> None:
    """The same discipline as the sink's."""
    with pytest.raises(UsageError, match="known are"):
        copy(made / "b.mp4", tmp_path / "out.xyz")
    with pytest.raises(OutputError, match="is the input itself"):
        copy(made / "b.mp4", made / "b.mp4", overwrite=True)
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(OutputExists):
        copy(made / "b.mp4", tmp_path / "out.mp4")
    copy(made / "b.mp4", tmp_path / "out.mp4", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
