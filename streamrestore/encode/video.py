"""The restored video: frames in, packets out, at the right times."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from av.codec.context import ThreadType
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from streamrestore.encode.codecs import CodecSpec, encoder_options
from streamrestore.encode.containers import ContainerSpec
from streamrestore.encode.pictures import Layout, PictureWriter, plan_layout, tag
from streamrestore.encode.tags import display_notes
from streamrestore.errors import UnsupportedOutput
from streamrestore.frames import Frame, FrameBatch
from streamrestore.settings import EncodeSettings

_COARSE, _FINEST = Fraction(1, 10), Fraction(1, 1_000_000)
_AV1_MAX_RATE = Fraction(240)  # SVT-AV1 refuses more
_USUAL_RATE = Fraction(25)
_USUAL_RATES = [Fraction(rate) for rate in (5, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)]
_USUAL_RATES += [rate * 1000 / 1001 for rate in _USUAL_RATES if rate in (15, 24, 30, 48, 60, 120, 240)]
_CHROMA_LOCATIONS = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")


class VideoEncoder:
    """The video stream of an output.

    The first batch decides about size, format, colour and orientation.

    Args:
        output: container whose header is not written yet.
        rate: average frame rate, if known.
        shift: seconds by which all times are moved.

    Attributes:
        stream: of the output.
        tick: of the encoder's clock, in seconds.
        frames: pictures taken so far.
        notes: what the user should know.
    """

    def __init__(
        self,
        output: OutputContainer,
        container: ContainerSpec,
        codec: CodecSpec,
        settings: EncodeSettings,
        first: FrameBatch,
        *,
        rate: Fraction | None = None,
        shift: Fraction = Fraction(0),
    ) -> None:
        self._container, self._codec, self._shift = container, codec, shift
        self._first, self.frames = first, 0
        self.notes: list[str] = []
        self.layout: Layout = plan_layout(codec, first.format, first.color, first.width, first.height)
        if self.layout.note:
            self.notes.append(self.layout.note)
        self._pictures = PictureWriter(self.layout, first.color)
        self._rate = _sane_rate(rate, first)
        if not container.variable_rate:
            self._rate = _nominal_rate(self._rate, first)
        self.tick = _sane_tick(first.time_base) if container.variable_rate else 1 / self._rate
        self._durations: dict[int, int] = {}
        self._last: int | None = None
        self._moved = 0
        self.stream = self._add_stream(output, settings)

    def encode(self, batch: FrameBatch) -> Iterator[Packet[Any]]:
        """Packets that become ready.

        Raises:
            UnsupportedOutput: size or format change, or the container's rate does not fit the times.
        """
        self._check_same(batch)
        if batch.frames and batch.frames[0].interlaced:
            self._note("interlaced pictures are written as they are, but not marked as interlaced")
        for frame in batch.frames:
            picture = self._pictures(frame, batch)
            picture.pts, picture.time_base = self._time(frame, batch), self.tick
            picture.duration = self._durations[picture.pts]
            self.frames += 1
            yield from self._finish(self.stream.encode(picture))

    def flush(self) -> Iterator[Packet[Any]]:
        """The packets that are left."""
        packets = self.stream.encode(None)
        if self._codec.name == "hevc" and len(packets) == self.frames:
            _redate(packets)  # x265 makes up decoding times for fewer pictures than it reorders
        yield from self._finish(packets)
        if self._moved:
            self.notes.append(f"{self._moved} timestamps that did not increase were moved by a tick")

    def _finish(self, packets: list[Packet[Any]]) -> Iterator[Packet[Any]]:
        for packet in packets:
            duration = self._durations.pop(packet.pts, 0) if packet.pts is not None else 0
            if duration:
                packet.duration = duration
            yield packet

    def _add_stream(self, output: OutputContainer, settings: EncodeSettings) -> VideoStream:
        first = self._first
        options = encoder_options(self._codec, settings)
        if self._codec.name == "av1":
            os.environ.setdefault("SVT_LOG", "1")  # it writes to stderr by itself: errors only
        if 0 < first.color.chroma_location < len(_CHROMA_LOCATIONS):
            options["chroma_sample_location"] = _CHROMA_LOCATIONS[first.color.chroma_location]
        rate = min(self._rate, _AV1_MAX_RATE) if self._codec.name == "av1" else self._rate
        stream = output.add_stream(self._codec.encoder, rate=rate, options=options)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = first.width, first.height, self.layout.target
        context.time_base = self.tick
        context.sample_aspect_ratio = first.sample_aspect_ratio
        context.thread_count = settings.threads
        context.thread_type = ThreadType.AUTO if self._codec.name == "ffv1" else ThreadType.FRAME
        tag(context, self.layout.color)
        if not self._container.b_frames:
            context.max_b_frames = 0
        if self._codec.name == "hevc" and self._container.edit_lists:
            context.codec_tag = "hvc1"  # what players of Apple ask for
        if first.rotation and self._container.rotation:
            stream.set_display_rotation(first.rotation)
        self.notes += display_notes(
            self._container, self._codec.name, first.rotation, first.sample_aspect_ratio
        )
        return stream

    def _check_same(self, batch: FrameBatch) -> None:
        first = self._first
        if (batch.width, batch.height, batch.format) != (first.width, first.height, first.format):
            raise UnsupportedOutput(
                f"the picture changes from {first.width}x{first.height} {first.format} to {batch.width}x"
                f"{batch.height} {batch.format} at frame {self.frames}; one file cannot hold both: "
                "cut the input there"
            )
        if (batch.color, batch.rotation) != (first.color, first.rotation):
            self._note("colour tags or rotation change on the way; the file keeps the first ones")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _time(self, frame: Frame, batch: FrameBatch) -> int:
        """Time of a frame in ticks of the encoder, its duration noted."""
        exact = (frame.pts * batch.time_base + self._shift) / self.tick
        ticks = round(exact)
        off = abs(exact - ticks) * self.tick
        if not self._container.variable_rate and off > _tolerance(batch.time_base):
            raise UnsupportedOutput(
                f"{self._container.name} holds a constant frame rate only, and frame {self.frames} is "
                f"{float(off) * 1000:.1f} ms off {float(self._rate):.3f} frames/s; write mkv or mp4"
            )
        if self._last is not None and ticks <= self._last:
            ticks = self._last + 1
            self._moved += 1
        self._last = ticks
        self._durations[ticks] = max(0, round(frame.duration * batch.time_base / self.tick))
        return ticks


def _redate(packets: list[Packet[Any]]) -> None:
    """Give all packets of a video decoding times: the presentation times in order, early enough."""
    shown = [packet.pts or 0 for packet in packets]
    delay = max(early - pts for early, pts in zip(sorted(shown), shown, strict=True))
    for packet, early in zip(packets, sorted(shown), strict=True):
        packet.dts = early - delay


def _tolerance(base: Fraction) -> Fraction:
    """How far a frame may be off the grid: the rounding of its own clock, in seconds."""
    return base + Fraction(1, 10_000)


def _sane_rate(rate: Fraction | None, batch: FrameBatch) -> Fraction:
    """A frame rate for the encoder's rate control and for headers."""
    if rate is None and batch.frames and batch.frames[0].duration:
        rate = 1 / (batch.frames[0].duration * batch.time_base)
    if rate is None or not 0 < rate <= 1000:
        return _USUAL_RATE
    return rate.limit_denominator(100_000)


def _sane_tick(base: Fraction) -> Fraction:
    """The clock of the source, unless encoders or mp4 (32 bits for a duration) cannot count in it.

    Coarse ticks are divided, which is exact; finer ones than a microsecond are rounded to it.
    """
    if base > _COARSE:
        return base / math.ceil(base * 1000)
    return max(base, _FINEST)


def _nominal_rate(rate: Fraction, batch: FrameBatch) -> Fraction:
    """The usual rate that an average means: lost frames and a long last one make it inexact."""
    duration = batch.frames[0].duration * batch.time_base
    guesses = [(1 / duration, Fraction(1, 2000))] if duration else []
    for guess, tolerance in (*guesses, (rate, Fraction(1, 200))):
        near = min(_USUAL_RATES, key=lambda usual: abs(usual - guess))
        if abs(near - guess) < near * tolerance:
            return near
    return rate
