"""Whether a container takes streams: found out in scratch containers, since muxers refuse when they like.

At four different moments, or never: some write what nobody can read, or at other times.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from streamrestore.encode.containers import ContainerSpec
from streamrestore.encode.streams import add_copy, codec_name, read_packets, short
from streamrestore.encode.tags import is_cover

_MPEG_AUDIO = ("mp1", "mp2", "mp3")
"""Containers do not tell them apart, nor need decoders to be told."""
_MOVED_SECONDS = 0.01
"""By which a packet of sound may be read back at another time."""


def refusal(stream: Stream, packets: Sequence[Packet[Any]], spec: ContainerSpec) -> str | None:
    """Why the container does not take the stream; None if it does."""
    if stream.type == "attachment":
        return None if spec.attachments else f"{spec.name} holds no attachments"
    if is_cover(stream) and (spec.attachments or not spec.cover):
        return None if spec.cover else f"{spec.name} holds no cover art"
    codec = codec_name(stream)
    if stream.type == "data" and not codec:
        if "timecode" in stream.metadata:
            return f"{spec.name} holds no time code"
        return "data of a kind that FFmpeg does not know"
    if codec == "bin_data" and spec.format not in stream.container.format.name.split(","):
        return f"in {spec.name} nobody could tell what it is"
    memory = io.BytesIO()
    try:
        with _scratch(memory, spec) as output:
            copy = add_copy(output, stream)
            output.start_encoding()
            written = _mux_alone(output, copy, packets)
    except ValueError:  # by name already; FFmpeg's own come as these, too
        return f"{spec.name} does not take it"
    except av.FFmpegError as error:
        return f"{spec.name} does not take it ({short(error)})"
    if not packets:
        return None
    read = _read_back(memory, spec, codec)
    if read is None:
        return f"in {spec.name} nobody could read it"
    if stream.type == "audio" and len(read) == len(written):
        moved = (abs((b - read[0]) - (a - written[0])) for a, b in zip(written, read, strict=True))
        if max(moved) > _MOVED_SECONDS:
            return f"{spec.name} would not keep its times"
    return None


def fit_together(streams: Sequence[Stream], spec: ContainerSpec, beside_video: bool) -> bool:
    """Whether the container takes all of these streams, and a video that is encoded beside them."""
    try:
        with _scratch(io.BytesIO(), spec) as output:
            if beside_video:
                any_video = "vp9" if spec.format == "webm" else "mpeg4"
                output.add_mux_stream(any_video, rate=25, width=64, height=64)
            for stream in streams:
                if not (is_cover(stream) and spec.attachments):
                    add_copy(output, stream)
            output.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _scratch(memory: io.BytesIO, spec: ContainerSpec) -> OutputContainer:
    options = {name: value for name, value in spec.options.items() if name != "movflags"}  # needs a real file
    return av.open(memory, "w", format=spec.format, container_options=options)


def _mux_alone(output: OutputContainer, copy: Stream, packets: Sequence[Packet[Any]]) -> list[Fraction]:
    """Write packets, the first one at time 0; when each begins, in seconds. They are of no use afterwards."""
    first = (packets[0].dts or 0) if packets else 0
    times: list[int] = []
    for packet in packets:
        times.append(max((packet.dts or 0) - first, times[-1] + 1 if times else 0))
    written = [time * packet.time_base for time, packet in zip(times, packets, strict=True)]
    for time, packet in zip(times, packets, strict=True):
        packet.pts = packet.dts = time
        packet.stream = copy
        output.mux(packet)
    return written


def _read_back(memory: io.BytesIO, spec: ContainerSpec, codec: str) -> list[Fraction] | None:
    """When each packet of the stream in `codec` begins, in seconds; None if there is no such stream."""
    memory.seek(0)
    try:
        with av.open(memory, "r", format=spec.format) as back:
            for stream in back.streams:
                if _alike(codec_name(stream), codec):
                    packets = read_packets(back, [stream])
                    return [p.pts * p.time_base for p in packets if p.pts is not None]
    except av.FFmpegError:
        pass
    return None


def _alike(a: str, b: str) -> bool:
    return a == b or (a in _MPEG_AUDIO and b in _MPEG_AUDIO)
