"""Streams that are not restored: which of them a container takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from streamrestore.encode.containers import CONTAINERS, ContainerSpec
from streamrestore.encode.streams import describe, open_source, read_packets
from streamrestore.encode.times import without_hidden
from streamrestore.encode.trial import fit_together, refusal
from streamrestore.seams import SourceInfo

_PROBE_PACKETS = 2000
"""Packets that are looked at to find the first of each stream; all, for a stream that has none of these."""
_TRIAL_PACKETS = 16
"""Packets of a stream that go through a trial: of less, FFmpeg takes DTS in a transport stream for MP3."""


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

    Open a source for this alone: up to 2000 packets of it are read, and all if a stream has none among these.

    Args:
        info: of the source.
        leave: streams that are not looked at, such as the restored video.
    """
    streams = [stream for stream in source.streams if stream.index not in leave]
    first = _first_packets(source, [stream for stream in streams if stream.type != "attachment"])
    copied: list[Stream] = []
    dropped = []
    for stream in streams:
        if _is_written_anew(stream, source, spec):
            continue
        packets = first.get(stream.index, [])
        reason = _begins_apart(stream, packets, spec, info) or refusal(stream, packets, spec)
        if reason is None and not fit_together([*copied, stream], spec, bool(leave)):
            reason = f"{spec.name} does not take it beside the others"
        if reason is None:
            copied.append(stream)
        else:
            dropped.append(f"{describe(stream)}: {reason}")
    return Plan(tuple(stream.index for stream in copied), tuple(dropped))


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
    time_codes = [s.metadata.get("timecode") for s in source.streams if s.index != stream.index]
    return spec.time_code and "timecode" in stream.metadata and stream.metadata["timecode"] in time_codes


def _begins_apart(
    stream: Stream, packets: Sequence[Packet[Any]], spec: ContainerSpec, info: SourceInfo
) -> str | None:
    """Why a container whose streams all begin together does not take the stream; None if it does."""
    first = next(without_hidden(packets, lambda _: False, Counter()), None)
    if spec.offsets or stream.type != "audio" or first is None or first.dts is None:
        return None
    begin = first.dts * first.time_base - (info.video.start or 0)
    if abs(begin) <= (1 / info.rate if info.rate else Fraction(1, 25)):
        return None
    apart = f"{float(begin):+.3f} s from the first picture"
    return f"all streams of {spec.name} begin together, and it begins {apart}"
