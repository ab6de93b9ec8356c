"""A part of a source, and what of its other streams, chapters and tags belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from streamrestore.encode.streams import describe, open_source
from streamrestore.encode.tags import is_cover

_MARGIN = 30
"""Seconds by which packets of one time may lie apart in a file, and that a subtitle may last."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` to `end`, in seconds of the source's clock; None is where the source begins or ends.

    Attributes:
        seek: the source may be read from the middle; not where its clock is set back on the way there.
    """

    begin: Fraction | None = None
    end: Fraction | None = None
    seek: bool = True

    def cut(self, begin: Fraction, end: Fraction) -> tuple[Fraction, Fraction] | None:
        """What of a stretch of time lies in it; None if nothing does."""
        first = begin if self.begin is None else max(begin, self.begin)
        last = end if self.end is None else min(end, self.end)
        return (first, last) if first < last else None

    def holds(self, time: Fraction) -> bool:
        """Whether a moment lies in it."""
        return (self.begin is None or time >= self.begin) and (self.end is None or time < self.end)


class Cutter:
    """Takes what belongs to a span from the streams of a source.

    Packets are kept that begin in it. Subtitles are kept, and shortened, if they are shown in it; pictures
    from the first that needs no other to the last that is decoded in it. Cover art is kept.

    Args:
        notes: is told what cannot be cut there.

    Attributes:
        tags: that were left out with `trim`.
        chapters: that were.
    """

    def __init__(self, span: Span, notes: list[str]) -> None:
        self._span, self._notes = span, notes
        self.tags: tuple[str, ...] = ()
        self.chapters = 0
        self._shown: dict[int, int] = {}  # time of the first picture of each video

    def jump(self, source: InputContainer, path: Path) -> None:
        """Go to a place before the span, if reading from there leaves out nothing of it.

        Args:
            path: of the source.
        """
        if self._span.begin is None or not self._span.seek:
            return
        target = round((self._span.begin - _MARGIN) * av.time_base)
        with open_source(path) as trial:
            lands = _lands_before(trial, target, self._span.begin)
        if lands:
            source.seek(target)

    def packets(self, packets: Iterable[Packet[Any]], streams: Iterable[Stream]) -> Iterator[Packet[Any]]:
        """What belongs to the span.

        Args:
            streams: that the packets are of.
        """
        end = self._span.end
        waiting = {stream.index for stream in streams if stream.type == "audio"}
        for packet in packets:
            time = _time(packet)
            if is_cover(packet.stream):
                yield packet
                continue
            if time is None:  # the first ones of some streams
                if self._span.begin is None:
                    yield packet
                continue
            if end is not None and time * packet.time_base > end + _MARGIN:
                waiting.discard(packet.stream_index)
                if not waiting:
                    return
            if self._keeps(packet, time):
                yield packet

    def trim(self, output: OutputContainer, shift: Fraction) -> None:
        """Leave chapters and time codes out of an output that do not belong to the span.

        Args:
            shift: seconds by which all times were moved.
        """
        before, chapters = output.chapters(), []
        for chapter in before:
            base = chapter["time_base"] or Fraction(1, 1000)
            part = self._span.cut(chapter["start"] * base - shift, chapter["end"] * base - shift)
            if part is not None:
                chapter["start"], chapter["end"] = (round((time + shift) / base) for time in part)
                chapters.append(chapter)
        output.set_chapters(chapters)
        self.chapters = len(before) - len(chapters)
        if self._span.begin is None:
            return
        coded = [
            tags for tags in (output.metadata, *(s.metadata for s in output.streams)) if "timecode" in tags
        ]
        if coded:
            self.tags = ("timecode",)
            self._notes.append(f"the time code {coded[0]['timecode']} of the input's start is left out")
        for tags in coded:
            del tags["timecode"]

    def _keeps(self, packet: Packet[Any], time: int) -> bool:
        base = packet.time_base
        if packet.stream.type == "subtitle":
            part = self._span.cut(time * base, (time + (packet.duration or 1)) * base)
            if part is not None and packet.duration:
                packet.pts = packet.dts = round(part[0] / base)
                packet.duration = round((part[1] - part[0]) / base)
            return part is not None
        if packet.stream.type != "video":
            return self._span.holds(time * base)
        index, begin = packet.stream_index, self._span.begin
        if index not in self._shown and packet.is_keyframe and (begin is None or time * base >= begin):
            self._shown[index] = time
            if begin is not None and time * base > begin:
                late = float(time * base - begin)
                self._notes.append(
                    f"{describe(packet.stream)} begins {late:.3f} s late, at its first key frame"
                )
        decoded = time if packet.dts is None else packet.dts
        before_end = self._span.end is None or decoded * base < self._span.end
        return before_end and index in self._shown and time >= self._shown[index]


def _lands_before(source: InputContainer, target: int, begin: Fraction) -> bool:
    """Whether all sound from `begin` on is read after a jump: it may stand far from its pictures."""
    waiting = {stream.index for stream in source.streams if stream.type == "audio"}
    earliest = False
    try:
        source.seek(target)
        for packet in source.demux():
            time = _time(packet)
            if time is None:
                continue
            if time * packet.time_base > begin:
                return False
            earliest = True
            waiting.discard(packet.stream_index)
            if not waiting:
                break
    except av.FFmpegError:
        return False
    return earliest and not waiting


def _time(packet: Packet[Any]) -> int | None:
    return packet.dts if packet.pts is None else packet.pts
