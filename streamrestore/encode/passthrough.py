"""Streams that are not restored: which of them a container takes."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream

from streamrestore.encode.containers import ContainerSpec
from streamrestore.encode.tags import copy_stream
from streamrestore.errors import InputUnreadable

_PROBE_PACKETS = 2000
"""Packets that are looked at to find the first of each stream."""
_GIVE_UP = 100
"""Errors in a row after which a damaged source is not read on."""
_GEN_PTS = 1
"""AVFMT_FLAG_GENPTS, on by default in PyAV: it makes H.264 in avi late by some frames."""
_KEPT_CODES = ("hvc1", "hev1")
"""Names of HEVC in mp4; players of Apple take the first only."""


def open_source(path: Path) -> InputContainer:
    """The source once more, for its other streams, with times as they are stored.

    Raises:
        InputUnreadable: it has gone or changed.
    """
    try:
        source = av.open(str(path), "r", metadata_errors="surrogateescape")  # old files: any encoding
    except av.FFmpegError as error:
        raise InputUnreadable(f"cannot read {path} for its other streams: {_short(error)}") from error
    source.flags &= ~_GEN_PTS
    return source


def describe(stream: Stream) -> str:
    """``audio stream 1 (aac, eng)``."""
    details = [codec_name(stream) or "no codec", stream.metadata.get("language", "")]
    return f"{stream.type} stream {stream.index} ({', '.join(filter(None, details))})"


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of the codec (not of the decoder); empty if it has none."""
    context = getattr(stream, "codec_context", None)
    if context is not None:
        return str(context.codec.canonical_name)
    return str(getattr(stream, "name", None) or "") if stream.type == "data" else ""


def is_cover(stream: Stream) -> bool:
    """Whether the stream is one picture beside the video."""
    return bool(stream.disposition & Disposition.attached_pic)


def read_packets(
    source: InputContainer, streams: Sequence[Stream], losses: Counter[str] | None = None
) -> Iterator[Packet[Any]]:
    """Packets of `streams` in file order, past damage where FFmpeg finds a way.

    The empty packet that ends a stream is left out (its size is 0; a missing dts is no sign, cover
    art has none either).
    """
    failures = 0
    while failures < _GIVE_UP:
        try:
            for packet in source.demux(*streams):
                failures = 0
                if packet.size:
                    yield packet
        except av.EOFError:
            return
        except av.FFmpegError as error:
            failures += 1
            if losses is not None:
                losses[f"packets that could not be read: {_short(error)}"] += 1
        else:
            return


@dataclass(frozen=True, slots=True)
class Plan:
    """What is copied and what is left out.

    Attributes:
        copied: indices of the source's streams.
        dropped: the others, with the reason, in words.
    """

    copied: tuple[int, ...]
    dropped: tuple[str, ...]


def plan_passthrough(source: InputContainer, spec: ContainerSpec, leave: Sequence[int] = ()) -> Plan:
    """Find out by trial which streams of a source the container takes.

    Each is muxed alone into a scratch container in memory, read back, and compared: muxers refuse
    at four different moments, and some write what nobody can read. Reads up to 2000 packets of the
    source; open one for this alone.

    Args:
        leave: streams that are not looked at, such as the restored video.
    """
    streams = [stream for stream in source.streams if stream.index not in leave]
    first: dict[int, Packet[Any]] = {}
    with_packets = [stream for stream in streams if stream.type != "attachment"]
    if with_packets:
        for count, packet in enumerate(read_packets(source, with_packets)):
            first.setdefault(packet.stream_index, packet)
            if len(first) == len(with_packets) or count >= _PROBE_PACKETS:
                break
    copied, dropped = [], []
    for stream in streams:
        if _is_written_anew(stream, source, spec):
            continue
        reason = _refusal(stream, first.get(stream.index), spec)
        if reason is None:
            copied.append(stream.index)
        else:
            dropped.append(f"{describe(stream)}: {reason}")
    return Plan(tuple(copied), tuple(dropped))


def _is_written_anew(stream: Stream, source: InputContainer, spec: ContainerSpec) -> bool:
    """Whether mp4 and mov keep chapters or a time code in the stream: both are carried over as tags."""
    if stream.type != "data":
        return False
    handler = stream.metadata.get("handler_name", "")
    if source.chapters() and ("Subtitle" in handler or "Text" in handler):
        return True
    return "timecode" in stream.metadata and spec.stream_tags


def _refusal(stream: Stream, packet: Packet[Any] | None, spec: ContainerSpec) -> str | None:
    """Why the container does not take the stream; None if it does."""
    if stream.type == "attachment":
        return None if spec.attachments else f"{spec.name} holds no attachments"
    if is_cover(stream) and (spec.attachments or not spec.cover):
        return None if spec.cover else f"{spec.name} holds no cover art"
    if stream.type == "data" and not codec_name(stream):
        return "data of a kind that FFmpeg does not know"
    options = {name: value for name, value in spec.options.items() if name != "movflags"}  # needs a real file
    scratch = io.BytesIO()
    try:
        with av.open(scratch, "w", format=spec.format, container_options=options) as output:
            copy = add_copy(output, stream)
            output.start_encoding()
            if packet is not None:
                _mux_alone(output, copy, packet)
    except (av.FFmpegError, ValueError) as error:
        return f"{spec.name} does not take it ({_short(error)})"
    if packet is None:
        return None
    scratch.seek(0)
    try:
        with av.open(scratch) as back:
            names = [codec_name(s) for s in back.streams]
    except av.FFmpegError:
        names = []
    return None if codec_name(stream) in names else f"in {spec.name} nobody could read it"


def _short(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _mux_alone(output: OutputContainer, copy: Stream, packet: Packet[Any]) -> None:
    """Write one packet at time 0, and leave it as it was."""
    stream, times = packet.stream, (packet.pts, packet.dts)
    packet.pts = packet.dts = 0
    packet.stream = copy
    try:
        output.mux(packet)
    finally:
        packet.stream, (packet.pts, packet.dts) = stream, times


def add_copy(output: OutputContainer, stream: Stream) -> Stream:
    """A stream of the output that takes the packets of `stream`, with its tags.

    Raises:
        ValueError, av.FFmpegError: the container does not take it.
    """
    copy: Stream
    if stream.type == "attachment" and isinstance(stream, AttachmentStream):
        copy = output.add_attachment(
            stream.name or "attachment", stream.mimetype or "application/octet-stream", stream.data
        )
    elif isinstance(stream, AudioStream) and codec_name(stream) == "ac3" and output.format.name == "avi":
        # A source in avi says how large packets may be; the muxer would take it for how large all are.
        copy = output.add_stream("ac3", rate=stream.rate, layout=stream.layout.name)
        copy.bit_rate = stream.bit_rate or copy.bit_rate
    else:
        copy = output.add_stream_from_template(stream, opaque=True)
    context = getattr(stream, "codec_context", None)
    if context is not None and context.codec_tag in _KEPT_CODES and output.format.name in ("mp4", "mov"):
        copy.codec_context.codec_tag = context.codec_tag
    copy_stream(stream, copy)
    return copy
