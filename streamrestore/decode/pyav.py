"""Files, URLs and sequences of pictures by way of PyAV (FFmpeg), on the CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter

from streamrestore.decode import losses as kinds
from streamrestore.decode import probe
from streamrestore.decode.clock import DEFAULT_RATE, Clock, Repair
from streamrestore.decode.formats import Layout, layout_of
from streamrestore.decode.interlace import FIELD_CODECS, Deinterlacer, FieldOrder, Which
from streamrestore.decode.reader import Part, Reader
from streamrestore.errors import InputUnreadable, UnsupportedVideo, UsageError
from streamrestore.frames import ColorInfo, Frame, FrameBatch, PixelFormat, Plane
from streamrestore.seams import SourceInfo, SourceStatus

_REPAIRS: Mapping[Repair, str] = {
    "synthesised": "timestamps were missing; they were counted at {rate:g} pictures per second",
    "moved": "timestamps were repeated or out of order; they were moved to fit between their neighbours",
    "shifted": "timestamps jumped back; what follows was shifted so that time goes on",
    "dropped": "pictures with repeated timestamps were left out",
}

LOOK_AHEAD = 48
"""Pictures whose size is looked at if that of the first one is not what the container says."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What all frames of a batch share."""

    width: int
    height: int
    name: str
    color: ColorInfo
    rotation: int


class PyAVSource:
    """Pictures in presentation order, as views of the decoder's memory.

    The planes are read-only: the decoder predicts later pictures from them. They stay valid, and
    unchanged, for as long as they are held, also after `close`.

    Args:
        parts: what is decoded one after the other; all have the first one's time base.
        name: of the input, fit to be shown.
        threads: of the decoder.
        batch_size: pictures in a batch at most.
        rate: pictures per second, where the input does not say.
        start: timestamp before which pictures are decoded, but not given out.
        stop: timestamp from which on none are.
        start_index: index of the first picture that is given out.
        seek: go to `start` by way of the index instead of decoding everything before it.
        deinterlaced: which pictures go through the filter of `interlace`, if any; ``True`` is ``marked``.
        live: it comes in real time, whatever its container says: no picture waits for the next one.
        one_kind: leave pictures out, and count them, that are not of the size and format of the first one;
            if that has not the size that the container says, of most of the first ones.

    Raises:
        InputError: it cannot be opened, has no video, or no picture can be decoded.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        name: str,
        *,
        threads: int = 1,
        batch_size: int = 8,
        rate: Fraction | None = None,
        start: int | None = None,
        stop: int | None = None,
        start_index: int = 0,
        seek: bool = True,
        deinterlaced: Which | bool = False,
        live: bool = False,
        one_kind: bool = False,
    ) -> None:
        self._parts, self._name, self._threads = parts, name, threads
        self._one_kind = one_kind
        self._batch_size, self._index, self._seek = batch_size, start_index, seek
        self._start, self._stop = start, stop
        self._order = FieldOrder()
        self._status = SourceStatus()
        self._closed = False
        self._begin()
        try:
            first = next(self._decoded, None)
            if one_kind and first is not None and _size(first) != self._reader.size:
                first = self._first_of_most(first)
            if first is None:
                found = ", ".join(f"{count} x {kind}" for kind, count in sorted(self._status.losses.items()))
                raise InputUnreadable(
                    f"{name}: no picture in it can be decoded{f' ({found})' if found else ''}; "
                    "check that the file is complete"
                )
            info = probe.source_info(self._reader.container, self._reader.stream, first, name, rate)
            self._info = replace(info, is_live=info.is_live or live)
        except BaseException:
            self.close()
            raise
        self._deinterlacer = self._make_deinterlacer(deinterlaced)
        self._first: VideoFrame | None = first
        self._clock = Clock(self._info.time_base, self._info.rate)
        self._reformatter = VideoReformatter()
        self._turns: dict[int, tuple[int, bool]] = {}
        self._status.decoder = (
            f"pyav {av.__version__} (FFmpeg {av.ffmpeg_version_info}): {self._info.video.codec}, "
            f"{threads or 'all'} thread{'s' * (threads != 1)}"
        )

    @property
    def info(self) -> SourceInfo:
        """What was known before the first frame."""
        return self._info

    @property
    def status(self) -> SourceStatus:
        """What was chosen, and what was met so far."""
        return self._status

    @property
    def sender_clock(self) -> int | None:
        """Microseconds since 1970 at timestamp 0 by the sender's clock, once it told (RTP senders do)."""
        told = self._reader.container.start_time_realtime
        return int(told) if told else None

    @property
    def deinterlacing(self) -> bool:
        """Whether the picture that came last had to wait for the next one to be deinterlaced."""
        return self._deinterlacer is not None and self._deinterlacer.active

    def __iter__(self) -> Iterator[FrameBatch]:
        """Batches of at most `batch_size` pictures; a change of size, format, colour or rotation ends one.

        A source is read once.

        Raises:
            InputError: the pictures change to a format that is not handled.
        """
        if self._closed or self._first is None:
            state = "closed" if self._closed else "read once"
            raise UsageError(f"{self._name}: this source is {state}; open it again")
        first, self._first = self._first, None
        return self._batches(first)

    def close(self) -> None:
        """Close the input; frames that were given out stay valid."""
        self._closed = True
        self._decoded.close()
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_deinterlacer(self, which: Which | bool) -> Deinterlacer | None:
        if not which or (which == "lazily" and self._info.video.codec in FIELD_CODECS):
            return None
        return Deinterlacer("marked" if which is True else which, threads=self._threads)

    def _begin(self) -> None:
        self._reader = Reader(self._parts[0], self._name, threads=self._threads, losses=self._status.losses)
        self._decoded = self._decode()

    def _first_of_most(self, first: VideoFrame) -> VideoFrame | None:
        """The first picture of the size that most of the first ones have."""
        sizes = Counter([_size(first)])
        del first
        sizes.update(map(_size, islice(self._decoded, LOOK_AHEAD)))
        ((usual, _),) = sizes.most_common(1)  # of those that are as many, the earliest
        self._decoded.close()
        self._reader.close()
        self._status.losses.clear()
        self._begin()
        for strays, frame in enumerate(self._decoded):
            if _size(frame) == usual:
                self._status.losses.update({kinds.OTHER: strays} if strays else {})
                return frame
        return None

    def _is_other(self, frame: VideoFrame) -> bool:
        """Whether a picture differs from the others in size or format."""
        info, name = self._info, frame.format.name
        if _size(frame) != (info.width, info.height):
            return True
        try:
            return name != info.pixel_format and layout_of(name).format != info.format
        except UnsupportedVideo:
            return True

    def _decode(self) -> Generator[VideoFrame, None, None]:
        """Frames of all parts; `self._reader` is the one that the current frame came from."""
        for number, part in enumerate(self._parts):
            if number:
                self._reader.close()
                self._reader = Reader(part, self._name, threads=self._threads, losses=self._status.losses)
            for frame in self._reader.frames():
                if part.offset and frame.pts is not None:
                    frame.pts += part.offset
                yield frame

    def _from_start(self, first: VideoFrame) -> Iterator[VideoFrame]:
        """All frames, or those from a key frame at or before the wanted one.

        To be deinterlaced, a picture needs the one before it, too.
        """
        wanted = None if self._start is None else self._start - (self._deinterlacer is not None)
        if wanted is not None and first.pts is not None and self._may_seek and wanted > first.pts:
            self._decoded.close()
            self._decoded = self._reader.frames_from(wanted)
        else:
            yield first
        del first
        yield from self._decoded

    @property
    def _may_seek(self) -> bool:
        return self._seek and len(self._parts) == 1

    def _pictures(self, first: VideoFrame) -> Iterator[VideoFrame]:
        frames = self._from_start(first)
        return frames if self._deinterlacer is None else self._deinterlacer.through(frames)

    def _batches(self, first: VideoFrame) -> Iterator[FrameBatch]:
        current: _Kind | None = None
        frames: list[Frame] = []
        begin: int | None = None
        end, whole = 0, self._start is None
        for decoded, following in self._with_next_time(self._pictures(first)):
            pts = self._stamp(decoded, following)
            if pts is None or (self._start is not None and pts < self._start):
                continue
            if self._stop is not None and pts >= self._stop:
                whole = False
                break
            if begin is None:
                begin = pts
                if self._start is not None:
                    self._status.losses.clear()  # they lie before the start
            if self._one_kind and self._is_other(decoded):
                self._leave_out(decoded, pts)
                continue
            kind = self._kind(decoded)
            if frames and kind != current:
                yield self._batch(frames, current)
                frames = []
            current = kind
            frames.append(self._frame(decoded, pts))
            end = pts + decoded.duration
            if len(frames) == self._batch_size:  # at once: live, the next picture may never come
                yield self._batch(frames, current)
                frames = []
        if frames:
            yield self._batch(frames, current)
        if not self._closed and whole and not self._info.is_live:
            base = self._info.time_base
            self._reader.settle(begin * base if begin is not None else None, end * base)

    def _kind(self, frame: VideoFrame) -> _Kind:
        name = frame.format.name
        if frame.rotation not in self._turns:  # side data is read once: it keeps its frame in memory
            self._turns[frame.rotation] = probe.rotation_of(frame)
        rotation, exact = self._turns[frame.rotation]
        if not exact:
            self._note(f"rotation of {frame.rotation} degrees was taken as {rotation}")
        color = probe.color_of(frame, full=self._layout(name).full)
        return _Kind(frame.width, frame.height, name, color, rotation)

    def _layout(self, name: str) -> Layout:
        try:
            return layout_of(name)
        except UnsupportedVideo as error:
            raise UnsupportedVideo(f"{self._name}: {error}") from None

    def _with_next_time(self, frames: Iterator[VideoFrame]) -> Iterator[tuple[VideoFrame, int | None]]:
        """Each frame with the timestamp of the one after it; live, where nothing may wait, without."""
        if self._info.is_live:
            for frame in frames:
                yield frame, None
            return
        held: VideoFrame | None = None
        for frame in frames:
            if held is not None:
                yield held, frame.pts
            held = frame
        if held is not None:
            yield held, None

    def _stamp(self, frame: VideoFrame, following: int | None) -> int | None:
        clock, pts = self._clock, frame.pts
        stamped = clock.stamp(pts, following)
        if clock.last_repair is not None:
            rate = float(self._info.rate or DEFAULT_RATE)
            self._note(_REPAIRS[clock.last_repair].format(rate=rate))
            if stamped is None:
                self._status.losses[kinds.REPEATED] += 1
        return stamped

    def _leave_out(self, decoded: VideoFrame, pts: int) -> None:
        if not self._status.losses[kinds.OTHER]:
            size = f"{decoded.width}x{decoded.height} {decoded.format.name}"
            at = float(pts * self._info.time_base)
            self._note(
                f"pictures that are not like the others were left out, the first of {size} at {at:.2f} s"
            )
        self._status.losses[kinds.OTHER] += 1

    def _frame(self, decoded: VideoFrame, pts: int) -> Frame:
        layout = self._layout(decoded.format.name)
        pixels = decoded
        if layout.repack is not None:
            if decoded.format.name == "pal8" and is_transparent(decoded):
                raise UnsupportedVideo(f"{self._name}: its palette has transparent colours; flatten it first")
            pixels = self._reformatter.reformat(decoded, format=layout.repack, threads=1)
        index, self._index = self._index, self._index + 1
        self._status.frames += 1
        corrupt = decoded.is_corrupt
        if corrupt:
            self._status.losses[kinds.DAMAGED] += 1
        return Frame(
            planes=planes_of(pixels, layout),
            pts=pts,
            duration=decoded.duration,
            index=index,
            key=decoded.key_frame,
            corrupt=corrupt,
            interlaced=decoded.interlaced_frame,
            top_field_first=decoded.interlaced_frame and self._order.top_first(decoded),
        )

    def _batch(self, frames: list[Frame], kind: _Kind | None) -> FrameBatch:
        assert kind is not None
        return FrameBatch(
            frames=tuple(frames),
            width=kind.width,
            height=kind.height,
            format=self._layout(kind.name).format,
            time_base=self._info.time_base,
            color=kind.color,
            rotation=kind.rotation,
            sample_aspect_ratio=self._info.sample_aspect_ratio,
        )

    def _note(self, text: str) -> None:
        if text not in self._status.notes:
            self._status.notes.append(text)


def _size(frame: VideoFrame) -> tuple[int, int]:
    return frame.width, frame.height


def planes_of(frame: VideoFrame, layout: Layout) -> tuple[Plane, ...]:
    """Views (h, w) of a planar frame's samples, read-only, that keep its memory alive."""
    stored = frame.planes
    sizes = layout.format.plane_sizes(frame.width, frame.height)
    return tuple(
        _view(stored[index], size, layout.format) for index, size in zip(layout.order, sizes, strict=True)
    )


def is_transparent(frame: VideoFrame) -> bool:
    """True if a picture with a palette (pal8) uses a colour that is not opaque."""
    line = abs(frame.planes[0].line_size)
    indices = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, line)[:, : frame.width]  # type: ignore[call-overload]
    colors = np.frombuffer(frame.planes[1], np.uint8).reshape(256, 4)  # type: ignore[call-overload]
    return bool((colors[np.unique(indices), 3] < 255).any())  # B, G, R, A


def _view(plane: VideoPlane, size: tuple[int, int], format: PixelFormat) -> Plane:
    height, width = size
    dtype = format.dtype
    line = plane.line_size
    samples = np.frombuffer(plane, dtype)  # type: ignore[call-overload]  # Plane is a buffer
    lines = samples.reshape(-1, abs(line) // dtype.itemsize)
    if line < 0:  # stored from the bottom up; torch knows no negative strides
        lines = lines[::-1].copy()
    view = lines[:height, :width]
    view.flags.writeable = False
    return view
