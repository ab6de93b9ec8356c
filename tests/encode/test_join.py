"""Segments joined into one file, against what the file sink writes for the same pictures."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.encode import (
    FileSink,
    OutputPlan,
    SegmentReport,
    SegmentSink,
    VideoHead,
    check_output,
    join_segments,
    video_head,
)
from streamrestore.encode.packets import PacketFile, PacketHeader
from streamrestore.encode.times import date_packets, keep_rising
from streamrestore.errors import Interrupted, OutputError, UnsupportedOutput
from streamrestore.frames import FrameBatch
from streamrestore.seams import Restored, Sink, SinkReport, SourceInfo
from streamrestore.settings import EncodeSettings
from streamrestore.weather import Decision
from tests.encode.helpers import (
    GEN_PTS,
    SUBTITLES,
    add_streams,
    ffprobe,
    make_cover,
    packet_hashes,
    read_source,
    time_of,
)
from tests.limits import limited_files
from tests.media import Planes, from_frame, read_planes, write_tone, write_video
from tests.needs import needs_ffprobe

SIZE = (64, 48)
FRAMES = 14
BORDERS = (1, 2, 9)
"""Segments of one picture, of two, and longer ones."""
VARIABLE = [0, 3000, 9000, 12000, 40000, 41000, 60000, 80000, 90000, 93000, 96000, 120000, 121000, 160000]
DECODERS = {"h264": "h264", "hevc": "hevc", "av1": "libdav1d", "vp9": "vp9", "ffv1": "ffv1"}
HELD = [
    (".mp4", "h264"), (".mp4", "hevc"), (".mp4", "av1"), (".mp4", "ffv1"),
    (".mov", "h264"), (".mov", "hevc"),
    (".mkv", "h264"), (".mkv", "hevc"), (".mkv", "av1"), (".mkv", "ffv1"),
    (".webm", "auto"), (".webm", "av1"),
    (".avi", "h264"), (".avi", "ffv1"),
    (".ts", "h264"), (".ts", "hevc"), (".m2ts", "h264"),
]  # fmt: skip
"""Every container with every codec that it holds; `auto` is VP9."""


def write(path: Path, **more: Any) -> None:
    """A short source with sound."""
    write_video(path, **{"frames": FRAMES, "pattern": "moving", "size": SIZE, "audio": True} | more)


SOURCES: dict[str, Callable[[Path], object]] = {
    "constant.mp4": write,
    "variable.mp4": lambda path: write(path, times=VARIABLE, time_base=Fraction(1, 90000)),
    "start.mov": lambda path: write(
        path, start=45001, time_base=Fraction(1, 90000), container_options={"movie_timescale": "90000"}
    ),
    "rotated.mp4": lambda path: write(path, rotation=90, sample_aspect_ratio=Fraction(4, 3)),
    "deep.mp4": lambda path: write(path, pix_fmt="yuv420p10le"),
    "tagged.mkv": lambda path: write(path, matrix=1, range=1, primaries=1, transfer=1, audio=False),
    "late.ts": lambda path: write(path, container_options={"output_ts_offset": "3600"}),
    "ntsc.mkv": lambda path: write(path, rate=Fraction(30000, 1001), audio={"codec": "libopus"}),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every source, and `rich.mkv`, which has streams of every kind."""
    folder = tmp_path_factory.mktemp("sources")
    for name, make in SOURCES.items():
        make(folder / name)
    (folder / "s.srt").write_text(SUBTITLES)
    write_tone(folder / "second.m4a", seconds=1, rate=44100)
    write_video(folder / "base.mkv", frames=FRAMES, pattern="moving", codec="libx264", audio=True, size=SIZE)
    add_streams(
        folder / "base.mkv", folder / "rich.mkv", subtitles=folder / "s.srt", audio=(folder / "second.m4a",),
        cover=make_cover(), attachment=b"font" * 100, chapters=True,
    )  # fmt: skip
    return folder


@dataclass
class Job:
    """A source on its way into a target, cut into segments."""

    source: Path
    target: Path
    info: SourceInfo
    batches: list[FrameBatch]
    settings: EncodeSettings
    plan: OutputPlan
    head: VideoHead
    segments: list[SegmentReport]

    def encode(self, path: Path, begin: int, end: int) -> SegmentReport:
        """Make one segment."""
        sink = SegmentSink(path, self.head, self.plan, self.settings, begin=begin)
        for batch in self.batches[begin:end]:
            sink.write(Restored(batch, Decision()))
        return sink.finish()

    def join(self, **more: Any) -> SinkReport:
        """Make the file."""
        keywords = {"source_path": self.source, "remark": "by a test"} | more
        return join_segments(self.target, self.segments, self.head, self.info, self.settings, **keywords)

    def whole(self, path: Path) -> SinkReport:
        """What the file sink makes of the same pictures, in one go."""
        sink = FileSink(path, self.info, self.settings, source_path=self.source, remark="by a test")
        for batch in self.batches:
            sink.write(Restored(batch, Decision()))
        return sink.finish()


def cut(source: Path, target: Path, codec: str = "auto", borders: Sequence[int] = BORDERS) -> Job:
    """Encode a source in segments; the last one first."""
    info, batches = read_source(source)
    preset = {"h264": "veryfast", "hevc": "veryfast", "av1": "12"}.get(codec)
    settings = EncodeSettings(codec=codec, preset=preset, threads=1, drop_unsupported=True)  # type: ignore[arg-type]
    plan = check_output(target, source, settings, info)
    head = video_head(batches[0], info, plan.container)
    job = Job(source, target, info, batches, settings, plan, head, [])
    for begin, end in reversed(list(pairwise((0, *borders, len(batches))))):
        job.segments.insert(0, job.encode(target.with_name(f"{target.name}.{begin}"), begin, end))
    return job


def decode_alone(segment: SegmentReport, codec: str) -> list[Planes]:
    """Pictures of one segment, without the others and without a container."""
    assert segment.path is not None
    file = PacketFile(segment.path)
    decoder: Any = av.CodecContext.create(DECODERS[codec], "r")
    decoder.width, decoder.height = SIZE
    if file.header.parameters:
        decoder.extradata = file.header.parameters
    frames = [frame for packet in file for frame in decoder.decode(packet)]
    return [from_frame(frame) for frame in [*frames, *decoder.decode(None)]]


def shown_at(path: Path) -> list[tuple[Fraction, int]]:
    """Time base and time of every picture."""
    with av.open(str(path)) as container:
        container.flags &= ~GEN_PTS
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [(stream.time_base, time_of(frame)) for frame in container.decode(stream)]


def other_packets(path: Path) -> list[tuple[Any, ...]]:
    """Every packet that is not the video's."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        return [
            (packet.stream_index, packet.pts, packet.dts, packet.duration, packet.is_keyframe, bytes(packet))
            for packet in container.demux()
            if packet.size and packet.stream is not video
        ]


def described(path: Path) -> list[Any]:
    """Streams in order, tags, chapters."""
    with av.open(str(path)) as container:
        streams = []
        for stream in container.streams:
            coder, is_video = getattr(stream, "codec_context", None), stream.type == "video"
            shape = (stream.sample_aspect_ratio, stream.codec_context.codec_tag) if is_video else None
            if is_video and path.suffix == ".mkv":  # elsewhere readers count it from decoding times
                shape = (*shape, stream.average_rate)
            parameters = (coder.name, coder.extradata) if coder else None
            times = stream.time_base, stream.start_time
            streams.append((stream.type, times, shape, dict(stream.metadata), stream.disposition, parameters))
        for stream in streams:  # statistics of the packets, which matroska keeps
            for name in [key for key in stream[3] if key.startswith(("NUMBER_OF", "BPS", "DURATION"))]:
                del stream[3][name]
        return [streams, dict(container.metadata), container.chapters(), container.start_time]


def assert_joined(job: Job, tmp_path: Path) -> None:
    """The joined file shows what the segments hold, when the whole would show it, beside the same streams."""
    reference = tmp_path / f"whole{job.target.suffix}"
    expected, report = job.whole(reference), job.join()

    codec = job.plan.codec.name
    pictures = [picture for segment in job.segments for picture in decode_alone(segment, codec)]
    found = read_planes(job.target)
    assert len(found.planes) == len(pictures) == FRAMES
    for picture, other in zip(found.planes, pictures, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(picture, other, strict=True))
    assert shown_at(job.target) == shown_at(reference)
    assert described(job.target) == described(reference)
    assert other_packets(job.target) == other_packets(reference)
    assert replace(report, bytes=0) == replace(expected, bytes=0, path=job.target)
    assert report.bytes == job.target.stat().st_size
    keys = [index for index, key in enumerate(found.keys) if key]
    assert set(keys) >= {0, *BORDERS[: len(job.segments) - 1]}


@pytest.mark.parametrize(("extension", "codec"), HELD)
def test_every_container_and_codec(sources: Path, tmp_path: Path, extension: str, codec: str) -> None:
    """Segments of one picture, two and more, decoded bit for bit, at the very times."""
    assert_joined(cut(sources / "constant.mp4", tmp_path / f"out{extension}", codec), tmp_path)


@pytest.mark.parametrize(
    ("extension", "codec"),
    [(".mp4", "h264"), (".mp4", "hevc"), (".mkv", "hevc"), (".mkv", "av1"), (".ts", "h264")],
)
@pytest.mark.parametrize("name", [name for name in SOURCES if name != "constant.mp4"])
def test_every_source(sources: Path, tmp_path: Path, name: str, extension: str, codec: str) -> None:
    """Variable rates with B-frames, other starts, rotation, 10 bit, colour tags, a free clock."""
    assert_joined(cut(sources / name, tmp_path / f"out{extension}", codec), tmp_path)


@pytest.mark.parametrize("extension", [".mp4", ".mkv"])
def test_everything_travels_along(sources: Path, tmp_path: Path, extension: str) -> None:
    """Two sound tracks, subtitles, a font, the cover, chapters, tags and languages."""
    job = cut(sources / "rich.mkv", tmp_path / f"out{extension}", "h264")

    assert_joined(job, tmp_path)

    assert packet_hashes(job.target, "audio", 1) == packet_hashes(job.source, "audio", 1)


@pytest.mark.parametrize("extension", [".mp4", ".avi"])
def test_one_segment_is_the_whole(sources: Path, tmp_path: Path, extension: str) -> None:
    """Byte for byte what the file sink writes; FFV1, as x264 does not always repeat itself."""
    job = cut(sources / "constant.mp4", tmp_path / f"out{extension}", "ffv1", borders=())
    job.whole(tmp_path / f"whole{extension}")
    job.join()

    assert job.target.read_bytes() == (tmp_path / f"whole{extension}").read_bytes()


@needs_ffprobe
@pytest.mark.parametrize(("extension", "codec"), [(".mp4", "h264"), (".mkv", "hevc"), (".ts", "h264")])
def test_ffprobe_agrees(sources: Path, tmp_path: Path, extension: str, codec: str) -> None:
    """Another reader decodes every picture, without a complaint, at rising times."""
    job = cut(sources / "variable.mp4", tmp_path / f"out{extension}", codec)
    job.join()

    seen = ffprobe(job.target, "-select_streams", "v", "-show_frames", "-show_streams")

    base = Fraction(seen["streams"][0]["time_base"])
    times = [int(frame["best_effort_timestamp"]) * base for frame in seen["frames"]]
    assert len(times) == FRAMES
    for time, expected in zip(times, VARIABLE, strict=True):
        assert abs(time - times[0] - Fraction(expected, 90000)) <= base


def test_is_a_sink(sources: Path, tmp_path: Path) -> None:
    """It satisfies the seam, and abort leaves nothing."""
    job = cut(sources / "constant.mp4", tmp_path / "out.mp4", "h264", borders=())
    sink: Sink = SegmentSink(tmp_path / "new", job.head, job.plan, job.settings)
    sink.write(Restored(job.batches[0], Decision()))
    sink.abort()
    sink.abort()

    assert not (tmp_path / "new").exists()


def test_report_of_a_segment(sources: Path, tmp_path: Path) -> None:
    """Size, hash and frames are those of the file; abort after finish keeps it."""
    (segment,) = cut(sources / "constant.mp4", tmp_path / "out.mp4", "h264", borders=()).segments

    assert segment.path is not None
    data = segment.path.read_bytes()
    assert (segment.frames, segment.bytes, segment.codec) == (FRAMES, len(data), "h264")
    assert segment.sha256 == hashlib.sha256(data).hexdigest()


def test_segment_does_not_take_other_pictures(sources: Path, tmp_path: Path) -> None:
    """FFmpeg would scale them silently; the message counts frames of the whole."""
    job = cut(sources / "constant.mp4", tmp_path / "out.mp4", "h264", borders=())
    sink = SegmentSink(tmp_path / "new", replace(job.head, width=32), job.plan, job.settings, begin=480)

    with pytest.raises(UnsupportedOutput, match="at frame 480; one file cannot hold both"):
        sink.write(Restored(job.batches[0], Decision()))

    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("size", [0, 100, 4000, 20000])
def test_full_disk(sources: Path, tmp_path: Path, size: int) -> None:
    """A segment that does not fit is one line, and nothing of it is left."""
    job = cut(sources / "constant.mp4", tmp_path / "out.mp4", "ffv1", borders=())
    job.segments.clear()

    with (
        limited_files(size),
        pytest.raises(OutputError, match=r"cannot write .*new: the file is too") as caught,
    ):
        job.encode(tmp_path / "new", 0, len(job.batches))

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_variable_rate_in_avi_is_refused(sources: Path, tmp_path: Path) -> None:
    """Before anything is encoded."""
    with pytest.raises(
        UnsupportedOutput, match=r"constant frame rate only, and frame \d+ is .* write mkv or mp4"
    ):
        cut(sources / "variable.mp4", tmp_path / "out.avi", "h264")


def test_no_segment(sources: Path, tmp_path: Path) -> None:
    """An empty video is an error, not an empty file."""
    job = cut(sources / "constant.mp4", tmp_path / "out.mp4", "ffv1", borders=())
    job.segments = []
    with pytest.raises(OutputError, match="no frame came"):
        job.join()
    assert not job.target.exists()


def test_stop(sources: Path, tmp_path: Path) -> None:
    """The segments stay, and nothing else."""
    job = cut(sources / "constant.mp4", tmp_path / "out.mp4", "ffv1")
    before = sorted(tmp_path.iterdir())
    asked = iter([False] * 5 + [True])

    with pytest.raises(Interrupted):
        job.join(stop=lambda: next(asked))

    assert sorted(tmp_path.iterdir()) == before


def test_foreign_segment(sources: Path, tmp_path: Path) -> None:
    """A segment of another encoder, or of another depth, would not be decoded by this header."""
    job = cut(sources / "constant.mp4", tmp_path / "out.mp4", "h264")
    other = cut(sources / "deep.mp4", tmp_path / "other.mp4", "h264")
    job.segments[2] = other.segments[2]

    with pytest.raises(OutputError, match="encoded by another encoder, or with other settings; delete it"):
        job.join()

    assert not job.target.exists()


@pytest.mark.parametrize("keep", [0, 10, 26, 60, -1])
def test_truncated_segment(sources: Path, tmp_path: Path, keep: int) -> None:
    """A segment that is not whole is an error of ours, and nothing is left."""
    job = cut(sources / "constant.mp4", tmp_path / "out.mp4", "ffv1")
    path = job.segments[1].path
    assert path is not None
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(OutputError, match="the segment is damaged") as caught:
        job.join()

    assert str(path) in str(caught.value)
    assert not job.target.exists()


def test_missing_segment(sources: Path, tmp_path: Path) -> None:
    """So is one that is not there."""
    job = cut(sources / "constant.mp4", tmp_path / "out.mp4", "ffv1")
    path = job.segments[1].path
    assert path is not None
    path.unlink()
    with pytest.raises(OutputError, match=str(path)):
        job.join()


@given(data=st.data())
def test_damaged_packet_files_are_typed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever is in a file, reading it ends, with packets or with an error of ours."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    good, header = _packet_file(tmp_path_factory)
    position = data.draw(st.integers(0, len(good) - 1))
    changed = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(good)))
    path.write_bytes((good[:position] + bytes([changed]) + good[position + 1 :])[:end])
    with contextlib.suppress(OutputError):
        file = PacketFile(path)
        assert len(file.pts) == len(file.dts) <= FRAMES
        if file.header == header:  # joining looks at that first
            assert sum(1 for _ in file) == len(file.pts)


def _packet_file(factory: pytest.TempPathFactory) -> tuple[bytes, PacketHeader]:
    """A file of packets, made once."""
    folder = factory.getbasetemp() / "packets"
    path = folder / "out.mp4.0"
    if not folder.exists():
        folder.mkdir()
        write(folder / "in.mp4", size=(16, 16))
        cut(folder / "in.mp4", folder / "out.mp4", "ffv1", borders=())
    return path.read_bytes(), PacketFile(path).header


class TestTimes:
    """Pure rules for the times of joined packets."""

    @given(
        st.lists(st.lists(st.integers(-50, 50), min_size=1, max_size=6, unique=True), min_size=1, max_size=6)
    )
    def test_keep_rising_is_what_one_encoder_does(self, segments: list[list[int]]) -> None:
        """Shown times rise over all segments, moved as little as one after the other needs."""
        result, moved = keep_rising(segments)

        expected: list[int] = []
        late = 0
        for segment in segments:
            for time in sorted(segment):
                expected.append(max(time, expected[-1] + 1) if expected else time)
                late += expected[-1] != time
        shown: list[int] = []
        begin = 0
        for segment in segments:
            part = result[begin : begin + len(segment)]
            assert [part.index(time) for time in sorted(part)] == [segment.index(t) for t in sorted(segment)]
            shown += sorted(part)
            begin += len(segment)
        assert shown == expected
        assert moved == late

    def test_keep_rising_leaves_good_times(self) -> None:
        """In the order of decoding."""
        assert keep_rising([[0, 3, 1, 2], [4, 6, 5]]) == ([0, 3, 1, 2, 4, 6, 5], 0)
        assert keep_rising([[0, 2, 1], [2, 4, 3]]) == ([0, 2, 1, 3, 5, 4], 3)

    @given(st.lists(st.integers(-1000, 1000), unique=True, max_size=30), st.integers(0, 5))
    def test_dates_are_valid(self, pts: list[int], delay: int) -> None:
        """Decoding times rise, and no picture is decoded after it is shown."""
        dts = date_packets(pts, delay)

        assert len(dts) == len(pts)
        assert all(a < b for a, b in pairwise(dts))
        assert all(early <= time for early, time in zip(dts, pts, strict=True))

    def test_dates_are_those_of_x264(self) -> None:
        """Read from x264 3.x with a pyramid of B-frames, constant and variable."""
        constant = [0, 2, 1, 5, 3, 4, 7, 6]
        assert date_packets(constant, 2) == [-2, -1, 0, 1, 2, 3, 4, 5]
        variable = [0, 9000, 3000, 41000, 12000, 40000, 80000, 60000]
        assert date_packets(variable, 2) == [-9000, -6000, 0, 3000, 9000, 12000, 40000, 41000]
