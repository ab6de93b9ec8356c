"""The streams of a source as they are: read, named, and given a place in an output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Stream

from streamrestore.encode.tags import copy_stream
from streamrestore.errors import InputUnreadable

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
        raise InputUnreadable(f"cannot read {path} for its other streams: {short(error)}") from error
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
        except IndexError:  # PyAV met a packet of a stream that appeared after the beginning
            failures += 1
        except av.FFmpegError as error:
            failures += 1
            if losses is not None:
                losses[f"packets that could not be read: {short(error)}"] += 1
        else:
            return


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


def short(error: Exception) -> str:
    """What FFmpeg says, without the number and the file."""
    return str(getattr(error, "strerror", None) or error)
