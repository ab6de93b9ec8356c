"""The table in docs/passthrough.md, cell by cell, against files that are written and read back.

A column is written from each source twice, encoded in segments and copied. What becomes of everything
that the source holds is observed, and has to be the word in the docs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition, Stream

from streamrestore.decode import open_source
from streamrestore.encode import (
    CannotCopy,
    SegmentSink,
    check_output,
    copy_file,
    join_segments,
    video_head,
)
from streamrestore.encode.containers import CONTAINERS
from streamrestore.errors import UnsupportedOutput
from streamrestore.seams import Restored, SinkReport, SourceInfo
from streamrestore.settings import EncodeSettings
from streamrestore.weather import Decision
from tests.encode.helpers import SUBTITLES, make_cover, read_times
from tests.media import write_tone, write_video

DOCS = Path(__file__).parents[2] / "docs" / "passthrough.md"
WORDS = ("copied", "converted", "refused", "cannot", "-")
HDR = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
TICKS = Fraction(1, 1000)

Columns = dict[str, dict[str, str]]
"""By container, what becomes of each kind of thing."""


def read_table() -> Columns:
    """The docs' words, by column and row."""
    columns: Columns = {}
    for line in DOCS.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        if cells[1:] and cells[1] == "mp4":
            names = cells[1:]
            continue
        for name, cell in zip(names, cells[1:], strict=True):
            columns.setdefault(name, {})[re.sub(r"\[\^\w+\]", "", cells[0]).strip()] = cell
    return columns


@dataclass
class Sent:
    """A source and what was made of it.

    Attributes:
        refused: what the run says without ``--drop-unsupported``; empty if it goes on.
        report: None where the video cannot be copied.
    """

    source: Path
    target: Path
    info: SourceInfo
    report: SinkReport | None = None
    refused: str = ""


def send(source: Path, target: Path, how: str, codec: str = "auto") -> Sent:
    """As the pipeline does, with ``--drop-unsupported`` where it is needed."""
    settings = EncodeSettings(codec=codec, threads=1, drop_unsupported=True)  # type: ignore[arg-type]
    strict = EncodeSettings(codec=codec, threads=1)  # type: ignore[arg-type]
    with open_source(str(source), batch_size=1) as opened:
        info, batches = opened.info, list(opened)
    sent = Sent(source, target, info)
    try:
        check_output(target, source, strict, info)
    except UnsupportedOutput as error:
        sent.refused = str(error)
        if "--drop-unsupported" not in str(error):
            return sent
    assert not target.exists()
    if how == "copied":
        try:
            sent.report = copy_file(source, target, info, settings, remark="by a test")
        except CannotCopy:
            return sent
        return sent
    plan = check_output(target, source, settings, info)
    head = video_head(batches[0], info, plan.container)
    segments = []
    for number, part in enumerate((batches[: len(batches) // 2], batches[len(batches) // 2 :])):
        sink = SegmentSink(target.parent / f"segment-{number}", head, plan, settings)
        for batch in part:
            sink.write(Restored(batch, Decision()))
        segments.append(sink.finish())
    sent.report = join_segments(
        target, segments, head, info, settings, source_path=source, plan=plan, remark="by a test"
    )
    return sent


# Sources


def mux(path: Path, *inputs: Path, extra: Callable[[Any], Sequence[Any]] | None = None) -> None:
    """Copy all streams of the inputs into one file; `extra` adds streams and gives their packets."""
    opened = [av.open(str(name)) for name in inputs]
    with av.open(str(path), "w") as out:
        copies = {}
        for container in opened:
            for stream in container.streams:
                copy = out.add_stream_from_template(stream, opaque=True)
                copy.metadata.update(stream.metadata)
                copies[stream] = copy
        packets = [*extra(out)] if extra is not None else []
        out.start_encoding()
        for container in opened:
            for packet in container.demux():
                if packet.size:
                    packet.stream = copies[packet.stream]
                    packets.append(packet)
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
            out.mux(packet)
    for container in opened:
        container.close()


def raw_packets(stream: Stream, payload: bytes, seconds: Sequence[float] = (0.1, 0.3)) -> list[Any]:
    """Packets with the same bytes."""
    packets = []
    for time in seconds:
        packet: Any = av.Packet(payload)
        packet.pts = packet.dts = round(time / TICKS)
        packet.duration, packet.time_base, packet.stream = 100, TICKS, stream
        packets.append(packet)
    return packets


def write_vorbis(path: Path) -> None:
    """FFmpeg's own encoder is experimental, and wants two channels."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("vorbis", rate=48000, options={"strict": "-2"}, layout="stereo")
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=4800)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts = 48000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


VIDEO: dict[str, Any] = {
    "frames": 8,
    "pattern": "moving",
    "codec": "libx264",
    "options": {"preset": "ultrafast"},
}
SOUND = {
    "AAC": "aac", "MP3": "libmp3lame", "MP2": "mp2", "AC-3": "ac3", "E-AC-3": "eac3", "Opus": "libopus",
    "Vorbis": "", "FLAC": "flac", "ALAC": "alac", "PCM": "pcm_s16le",
}  # fmt: skip
WRITTEN = {"SubRip": ".srt", "ASS": ".ass", "WebVTT": ".vtt"}
DRAWN = {"DVB": "dvb_subtitle", "PGS": "hdmv_pgs_subtitle", "VobSub": "dvd_subtitle"}
DVB = b"\x0f\x10\x00\x01\x00\x02\x0a\x00\x0f\x80\x00\x01\x00\x00"
PGS = b"\x17\x00\x0a\x01" + bytes(9) + b"\x80\x00\x00"
DISPOSITIONS = {
    "forced": Disposition.forced, "dub": Disposition.dub, "hearing impaired": Disposition.hearing_impaired,
}  # fmt: skip


def make_rich(folder: Path) -> dict[str, int]:
    """rich.mkv, and the index of each kind of stream in it."""
    write_video(folder / "v.mkv", audio=False, **VIDEO)
    inputs, rows = [folder / "v.mkv"], {}
    for name, codec in SOUND.items():
        path = folder / f"{name}.mka"
        write_vorbis(path) if name == "Vorbis" else write_tone(path, codec=codec, seconds=Fraction(1, 2))
        inputs.append(path)
        rows[f"sound: {name}"] = len(inputs) - 1
    (folder / "s.srt").write_text(SUBTITLES)
    (folder / "s.vtt").write_text("WEBVTT\n\n00:00.100 --> 00:00.200\nrain\n")
    (folder / "s.ass").write_text(
        "[Script Info]\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
        "Dialogue: 0,0:00:00.10,0:00:00.20,Default,rain\n"
    )
    for name, ending in WRITTEN.items():
        inputs.append(folder / f"s{ending}")
        rows[f"subtitles: {name}"] = len(inputs) - 1
    inputs.append(folder / "v.mkv")
    rows["a second video, H.264"] = len(inputs) - 1

    def extra(out: Any) -> list[Any]:
        packets = []
        for name, codec in DRAWN.items():
            stream = out.add_mux_stream(codec)
            rows[f"subtitles: {name}"] = stream.index
            packets += raw_packets(stream, PGS if name == "PGS" else DVB)
        rows["attachment, such as a font"] = out.add_attachment("font.ttf", "font/ttf", b"font" * 99).index
        rows["cover art"] = out.add_attachment("cover.jpg", "image/jpeg", make_cover()).index
        return packets

    mux(folder / "rich.mkv", *inputs, extra=extra)
    return rows


CAPTIONS = bytes.fromhex("00000001 0604 0e b50031 47413934 03 41ff fc9420 ff 80")
"""A NAL unit with two letters of CEA-608."""


def make_sources(folder: Path) -> dict[str, int]:
    """All of them, and the index of each kind of stream in its source."""
    rows = make_rich(folder)
    late = {**VIDEO, "start": 500, "time_base": TICKS}
    write_video(folder / "start-none.mkv", **late)
    for sound, codec in {"mp3": "libmp3lame", "opus": "libopus"}.items():
        make_tagged(folder, sound)
        write_video(folder / f"start-{sound}.mkv", audio={"codec": codec}, **late)
    write_video(folder / "sound.ts", audio=True, **VIDEO)
    rows["sound: AAC out of ts"] = 1
    write_video(folder / "code.mov", metadata={"timecode": "01:02:03:04"}, **VIDEO)
    rows["time code, a track"] = 1

    def telemetry(out: Any) -> list[Any]:
        streams = [out.add_data_stream(codec) for codec in ("klv", "timed_id3")]
        return [packet for stream in streams for packet in raw_packets(stream, b"data" * 5)]

    mux(folder / "data.ts", folder / "v.mkv", extra=telemetry)
    rows["data: KLV"], rows["data: timed ID3"] = 1, 2
    text = b"\x00\x04rain"
    mux(
        folder / "text.mp4",
        folder / "v.mkv",
        extra=lambda out: raw_packets(out.add_mux_stream("mov_text"), text),
    )
    rows["subtitles: mov_text"] = 1
    plain = (
        (folder / "text.mp4")
        .read_bytes()
        .replace(b"sbtl", b"meta")
        .replace(b"SubtitleHandler", b"Metadata.......")
    )
    (folder / "camera.mp4").write_bytes(plain.replace(b"tx3g", b"gpmd"))
    (folder / "unknown.mp4").write_bytes(plain.replace(b"tx3g", b"mebx"))
    rows["data: camera (gpmd)"] = rows["data: without a codec"] = 1
    coded = {
        **VIDEO,
        "codec": "libx265",
        "options": {"preset": "ultrafast", "x265-params": f"log-level=none:{HDR}"},
    }
    tags = {"matrix": 9, "range": 1, "primaries": 9, "transfer": 16}
    write_video(folder / "light.mkv", rotation=90, sample_aspect_ratio=Fraction(4, 3), **coded, **tags)
    with av.open(str(folder / "v.mkv")) as first, av.open(str(folder / "mirror.mp4"), "w") as out:
        copy = out.add_stream_from_template(first.streams.video[0], opaque=True)
        copy.set_display_rotation(0, hflip=True)
        for packet in first.demux():
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    write_video(folder / "silent.ts", **VIDEO)
    with av.open(str(folder / "silent.ts")) as first, av.open(str(folder / "captions.ts"), "w") as out:
        copy = out.add_stream_from_template(first.streams.video[0], opaque=True)
        for packet in first.demux():
            if packet.size:
                with_captions: Any = av.Packet(CAPTIONS + bytes(packet))
                with_captions.pts, with_captions.dts = packet.pts, packet.dts
                with_captions.time_base, with_captions.stream = packet.time_base, copy
                out.mux(with_captions)
    times = [0, 40, 90, 300, 320, 700, 740, 900]
    write_video(folder / "variable.mkv", times=times, time_base=TICKS, **VIDEO)
    write_video(folder / "reordered.mp4", **{**VIDEO, "frames": 20, "options": {"preset": "veryfast"}})
    return rows


def make_tagged(folder: Path, sound: str) -> None:
    """tagged-SOUND.mkv: a stream of sound for each disposition, titles, chapters."""
    write_tone(folder / f"{sound}.mka", codec={"mp3": "libmp3lame", "opus": "libopus"}[sound])

    def extra(out: Any) -> list[Any]:
        out.metadata.update({"title": "A title", "camera": "Seven"})
        out.streams[0].metadata["timecode"] = "01:02:03:04"
        for stream, disposition in zip([*out.streams][1:], DISPOSITIONS.values(), strict=True):
            stream.metadata.update({"title": "Left", "language": "deu"})
            stream.disposition = disposition
        marks = [(0, 100, "One"), (100, 300, "Two")]
        out.set_chapters([
            {"id": n, "start": a, "end": b, "time_base": TICKS, "metadata": {"title": title}}
            for n, (a, b, title) in enumerate(marks)
        ])  # fmt: skip
        return []

    inputs = [folder / "v.mkv", *[folder / f"{sound}.mka"] * len(DISPOSITIONS)]
    mux(folder / f"tagged-{sound}.mkv", *inputs, extra=extra)


# Observers: what became of something, in a word


def told(sent: Sent, kept: object, *words: str) -> str:
    """Copied if it was kept; else it cannot be, and a note has to say so."""
    assert sent.report is not None
    if kept:
        return "copied"
    noted = any(all(word in note for word in words) for note in sent.report.notes)
    return "cannot" if noted else f"lost without a word ({sent.report.notes})"


def stream_word(sent: Sent, index: int) -> str:
    """What became of the packets of a stream."""
    name, report = f" stream {index} (", sent.report
    assert report is not None
    if name in sent.refused:
        assert any(name in line for line in report.dropped)
        assert index not in report.copied
        return "refused"
    with av.open(str(sent.source)) as old, av.open(str(sent.target)) as new:
        stream = old.streams[index]
        alike = [s for s in old.streams if _kind(s) == _kind(stream) and s.index in {0, *report.copied}]
        if stream.type == "data" and "timecode" in stream.metadata:
            return "converted" if "01:02:03:04" in new.streams[0].metadata.values() else "lost"
        found = [s for s in new.streams if _kind(s) == _kind(stream)]
        place = [s.index for s in alike].index(index)
        if len(found) <= place:
            return "lost"
        before, after = _payload(sent.source, index), _payload(sent.target, found[place].index)
    assert len(before) == len(after) > 0
    return "copied" if before == after else "converted"


def _kind(stream: Stream) -> tuple[str, bool]:
    return stream.type, bool(stream.disposition & Disposition.attached_pic)


def _payload(path: Path, index: int) -> list[bytes]:
    with av.open(str(path)) as container:
        stream = container.streams[index]
        if stream.type == "attachment":
            return [stream.data]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def tag_words(sent: Sent) -> Iterator[tuple[str, str]]:
    """What became of metadata, chapters, languages and dispositions."""
    with av.open(str(sent.target)) as new:
        sounds = [stream for stream in new.streams if stream.type == "audio"]
        tags = sounds[0].metadata
        timecode = {k.lower(): v for k, v in new.streams[0].metadata.items()}.get("timecode")
        yield "title of the file", told(sent, new.metadata.get("title") == "A title", "title", "metadata")
        there = "Seven" in new.metadata.values()
        yield "other metadata of the file", told(sent, there, "CAMERA", "metadata")
        marks = [(c["metadata"].get("title"), c["start"] * (c["time_base"] or 1)) for c in new.chapters()]
        yield "chapters", told(sent, marks == [("One", 0), ("Two", Fraction(1, 10))], "2 chapters")
        named = "Left" in (tags.get("title"), tags.get("name"))
        yield "title of a stream", told(sent, named, "stream 1 ", "title")
        language = told(sent, tags.get("language") in ("deu", "ger"), "stream 1 ", "language (deu)")
        yield "language", "converted" if tags.get("language") == "ger" else language
        for stream, (name, flag) in zip(sounds, DISPOSITIONS.items(), strict=True):
            kept = stream.disposition & flag
            yield f"disposition: {name}", told(sent, kept, f"disposition ({flag.name})")
        yield "time code, a tag", told(sent, timecode == "01:02:03:04", "stream 0 ", "TIMECODE")


def info_of(path: Path) -> SourceInfo:
    """What a decoder finds."""
    with open_source(str(path)) as source:
        return source.info


def picture_words(sent: Sent) -> Iterator[tuple[str, str]]:
    """What became of what pictures say of themselves."""
    old, new = sent.info, info_of(sent.target)
    yield "pixel shape", told(sent, new.sample_aspect_ratio == old.sample_aspect_ratio, "pixel shape")
    yield "colour tags", told(sent, new.color == old.color, "colour tags")
    kept = _close(new, old) and new.light_level == (1000, 400)
    yield LIGHT, told(sent, kept, "mastering display, content light level")


def _close(new: SourceInfo, old: SourceInfo) -> bool:
    """Whether both were graded on one display; AV1 rounds to 1/65536 and 1/16384."""
    if new.mastering is None or old.mastering is None:
        return False
    pairs = zip(
        (*new.mastering.primaries, *new.mastering.luminance),
        (*old.mastering.primaries, *old.mastering.luminance),
        strict=True,
    )
    return all(abs(a - b) < Fraction(1, 30_000) for a, b in pairs)


def orientation_word(sent: Sent) -> str:
    """What became of the display matrix."""
    new = info_of(sent.target)
    words = ["rotation by 90 degrees"] if sent.info.rotation else ["mirroring"]
    return told(
        sent, (new.display_matrix, new.rotation) == (sent.info.display_matrix, sent.info.rotation), *words
    )


def captions_word(sent: Sent) -> str:
    """What became of closed captions."""
    assert "closed captions" in sent.info.side_data
    return told(sent, "closed captions" in info_of(sent.target).side_data, "closed captions")


def step_word(sent: Sent) -> str:
    """Whether every picture comes as long after the first as in the source."""
    if sent.report is None:
        assert "constant frame rate only" in sent.refused
        return "refused"
    old, new = read_times(sent.source), read_times(sent.target)
    steps = zip(old.video, new.video, strict=True)
    right = all(abs((b - new.video[0]) - (a - old.video[0])) <= new.video_tick for a, b in steps)
    return "copied" if right else "moved"


def start_word(sent: Sent) -> str:
    """Whether the first picture has the time that it had."""
    (old, *_), new = read_times(sent.source).video, read_times(sent.target)
    assert old > 0
    return told(sent, abs(new.video[0] - old) <= new.video_tick, "times begin at 0")


def distance_word(sent: Sent) -> str:
    """Whether sound begins as long before the first picture as in the source."""
    if " stream 1 (" in sent.refused:
        return "refused"
    old, new = read_times(sent.source), read_times(sent.target)
    assert old.video[0] - old.audio[0] > Fraction(2, 5)
    moved = (new.video[0] - new.audio[0]) - (old.video[0] - old.audio[0])
    return "copied" if abs(moved) <= max(new.video_tick, new.audio_tick) else "moved"


# The table


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """A folder with all sources, and the index of each kind of stream in its own."""
    folder = tmp_path_factory.mktemp("sources")
    return folder, make_sources(folder)


HOLDERS = {
    "sound: AAC out of ts": "sound.ts", "time code, a track": "code.mov", "data: KLV": "data.ts",
    "data: timed ID3": "data.ts", "subtitles: mov_text": "text.mp4", "data: camera (gpmd)": "camera.mp4",
    "data: without a codec": "unknown.mp4",
}  # fmt: skip
"""The source of each kind of stream that rich.mkv does not hold."""
LIGHT = "mastering display and light levels"
CODECS = {"H.264": "h264", "HEVC": "hevc", "AV1": "av1", "VP9": "vp9", "FFV1": "ffv1"}


def observe(column: str, how: str, folder: Path, streams: dict[str, int], out: Path) -> dict[str, str]:
    """What becomes of everything in a container."""
    sent: dict[str, Sent] = {}
    sound = "opus" if column == "webm" else "mp3"

    def get(name: str, codec: str = "auto") -> Sent:
        key = f"{codec}-{name}"
        if key not in sent:
            sent[key] = send(folder / name, out / f"{key}.{column}", how, codec)
        return sent[key]

    words = {}
    for row, index in streams.items():
        if get(HOLDERS.get(row, "rich.mkv")).report is not None:
            words[row] = stream_word(get(HOLDERS.get(row, "rich.mkv")), index)
    singles: dict[str, tuple[str, Callable[[Sent], str]]] = {
        "rotation": ("light.mkv", orientation_word),
        "mirroring": ("mirror.mp4", orientation_word),
        "times of pictures, reordered ones (B-frames)": ("reordered.mp4", step_word),
        "variable frame rate": ("variable.mkv", step_word),
        "start of the pictures, not at 0": ("start-none.mkv", start_word),
        "sound that begins before the pictures": (f"start-{sound}.mkv", distance_word),
    }
    if how == "joined":
        singles["closed captions in restored pictures"] = ("captions.ts", captions_word)
    for row, (name, word) in singles.items():
        if get(name).report is not None or get(name).refused:
            words[row] = word(get(name))
    if get(f"tagged-{sound}.mkv").report is not None:
        words |= tag_words(get(f"tagged-{sound}.mkv"))
    return words | (dict(codec_words(column, get)) if how == "joined" else {})


def codec_words(column: str, get: Callable[[str, str], Sent]) -> Iterator[tuple[str, str]]:
    """What becomes of what pictures say of themselves, restored, by codec."""
    for name, codec in CODECS.items():
        held = codec in CONTAINERS[f".{column}"].codecs
        found = picture_words(get("light.mkv", "auto" if codec == "vp9" else codec)) if held else ()
        rows = dict.fromkeys(("pixel shape", "colour tags", LIGHT), "-")
        for row, word in (rows | dict(found)).items():
            yield f"{row}, {name}", word


@pytest.mark.parametrize("how", ["joined", "copied"])
@pytest.mark.parametrize("column", ["mp4", "mov", "mkv", "webm", "avi", "ts", "m2ts"])
def test_column(sources: tuple[Path, dict[str, int]], tmp_path: Path, column: str, how: str) -> None:
    """Each cell says what happens, and there is a cell for everything that does."""
    table = read_table()[column]

    words = observe(column, how, *sources, tmp_path)

    assert words == {row: word for row, word in table.items() if row in words}
    if how == "joined":
        assert words.keys() == table.keys()


def test_words() -> None:
    """No other word, and every container has its column."""
    table = read_table()
    assert {f".{name}" for name in table} == CONTAINERS.keys() - {".m4v"}
    assert {word for column in table.values() for word in column.values()} <= set(WORDS)
