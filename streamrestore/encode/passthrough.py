"""Streams that are not restored: which of them a container takes."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Discard, Stream

from streamrestore.encode.containers import CONTAINERS, ContainerSpec
from streamrestore.encode.tags import copy_stream, is_cover
from streamrestore.errors import InputUnreadable
from streamrestore.seams import SourceInfo

_PROBE_PACKETS = 2000
"""Packets that are looked at to find the first of each stream; all, for a stream that has none of these."""
_TRIAL_PACKETS = 16
"""Packets of a stream that go through a trial: of less, FFmpeg takes DTS in a transport stream for MP3."""
_MPEG_AUDIO = ("mp1", "mp2", "mp3")
"""Containers do not tell them apart, nor need decoders to be told."""
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
    """``audio stream 1 (aac, eng)``, ``attachment stream 4 (font.ttf)``."""
    if stream.type == "attachment":
        return f"attachment stream {stream.index} ({stream.metadata.get('filename') or 'no name'})"
    details = [codec_name(stream) or "no codec", stream.metadata.get("language", "")]
    return f"{stream.type} stream {stream.index} ({', '.join(filter(None, details))})"


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of the codec (not of the decoder); empty if it has none."""
    context = getattr(stream, "codec_context", None)
    if context is not None:
        return str(context.codec.canonical_name)
    return str(getattr(stream, "name", None) or "") if stream.type == "data" else ""


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


def plan_passthrough(
    source: InputContainer, spec: ContainerSpec, info: SourceInfo, leave: Collection[int] = ()
) -> Plan:
    """Find out by trial which streams of a source the container takes.

    Each is muxed alone into a scratch container in memory, read back, and compared: muxers refuse
    at four different moments, and some write what nobody can read. Open a source for this alone: up to
    2000 packets of it are read, and all if a stream has none among these.

    Args:
        info: of the source.
        leave: streams that are not looked at, such as the restored video.
    """
    streams = [stream for stream in source.streams if stream.index not in leave]
    first = _first_packets(source, [stream for stream in streams if stream.type != "attachment"])
    copied, dropped = [], []
    for stream in streams:
        if _is_written_anew(stream, source, spec):
            continue
        packets = first.get(stream.index, [])
        reason = _begins_apart(stream, packets, spec, info) or _refusal(stream, packets, spec)
        if reason is None:
            copied.append(stream.index)
        else:
            dropped.append(f"{describe(stream)}: {reason}")
    return Plan(tuple(copied), tuple(dropped))


def find_holder(source_path: Path, info: SourceInfo, codec: str) -> str | None:
    """A container that holds all streams of a source beside a video in `codec`; None if there is none."""
    for extension in (".mkv", ".mp4", ".mov", ".ts"):
        spec = CONTAINERS[extension]
        if codec not in ("auto", *spec.codecs):
            continue
        with open_source(source_path) as source:
            if not plan_passthrough(source, spec, info, leave=[info.video.index]).dropped:
                return spec.name
    return None


def _first_packets(source: InputContainer, streams: Sequence[Stream]) -> dict[int, list[Packet[Any]]]:
    """Some packets of each stream, or all that it has."""
    found: dict[int, list[Packet[Any]]] = {stream.index: [] for stream in streams}
    if not streams:
        return found
    for count, packet in enumerate(read_packets(source, streams)):
        packets = found[packet.stream_index]
        if len(packets) < _TRIAL_PACKETS:
            packets.append(packet)
        if all(len(packets) == _TRIAL_PACKETS for packets in found.values()):
            break
        if count >= _PROBE_PACKETS:
            for stream in streams:
                if found[stream.index]:
                    stream.discard = Discard.all
            if all(found.values()):
                break
    return found


def _is_written_anew(stream: Stream, source: InputContainer, spec: ContainerSpec) -> bool:
    """Whether mp4 and mov keep chapters or a time code in the stream: both are carried over as tags."""
    if stream.type != "data":
        return False
    handler = stream.metadata.get("handler_name", "")
    if source.chapters() and ("Subtitle" in handler or "Text" in handler):
        return True
    return "timecode" in stream.metadata and spec.time_code


def _begins_apart(
    stream: Stream, packets: Sequence[Packet[Any]], spec: ContainerSpec, info: SourceInfo
) -> str | None:
    """Why a container whose streams all begin together does not take the stream; None if it does."""
    if spec.offsets or stream.type != "audio" or not packets or packets[0].dts is None:
        return None
    begin = packets[0].dts * packets[0].time_base - (info.video.start or 0)
    if abs(begin) <= (1 / info.rate if info.rate else Fraction(1, 25)):
        return None
    apart = f"{float(begin):+.3f} s from the first picture"
    return f"all streams of {spec.name} begin together, and it begins {apart}"


def _refusal(stream: Stream, packets: Sequence[Packet[Any]], spec: ContainerSpec) -> str | None:
    """Why the container does not take the stream; None if it does."""
    if stream.type == "attachment":
        return None if spec.attachments else f"{spec.name} holds no attachments"
    if is_cover(stream) and (spec.attachments or not spec.cover):
        return None if spec.cover else f"{spec.name} holds no cover art"
    codec = codec_name(stream)
    if stream.type == "data" and not codec:
        is_time_code = "timecode" in stream.metadata
        return (
            f"{spec.name} holds no time code" if is_time_code else "data of a kind that FFmpeg does not know"
        )
    if codec == "bin_data" and spec.format not in stream.container.format.name.split(","):
        return f"in {spec.name} nobody could tell what it is"
    options = {name: value for name, value in spec.options.items() if name != "movflags"}  # needs a real file
    scratch = io.BytesIO()
    try:
        with av.open(scratch, "w", format=spec.format, container_options=options) as output:
            copy = add_copy(output, stream)
            output.start_encoding()
            _mux_alone(output, copy, packets)
    except ValueError:  # by name already; FFmpeg's own come as these, too
        return f"{spec.name} does not take it"
    except av.FFmpegError as error:
        return f"{spec.name} does not take it ({_short(error)})"
    if not packets:
        return None
    scratch.seek(0)
    try:
        with av.open(scratch) as back:
            names = [codec_name(s) for s in back.streams]
    except av.FFmpegError:
        names = []
    alike = _MPEG_AUDIO if codec in _MPEG_AUDIO else (codec,)
    return None if any(name in names for name in alike) else f"in {spec.name} nobody could read it"


def _short(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _mux_alone(output: OutputContainer, copy: Stream, packets: Sequence[Packet[Any]]) -> None:
    """Write packets one after the other, from time 0 on; they are of no use afterwards."""
    time = 0
    for packet in packets:
        packet.pts = packet.dts = time
        time += max(1, packet.duration or 0)
        packet.stream = copy
        output.mux(packet)


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
    else:
        copy = output.add_stream_from_template(stream, opaque=True)
    context = getattr(stream, "codec_context", None)
    if context is not None and context.codec_tag in _KEPT_CODES and output.format.name in ("mp4", "mov"):
        copy.codec_context.codec_tag = context.codec_tag
    copy_stream(stream, copy)
    return copy
