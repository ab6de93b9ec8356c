"""A small source and readers for the tests of the sink; independent of `streamrestore.decode`."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition
from av.video.format import VideoFormat

from streamrestore.encode import FileSink
from streamrestore.frames import ColorInfo, Frame, FrameBatch, PixelFormat
from streamrestore.seams import Restored, SinkReport, SourceInfo, StreamInfo
from streamrestore.settings import EncodeSettings
from streamrestore.weather import Decision
from tests.media import from_frame, random_planes, to_frame

GEN_PTS = 1
"""AVFMT_FLAG_GENPTS, PyAV's default: it makes H.264 in avi late by some frames."""


def time_of(frame: av.VideoFrame) -> int:
    """Presentation time; avi stores none for H.264, but without B-frames it is the decoding time."""
    time = frame.dts if frame.pts is None else frame.pts
    assert time is not None
    return time


def pixel_format(name: str) -> PixelFormat:
    """Ours for FFmpeg's."""
    layout = VideoFormat(name, 64, 64)
    depth = layout.components[0].bits
    if name.startswith("gbrp"):
        return PixelFormat("rgb", depth)
    if len(layout.components) == 1:
        return PixelFormat("gray", depth)
    chroma = layout.components[1]
    shifts = [(64 // size).bit_length() - 1 for size in (chroma.width, chroma.height)]
    return PixelFormat("yuv", depth, *shifts)


def read_source(path: Path, *, video: int = 0) -> tuple[SourceInfo, list[FrameBatch]]:
    """What a decoder would give: the info and one batch per frame."""
    batches: list[FrameBatch] = []
    with av.open(str(path)) as container:
        container.flags &= ~GEN_PTS
        stream = container.streams.video[video]
        streams = tuple(
            StreamInfo(
                s.index, s.type, getattr(getattr(s, "codec_context", None), "name", "") or "", s.time_base,
                None if s.start_time is None or s.time_base is None else s.start_time * s.time_base,
                None if s.duration is None or s.time_base is None else s.duration * s.time_base,
            )
            for s in container.streams
        )  # fmt: skip
        sar = stream.sample_aspect_ratio or Fraction(1)
        assert stream.time_base is not None
        for index, frame in enumerate(container.decode(stream)):
            color = ColorInfo(frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
            batches.append(
                FrameBatch(
                    (Frame(tuple(from_frame(frame)), time_of(frame), frame.duration or 0, index),),
                    frame.width, frame.height, pixel_format(frame.format.name), stream.time_base, color,
                    frame.rotation % 360, sar,
                )
            )  # fmt: skip
        first = batches[0]
        info = SourceInfo(
            str(path), container.format.name, streams, streams[stream.index], first.width, first.height,
            first.format, stream.codec_context.pix_fmt or "", first.color, stream.time_base,
            stream.average_rate, first.rotation, sar,
        )  # fmt: skip
    return info, batches


def restore(
    source: Path, target: Path, *, remark: str = "", copy_streams: bool = True, **settings: Any
) -> SinkReport:
    """Send a file through the sink with every frame as it is."""
    info, batches = read_source(source)
    settings = {"threads": 1, "drop_unsupported": True} | settings
    if settings.get("codec", "auto") in ("auto", "h264", "hevc") and target.suffix.lower() != ".webm":
        settings.setdefault("preset", "ultrafast")
    sink = FileSink(
        target, info, EncodeSettings(**settings), source_path=source if copy_streams else None, remark=remark
    )
    try:
        for batch in batches:
            sink.write(Restored(batch, Decision()))
        return sink.finish()
    finally:
        sink.abort()


@dataclass
class Times:
    """Times of a file in seconds, exactly as stored."""

    video: list[Fraction] = field(default_factory=list)
    durations: list[Fraction] = field(default_factory=list)
    audio: list[Fraction] = field(default_factory=list)
    video_tick: Fraction = Fraction(1)
    audio_tick: Fraction = Fraction(1)


def read_times(path: Path) -> Times:
    """Times of the shown pictures (by decoding) and of the audio packets."""
    times = Times()
    with av.open(str(path)) as container:
        container.flags &= ~GEN_PTS
        stream = container.streams.video[0]
        assert stream.time_base is not None
        times.video_tick = stream.time_base
        for frame in container.decode(stream):
            times.video.append(time_of(frame) * stream.time_base)
            times.durations.append((frame.duration or 0) * stream.time_base)
    with av.open(str(path)) as container:
        if container.streams.audio:
            audio = container.streams.audio[0]
            assert audio.time_base is not None
            times.audio_tick = audio.time_base
            ticks = [packet.pts for packet in container.demux(audio) if packet.size]
            times.audio = [(pts or 0) * audio.time_base for pts in ticks]
    return times


def packet_hashes(path: Path, kind: str = "audio", which: int = 0) -> list[str]:
    """Hashes of the payloads of one stream."""
    with av.open(str(path)) as container:
        stream = [s for s in container.streams if s.type == kind][which]
        return [hashlib.sha256(bytes(p)).hexdigest() for p in container.demux(stream) if p.size]


def ffprobe(path: Path, *arguments: str) -> dict[str, Any]:
    """What Debian's ffprobe says: another version of FFmpeg, another reader."""
    command = ["ffprobe", "-v", "error", "-of", "json", *arguments, str(path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(out.stdout)
    return result


SUBTITLES = "1\n00:00:00,100 --> 00:00:00,200\nrain\n\n2\n00:00:00,300 --> 00:00:00,400\nhaze\n\n"


def add_streams(
    source: Path,
    target: Path,
    *,
    subtitles: Path | None = None,
    audio: tuple[Path, ...] = (),
    cover: bytes | None = None,
    attachment: bytes | None = None,
    chapters: bool = False,
) -> None:
    """Copy a file and add to it; plain PyAV."""
    with av.open(str(source)) as first, av.open(str(target), "w") as out:
        out.metadata.update(first.metadata | {"title": "A title", "comment": "from a test"})
        extra = [av.open(str(path)) for path in (*audio, *((subtitles,) if subtitles else ()))]
        pairs = []
        for container in (first, *extra):
            for stream in container.streams:
                copy = out.add_stream_from_template(stream, opaque=True)
                copy.metadata.update(stream.metadata)
                pairs.append((container, stream, copy))
        for number, (container, stream, copy) in enumerate(pairs):
            if container is not first and stream.type == "audio":
                copy.metadata["language"] = "deu"
                copy.disposition = Disposition.dub
            if stream.type == "subtitle":
                copy.metadata.update({"language": "fra", "title": f"Track {number}"})
                copy.disposition = Disposition.forced
        if attachment is not None:
            out.add_attachment("font.ttf", "application/x-truetype-font", attachment)
        if cover is not None and target.suffix == ".mkv":
            out.add_attachment("cover.jpg", "image/jpeg", cover)
        art = None
        if cover is not None and target.suffix != ".mkv":
            art = out.add_stream("mjpeg", rate=1)
            art.width, art.height, art.pix_fmt = 32, 24, "yuvj420p"
            art.disposition = Disposition.attached_pic
        if chapters:
            times = {"One": (0, 200), "Two": (200, 480)}
            for number, (title, (start, end)) in enumerate(times.items()):
                marks: dict[str, Any] = {"id": number, "start": start, "end": end}
                marks |= {"time_base": Fraction(1, 1000), "metadata": {"title": title}}
                out.set_chapters([*out.chapters(), marks])  # type: ignore[list-item]
        out.start_encoding()
        if art is not None:
            packet = av.Packet(cover)
            packet.pts = packet.dts = 0
            packet.stream, packet.time_base = art, Fraction(1, 90000)
            out.mux(packet)
        for container in (first, *extra):
            copies = {stream: copy for owner, stream, copy in pairs if owner is container}
            for packet in container.demux():
                if packet.size:
                    packet.stream = copies[packet.stream]
                    out.mux(packet)
        for container in extra:
            container.close()


def make_cover() -> bytes:
    """A small JPEG."""
    with av.open("null", "w", format="null") as out:
        stream = out.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuvj420p"
        frame = to_frame(random_planes("yuvj420p", (32, 24)), "yuvj420p", (32, 24))
        (packet,) = [*stream.encode(frame), *stream.encode(None)]
        return bytes(packet)
