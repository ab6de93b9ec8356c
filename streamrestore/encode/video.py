"""The restored video: frames in, packets out, at the right times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from av.packet import Packet
from av.video.stream import VideoStream

from streamrestore.encode.check import OutputPlan
from streamrestore.encode.head import VideoHead, layout_of
from streamrestore.encode.pictures import PictureWriter, ffmpeg_name
from streamrestore.encode.rates import refuse_uneven
from streamrestore.encode.times import date_packets
from streamrestore.errors import UnsupportedOutput
from streamrestore.frames import Frame, FrameBatch


class VideoEncoder:
    """Encodes pictures for a stream of an output.

    Args:
        stream: from `head.add_video`, with the same head and plan.
        begin: number of the first picture, for messages.

    Attributes:
        frames: pictures taken so far.
        moved: pictures whose time did not increase, and was moved by a tick.
        notes: what the user should know.
    """

    def __init__(self, stream: VideoStream, head: VideoHead, plan: OutputPlan, *, begin: int = 0) -> None:
        self._stream, self._head, self._begin = stream, head, begin
        self._container, self._codec = plan.container, plan.codec
        self._pictures = PictureWriter(layout_of(head, plan), head.color)
        self._durations: dict[int, int] = {}
        self._last: int | None = None
        self.frames = self.moved = 0
        self.notes: list[str] = []

    def encode(self, batch: FrameBatch) -> Iterator[Packet[Any]]:
        """Packets that become ready.

        Raises:
            UnsupportedOutput: size or format change, or the container's rate does not fit the times.
        """
        self._check_same(batch)
        if any(frame.interlaced for frame in batch.frames):
            self._note("interlaced pictures are written as they are, but not marked as interlaced")
        for frame in batch.frames:
            picture = self._pictures(frame, batch)
            picture.pts, picture.time_base = self._time(frame, batch), self._head.tick
            picture.duration = self._durations[picture.pts]
            self.frames += 1
            yield from self._finish(self._stream.encode(picture))

    def flush(self) -> Iterator[Packet[Any]]:
        """The packets that are left."""
        packets = self._stream.encode(None)
        if self._codec.name == "hevc" and len(packets) == self.frames:
            # x265 makes up decoding times for fewer pictures than it reorders
            for packet, dts in zip(packets, date_packets([p.pts or 0 for p in packets]), strict=True):
                packet.dts = dts
        yield from self._finish(packets)

    def _finish(self, packets: list[Packet[Any]]) -> Iterator[Packet[Any]]:
        for packet in packets:
            duration = self._durations.pop(packet.pts, 0) if packet.pts is not None else 0
            if duration:
                packet.duration = duration
            yield packet

    @property
    def _at(self) -> int:
        """Number of the next picture."""
        return self._begin + self.frames

    def _check_same(self, batch: FrameBatch) -> None:
        head = self._head
        if (batch.width, batch.height, batch.format) != (head.width, head.height, head.format):
            raise UnsupportedOutput(
                f"the picture changes from {head.width}x{head.height} {ffmpeg_name(head.format)} to "
                f"{batch.width}x{batch.height} {ffmpeg_name(batch.format)} at frame {self._at}; "
                "one file cannot hold both: "
                "cut the input there"
            )
        if (batch.color, batch.rotation) != (head.color, head.rotation):
            self._note("colour tags or rotation change on the way; the file keeps the first ones")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _time(self, frame: Frame, batch: FrameBatch) -> int:
        """Time of a frame in ticks of the encoder, its duration noted."""
        tick = self._head.tick
        place = (frame.pts * batch.time_base + self._head.shift) / tick
        refuse_uneven(place, self._container, 1 / tick, batch.time_base, self._at)
        ticks = round(place)
        if self._last is not None and ticks <= self._last:
            ticks = self._last + 1
            self.moved += 1
        self._last = ticks
        self._durations[ticks] = max(0, round(frame.duration * batch.time_base / tick))
        return ticks


def moved_note(count: int) -> list[str]:
    """What to tell of pictures whose time was moved."""
    return [f"{count} timestamps that did not increase were moved by a tick"] if count else []
