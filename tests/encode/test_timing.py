"""Times of pictures and sound through the sink, read back by PyAV and by ffprobe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from streamrestore.encode import FileSink
from streamrestore.errors import UnsupportedOutput
from streamrestore.frames import FrameBatch
from streamrestore.seams import Restored
from streamrestore.settings import EncodeSettings
from streamrestore.weather import Decision
from tests.encode.helpers import ffprobe, packet_hashes, read_source, read_times, restore
from tests.media import write_video
from tests.needs import needs_ffprobe

VARIABLE = [0, 3000, 9000, 12000, 40000, 41000, 60000, 80000]
B_FRAMES = {"preset": "veryfast"}
SOURCES: dict[str, Callable[[Path], object]] = {
    "25.mp4": lambda path: write_video(path, frames=12, pattern="moving", audio=True),
    "23.976.mp4": lambda path: write_video(
        path, frames=12, pattern="moving", audio=True, rate=Fraction(24000, 1001)
    ),
    "59.94.mkv": lambda path: write_video(
        path, frames=16, pattern="moving", audio={"codec": "libopus"}, rate=Fraction(60000, 1001)
    ),
    "variable.mp4": lambda path: write_video(
        path, frames=8, pattern="moving", audio=True, times=VARIABLE, time_base=Fraction(1, 90000)
    ),
    "start.mov": lambda path: write_video(
        path, frames=8, pattern="moving", audio=True, start=45001, time_base=Fraction(1, 90000),
        container_options={"movie_timescale": "90000"},
    ),
    "b-frames.ts": lambda path: write_video(
        path, frames=20, pattern="moving", audio=True, codec="libx264", options=B_FRAMES
    ),
    "gap.mkv": lambda path: write_video(
        path, frames=8, pattern="moving", audio={"codec": "libopus"}, times=[0, 1, 2, 3, 8, 9, 10, 11]
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every source."""
    folder = tmp_path_factory.mktemp("sources")
    for name, make in SOURCES.items():
        make(folder / name)
    return folder


REFUSED = {("variable.mp4", ".avi")}


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".ts", ".avi", ".webm"])
@pytest.mark.parametrize("name", SOURCES)
def test_times_are_kept(sources: Path, tmp_path: Path, name: str, extension: str) -> None:
    """Every picture stays within a tick, relative to the first, and the sound against it."""
    source, target = sources / name, tmp_path / f"out{extension}"
    if (name, extension) in REFUSED:
        with pytest.raises(UnsupportedOutput, match="write mkv or mp4"):
            restore(source, target, preset="veryfast")
        return

    report = restore(source, target, **({} if extension == ".webm" else {"preset": "veryfast"}))

    before, after = read_times(source), read_times(target)
    assert len(after.video) == len(before.video) == report.frames
    for old, new in zip(before.video, after.video, strict=True):
        assert abs((new - after.video[0]) - (old - before.video[0])) <= after.video_tick
    if after.audio:
        tick = max(after.video_tick, after.audio_tick)
        assert len(after.audio) == len(before.audio)
        for old, new in zip(before.audio, after.audio, strict=True):
            assert abs((new - after.video[0]) - (old - before.video[0])) <= tick
    else:
        assert any("audio" in line for line in report.dropped)


@needs_ffprobe
@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".ts", ".avi"])
@pytest.mark.parametrize("name", ["23.976.mp4", "gap.mkv"])
def test_ffprobe_agrees(sources: Path, tmp_path: Path, name: str, extension: str) -> None:
    """Another reader sees the same times, of pictures and of sound."""
    source, target = sources / name, tmp_path / f"out{extension}"
    restore(source, target, preset="veryfast")

    seen = ffprobe(target, "-show_frames", "-show_streams")

    ticks = {s["codec_type"]: Fraction(s["time_base"]) for s in seen["streams"]}
    times: dict[str, list[Fraction]] = {"video": [], "audio": []}
    for frame in seen["frames"]:
        kind = frame["media_type"]
        times[kind].append(int(frame["best_effort_timestamp"]) * ticks[kind])
    before = read_times(source)
    first = times["video"][0]
    assert len(times["video"]) == len(before.video)
    for old, new in zip(before.video, times["video"], strict=True):
        assert abs((new - first) - (old - before.video[0])) <= ticks["video"]
    if times["audio"]:  # avi takes no Opus; the first packets are the coder's delay, and not shown
        begin = next(t for t in before.audio if t >= 0) - before.video[0]
        assert abs(times["audio"][0] - first - begin) <= max(ticks["audio"] * 1024, Fraction(1, 40))


@pytest.mark.parametrize("codec", ["hevc", "av1", "ffv1"])
@pytest.mark.parametrize("extension", [".mp4", ".mkv"])
def test_other_codecs_keep_times(sources: Path, tmp_path: Path, codec: str, extension: str) -> None:
    """So do HEVC with B-frames, AV1 and FFV1, at a variable rate."""
    preset = {"hevc": "veryfast", "av1": "12"}.get(codec)
    source, target = sources / "variable.mp4", tmp_path / f"out{extension}"

    restore(source, target, codec=codec, preset=preset)

    before, after = read_times(source), read_times(target)
    for old, new in zip(before.video, after.video, strict=True):
        assert abs(new - after.video[0] - old + before.video[0]) <= after.video_tick


def test_start_is_exact_in_mp4(sources: Path, tmp_path: Path) -> None:
    """A start that is no multiple of 1/1000 s survives the edit list (movie_timescale)."""
    restore(sources / "start.mov", tmp_path / "out.mp4")

    assert read_times(tmp_path / "out.mp4").video[0] == Fraction(45001, 90000)


@pytest.mark.parametrize("start", [-45001, 0, 900_000])
def test_video_alone_begins_at_zero(sources: Path, tmp_path: Path, start: int) -> None:
    """Negative starts hide nothing, and arrays need no clock."""
    info, batches = read_source(sources / "25.mp4")
    sink = FileSink(tmp_path / "out.mp4", info, EncodeSettings(preset="ultrafast"), source_path=None)
    for index, batch in enumerate(batches):
        (frame,) = batch.frames
        moved = FrameBatch(
            (type(frame)(frame.planes, start + index * 3600, 3600, index),),
            batch.width, batch.height, batch.format, Fraction(1, 90000),
        )  # fmt: skip
        sink.write(Restored(moved, Decision()))
    sink.finish()

    times = read_times(tmp_path / "out.mp4")
    assert times.video == [Fraction(index, 25) for index in range(12)]
    assert set(times.durations) == {Fraction(1, 25)}


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv"])
def test_durations_are_kept(sources: Path, tmp_path: Path, extension: str) -> None:
    """Without B-frames each picture lasts as long as in the source, the last one, too."""
    source, target = sources / "variable.mp4", tmp_path / f"out{extension}"

    restore(source, target, preset="ultrafast")

    before, after = read_times(source), read_times(target)
    for old, new in zip(before.durations, after.durations, strict=True):
        assert abs(new - old) <= after.video_tick


def test_free_clock_begins_at_zero(tmp_path: Path) -> None:
    """The clock of a transport stream, here hours old, does not become an hour of black in mp4."""
    source = tmp_path / "late.ts"
    late = {"output_ts_offset": "3600"}
    write_video(source, frames=8, pattern="moving", audio=True, container_options=late)

    restore(source, tmp_path / "out.mp4")
    restore(source, tmp_path / "out.ts")

    assert read_times(tmp_path / "out.mp4").video[0] < 1
    assert read_times(tmp_path / "out.ts").video[0] > 3500


def test_equal_times_move_a_tick(tmp_path: Path, sources: Path) -> None:
    """Times that do not increase are moved, and the report says so."""
    info, batches = read_source(sources / "25.mp4")
    sink = FileSink(tmp_path / "out.mkv", info, EncodeSettings(preset="ultrafast"), source_path=None)
    for batch, pts in zip(batches[:4], (0, 512, 512, 1024), strict=True):
        (frame,) = batch.frames
        again = type(frame)(frame.planes, pts, 512, 0)
        sink.write(Restored(FrameBatch((again,), 64, 48, batch.format, batch.time_base), Decision()))
    report = sink.finish()

    assert report.frames == len(read_times(tmp_path / "out.mkv").video) == 4
    assert any("did not increase" in note for note in report.notes)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "auto"])
@pytest.mark.parametrize(
    "base", [Fraction(1), Fraction(1, 500), Fraction(1001, 30000), Fraction(1, 2**31 - 1)]
)
def test_odd_clocks(sources: Path, tmp_path: Path, base: Fraction, codec: str) -> None:
    """Clocks that tick once a second, or two billion times, and 500 pictures a second."""
    info, batches = read_source(sources / "25.mp4")
    path = tmp_path / ("out.webm" if codec == "auto" else "out.mp4")
    settings = EncodeSettings(codec=codec, threads=1)  # type: ignore[arg-type]
    sink = FileSink(path, replace(info, rate=None), settings, source_path=None)
    step = max(1, round(Fraction(3) / base)) if base < Fraction(1, 1000) else 1
    for index, batch in enumerate(batches[:8]):
        frame = replace(batch.frames[0], pts=7 * step + index * step, duration=step)
        sink.write(Restored(replace(batch, frames=(frame,), time_base=base), Decision()))
    sink.finish()

    times = read_times(path)
    assert len(times.video) == 8
    for index, time in enumerate(times.video):
        assert abs(time - times.video[0] - index * step * base) <= times.video_tick


def test_inexact_average_rate_is_no_variable_rate(sources: Path, tmp_path: Path) -> None:
    """A few missing pictures make the average odd; avi takes the nominal rate, and keeps the gap."""
    info, batches = read_source(sources / "25.mp4")
    sink = FileSink(
        tmp_path / "out.avi", replace(info, rate=Fraction(24941, 1000)), EncodeSettings(), source_path=None
    )
    for index in (0, 1, 2, 3, 7, 8):
        sink.write(Restored(batches[index], Decision()))
    sink.finish()

    times = read_times(tmp_path / "out.avi")
    assert [time - times.video[0] for time in times.video] == [Fraction(i, 25) for i in (0, 1, 2, 3, 7, 8)]


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".avi"])
def test_audio_packets_are_identical(sources: Path, tmp_path: Path, extension: str) -> None:
    """Sound is copied, not encoded anew."""
    source, target = sources / "25.mp4", tmp_path / f"out{extension}"

    report = restore(source, target)

    assert packet_hashes(target) == packet_hashes(source)
    assert report.copied == {1: len(packet_hashes(source))}


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "ffv1"])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_short_videos(sources: Path, tmp_path: Path, codec: str, count: int) -> None:
    """Fewer pictures than an encoder reorders: x265 leaves their decoding times uninitialised."""
    info, batches = read_source(sources / "25.mp4")
    for attempt in range(3):
        path = tmp_path / f"{attempt}.mp4"
        settings = EncodeSettings(codec=codec, threads=1)  # type: ignore[arg-type]
        sink = FileSink(path, info, settings, source_path=None)
        for batch in batches[:count]:
            sink.write(Restored(batch, Decision()))
        sink.finish()

        assert read_times(path).video == [Fraction(index, 25) for index in range(count)]
