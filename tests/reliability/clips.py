"""Small videos with everything beside the pictures that a container holds: sound, text, chapters, tags."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
from av.packet import Packet
from av.stream import Disposition

from tests.media import random_planes, to_frame

SIZE = (160, 120)
TITLE, COMMENT, FONT = "Rain at noon", "first take", bytes(range(256)) * 8
LANGUAGES = ("eng", "deu", "fra")
CHAPTERS = (("Before", 0, 500), ("During", 500, 1000))
"""Title, start and end in milliseconds."""

ENCODERS: Mapping[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "veryfast", "x264-params": "mbtree=0"}),  # the same every time
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:bframes=3"}),
    "mpeg4": ("mpeg4", {"qscale": "3"}),
    "mpeg2": ("mpeg2video", {"qscale": "3"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "av1": ("libsvtav1", {"preset": "12"}),
    "mjpeg": ("mjpeg", {"qmin": "2", "qmax": "3"}),
    "ffv1": ("ffv1", {"level": "3", "slicecrc": "1"}),
}
"""FFmpeg's encoder of each codec, quick ones."""

COLORS: Mapping[str, dict[str, int]] = {
    "untagged": {},
    "bt709": {"colorspace": 1, "color_range": 1, "color_primaries": 1, "color_trc": 1},
    "bt601": {"colorspace": 6, "color_range": 1, "color_primaries": 6, "color_trc": 6},
    "bt2020": {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": 14},
    "full": {"colorspace": 1, "color_range": 2, "color_primaries": 1, "color_trc": 1},
}
"""Tags as numbered in H.273; the range as FFmpeg's."""

_TEXTS = ("rain", "haze", "drops")
_SCRIPTS = {
    "subrip": (".srt", "".join(
        f"{n}\n00:00:00,{n}50 --> 00:00:00,{n}90\n{text}\n\n" for n, text in enumerate(_TEXTS, 1)
    )),
    "webvtt": (".vtt", "WEBVTT\n\n" + "".join(
        f"00:00.{n}50 --> 00:00.{n}90\n{text}\n\n" for n, text in enumerate(_TEXTS, 1)
    )),
    "ass": (".ass", (
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
        "Style: Default,Arial,20\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
        + "".join(f"Dialogue: 0,0:00:00.{n}5,0:00:00.{n}9,Default,{t}\n" for n, t in enumerate(_TEXTS, 1))
    )),
}  # fmt: skip
_ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
    b"Style: Default,Arial,16\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
)


class Recipe(msgspec.Struct, frozen=True):
    """What is in a video.

    Attributes:
        times: of the pictures, in units of `time_base`; those before 0 are hidden by an edit list.
        late: seconds by which sound and text begin after time 0.
        audio: FFmpeg's encoder of each track.
        subtitles: ``subrip``, ``ass``, ``webvtt``, ``mov_text``, or empty.
        options: of the muxer.
    """

    codec: str
    times: tuple[int, ...]
    time_base: Fraction
    rate: Fraction
    late: Fraction = Fraction(0)
    rotation: int = 0
    color: str = "untagged"
    audio: tuple[str, ...] = ()
    subtitles: str = ""
    chapters: bool = False
    attachment: bool = False
    seed: int = 0
    options: dict[str, str] = {}

    @property
    def seconds(self) -> Fraction:
        """From the first picture shown to the end of the last one."""
        return (self.times[-1] - max(self.times[0], 0)) * self.time_base + 1 / self.rate


def make_clip(path: Path, recipe: Recipe) -> None:
    """Write a video; the ending of its name chooses the container."""
    with av.open(str(path), "w", container_options={"fflags": "+bitexact", **recipe.options}) as out:
        out.metadata.update({"title": TITLE, "comment": COMMENT})
        sources = [_video(out, recipe)]
        begin = recipe.late
        for number, codec in enumerate(recipe.audio):
            sources.append(_tone(out, codec, number, begin, recipe.seconds))
        if recipe.subtitles:
            sources.append(_texts(out, recipe.subtitles, begin, path))
        if recipe.attachment:
            out.add_attachment("font.ttf", "application/x-truetype-font", FONT)
        if recipe.chapters:
            out.set_chapters(
                [
                    {"id": n, "start": start, "end": end, "time_base": Fraction(1, 1000),
                     "metadata": {"title": title}}
                    for n, (title, start, end) in enumerate(CHAPTERS)
                ]
            )  # fmt: skip
        for source in sources:
            next(source)  # the stream is set up
        out.start_encoding()
        streams = [[packet for packet in source if packet is not None and packet.size] for source in sources]
        if out.format.name == "avi":  # its streams begin together
            for stream in streams:
                _begin_at_zero(stream)
        packets = [packet for stream in streams for packet in stream]
        for packet in sorted(packets, key=_when):
            out.mux_one(packet)


def _begin_at_zero(packets: list[Packet[Any]]) -> None:
    first = min(packet.dts for packet in packets if packet.dts is not None)
    for packet in packets:
        assert packet.dts is not None
        assert packet.pts is not None
        packet.dts, packet.pts = packet.dts - first, packet.pts - first


def _when(packet: Packet[Any]) -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return (time or 0) * packet.time_base


def _video(out: Any, recipe: Recipe) -> Iterator[Packet[Any] | None]:
    """The pictures' packets; first nothing, when the stream has been added."""
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 tells its settings otherwise
    name, options = ENCODERS[recipe.codec]
    if out.format.name == "avi" and recipe.codec == "av1":  # where nothing may be reordered
        options = {**options, "svtav1-params": "pred-struct=1"}
    stream = out.add_stream(name, rate=recipe.rate, options=dict(options))
    full = recipe.codec == "mjpeg"
    pix_fmt = "yuvj420p" if full else "yuv420p"
    context = stream.codec_context
    stream.width, stream.height, stream.pix_fmt = *SIZE, pix_fmt
    context.time_base = recipe.time_base
    context.thread_count = 1
    context.gop_size = 12
    tags = {} if full else COLORS[recipe.color]
    for tag, value in tags.items():
        setattr(context, tag, value)
    if recipe.rotation:
        stream.set_display_rotation(recipe.rotation)
    yield None
    for index, time in enumerate(recipe.times):
        planes = random_planes("yuv420p", SIZE, recipe.seed + index, "moving")
        frame = to_frame(planes, pix_fmt, SIZE)
        frame.pts, frame.time_base = time, recipe.time_base
        for tag, value in tags.items():
            setattr(frame, tag, value)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _tone(
    out: Any, codec: str, number: int, begin: Fraction, seconds: Fraction
) -> Iterator[Packet[Any] | None]:
    rate = 48000
    stream = out.add_stream(codec, rate=rate, layout="mono")
    stream.metadata.update({"language": LANGUAGES[number], "title": f"Track {number}"})
    if number:
        stream.disposition = Disposition.comment
    context = stream.codec_context
    context.open()
    yield None
    step = context.frame_size or 1024
    for first in range(0, max(int(rate * seconds), step), step):
        phase = np.arange(first, first + step) * (2 * np.pi * 330 * (number + 1) / rate)
        wave = (np.sin(phase) * 9000).astype(np.int16)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(wave, "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first + round(begin * rate), Fraction(1, rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _texts(out: Any, codec: str, begin: Fraction, path: Path) -> Iterator[Packet[Any] | None]:
    tags = {"language": "fra", "title": "Paroles"}
    if codec == "mov_text":
        stream = out.add_stream("mov_text")
        stream.codec_context.subtitle_header = _ASS_HEADER
        stream.codec_context.time_base = Fraction(1, 1000)
        packets = [_timed_text(n, text) for n, text in enumerate(_TEXTS, 1)]
    else:
        ending, script = _SCRIPTS[codec]
        written = path.with_name(f"{path.stem}-text{ending}")
        written.write_text(script)
        with av.open(str(written)) as source:
            (template,) = source.streams.subtitles
            stream = out.add_stream_from_template(template, opaque=True)
            packets = [packet for packet in source.demux(template) if packet.size]
        written.unlink()
    stream.metadata.update(tags)
    stream.disposition = Disposition.forced
    yield None
    for packet in packets:
        assert packet.pts is not None
        packet.pts = packet.dts = packet.pts + round(begin / packet.time_base)
        packet.stream = stream
        yield packet


def _timed_text(number: int, text: str) -> Packet[Any]:
    packet: Packet[Any] = Packet(len(text).to_bytes(2, "big") + text.encode())
    packet.pts, packet.duration, packet.time_base = 100 * number + 50, 40, Fraction(1, 1000)
    return packet
