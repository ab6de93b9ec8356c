"""The packets of copied streams, at the right times, in step with the video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from streamrestore.encode.containers import ContainerSpec
from streamrestore.encode.passthrough import Plan
from streamrestore.encode.span import Cutter
from streamrestore.encode.streams import add_copy, codec_name, describe, open_source, read_packets
from streamrestore.encode.tags import is_cover
from streamrestore.encode.times import fill_dts, fill_durations, without_hidden, without_jumps
from streamrestore.errors import UnsupportedOutput

REFUSED = (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.ArgumentError)
"""What FFmpeg raises when it can make nothing of a packet that it is to write; the last, of its times."""


class Passengers:
    """Streams of a source that travel as they are.

    Args:
        path: of the source.
        plan: what to copy.
        spec: the container of the output.
        shift: seconds by which all times are moved.

    Attributes:
        streams: indices of them in the source.
        tick: of the video, in seconds. In containers whose streams all begin together none may begin
            farther than this from the first picture.
        source: opened for this alone.
        cutter: takes a part of the source; None for the whole.
        counts: packets handed out, by stream index of the source.
        undated: pictures without a presentation time; they took their decoding time.
        refused: damaged packets that the muxer did not take.
    """

    def __init__(self, path: Path, plan: Plan, spec: ContainerSpec, shift: Fraction) -> None:
        self.source: InputContainer = open_source(path)
        self.streams = plan.copied
        self.counts: Counter[int] = Counter()
        self.undated = self.refused = 0
        self._path, self._plan, self._spec, self._shift = path, plan, spec, shift
        self.tick = Fraction(1, 25)
        self.cutter: Cutter | None = None
        self._losses: Counter[str] = Counter()
        self._moved = 0
        self._jumps: Counter[int] = Counter()
        self._hidden: Counter[int] = Counter()
        self._copies: dict[int, Stream] = {}
        self._packets: Iterator[Packet[Any]] = iter(())
        self._next: Packet[Any] | None = None
        self._moves: dict[int, int] = {}  # ticks of the source to add, by stream
        self._last: dict[int, int] = {}  # dts of the last packet in ticks of the output

    def board(self, output: OutputContainer, indices: range) -> None:
        """Add those of the streams to the output whose index in the source is in `indices`.

        All have to be on board before the header of the output is written.
        """
        for index in self.streams:
            stream = self.source.streams[index]
            if index not in indices:
                continue
            if is_cover(stream) and self._spec.attachments:
                self._attach_cover(output, stream)
                continue
            self._copies[index] = add_copy(output, stream)
            if stream.type == "attachment":
                self.counts[index] = 1

    def start(self) -> None:
        """Read the first packet; all streams are on board."""
        if self.cutter is not None:
            self.cutter.jump(self.source, self._path)
        streams = [s for s in self.source.streams if s.index in self._copies and s.type != "attachment"]
        for stream in self.source.streams:
            if stream not in streams:
                stream.discard = Discard.all
        if streams:
            packets = read_packets(self.source, streams, self._losses)
            packets = fill_durations(fill_dts(packet for packet in packets if not _is_pause(packet)))
            hides = (lambda time: time + self._shift < 0) if self._spec.edit_lists else (lambda _: False)
            self._packets = without_jumps(without_hidden(packets, hides, self._hidden), self._jumps)
        if self.cutter is not None:
            self._packets = self.cutter.packets(self._packets, streams)
        self._next = next(self._packets, None)

    def until(self, limit: Fraction | None) -> Iterator[Packet[Any]]:
        """Packets that begin no later than `limit` seconds of the output; all that are left if None.

        Call it after the header of the output has been written: the muxer chooses the time bases.

        Raises:
            UnsupportedOutput: the container cannot hold the times.
        """
        while self._next is not None:
            packet, index = self._next, self._next.stream_index
            self._date(packet)
            assert packet.dts is not None
            assert packet.pts is not None
            if index not in self._moves:
                self._moves[index] = self._first_move(packet)
            move = self._moves[index]
            if limit is not None and (packet.dts + move) * packet.time_base > limit:
                return
            packet.pts, packet.dts = packet.pts + move, packet.dts + move
            packet.stream = self._copies[index]
            self._keep_rising(packet, index)
            self.counts[index] += 1
            yield packet
            self._next = next(self._packets, None)

    def mux(self, output: OutputContainer, packet: Packet[Any]) -> None:
        """Write a packet, a copied one or of the restored video; a damaged one that is refused is counted.

        FFmpeg writes some packets later than it gets them: it may be an earlier one, but for wrong times.
        """
        try:
            output.mux_one(packet)
        except REFUSED as error:
            if isinstance(error, av.error.ArgumentError) and packet.stream not in self._copies.values():
                raise
            self.refused += 1

    def copy_of(self, index: int) -> Stream | None:
        """The stream of the output that takes the packets of a stream of the source."""
        return self._copies.get(index)

    def close(self) -> None:
        """Let go of the source."""
        self.source.close()

    @property
    def losses(self) -> dict[str, int]:
        """What of the copied streams is damaged so that it could not be written, by kind."""
        return {"refused packet of another stream": self.refused} if self.refused else {}

    def lost(self) -> list[str]:
        """What could not be copied, in words."""
        dropped = [f"{kind} ({count})" for kind, count in self._losses.items()]
        return [*self._plan.dropped, *dropped]

    def notes(self) -> list[str]:
        """What was changed, in words."""
        notes = []
        if moved := self._moved + self._jumps.total():
            notes.append(f"{moved} packets of copied streams whose time did not increase were moved")
        if total := self._hidden.total():
            notes.append(f"{total} packets of sound that an edit list of the input hides are left out")
        return notes

    def _date(self, packet: Packet[Any]) -> None:
        """Give a packet the times that it lacks."""
        if packet.pts is None and packet.stream.type == "video" and not is_cover(packet.stream):
            self.undated += 1
        if packet.dts is None:
            packet.dts = packet.pts
        if packet.dts is None:  # cover art has no time at all
            packet.dts = 0
        if packet.pts is None:
            packet.pts = packet.dts

    def _first_move(self, first: Packet[Any]) -> int:
        """Ticks by which a stream is moved."""
        assert first.dts is not None
        if self._spec.offsets:
            return round(self._shift / first.time_base)
        begin = first.dts * first.time_base + self._shift
        if abs(begin) > self.tick:
            raise UnsupportedOutput(
                f"all streams of {self._spec.name} begin together, and {describe(first.stream)} begins "
                f"{float(begin):+.3f} s from the first picture; write mkv or mp4"
            )
        return -first.dts

    def _keep_rising(self, packet: Packet[Any], index: int) -> None:
        """Move a packet that does not follow the one before it: muxers refuse it."""
        assert packet.dts is not None
        assert packet.pts is not None
        base = self._copies[index].time_base or packet.time_base
        last, ticks = self._last.get(index), round(packet.dts * packet.time_base / base)
        if last is not None and ticks <= last and packet.stream.type != "subtitle":
            late = -(-((last + 1) * base - packet.dts * packet.time_base) // packet.time_base)
            packet.dts += late
            packet.pts = max(packet.pts, packet.dts)
            self._moved += 1
            ticks = round(packet.dts * packet.time_base / base)
        self._last[index] = ticks

    def _attach_cover(self, output: OutputContainer, stream: Stream) -> None:
        """Matroska keeps cover art as an attachment."""
        with open_source(self._path) as again:
            packet = next(read_packets(again, [again.streams[stream.index]]), None)
        if packet is None:
            return
        codec = codec_name(stream)
        kind = {"mjpeg": "jpeg"}.get(codec, codec)
        name = stream.metadata.get("filename", f"cover.{'jpg' if kind == 'jpeg' else kind}")
        output.add_attachment(name, stream.metadata.get("mimetype", f"image/{kind}"), bytes(packet))
        self.counts[stream.index] = 1


def _is_pause(packet: Packet[Any]) -> bool:
    """Whether it stands for no text in mp4 and mov: their muxers write such packets by themselves."""
    return packet.size == 2 and bytes(packet) == b"\0\0" and codec_name(packet.stream) == "mov_text"
