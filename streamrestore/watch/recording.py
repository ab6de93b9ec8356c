"""Recording what was received: one file for each stream, through the encoder of files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from streamrestore import __version__
from streamrestore.encode import FileSink
from streamrestore.encode.containers import find_container
from streamrestore.encode.partial import translated
from streamrestore.errors import StreamRestoreError, UsageError
from streamrestore.frames import ColorInfo, Frame, FrameBatch, Matrix, PixelFormat, Plane, Range
from streamrestore.seams import Restored, SinkReport, SourceInfo, StreamInfo
from streamrestore.settings import EncodeSettings
from streamrestore.transport import Received
from streamrestore.watch.clock import TICKS, RecordingClock
from streamrestore.weather import Decision
from streamrestore.wire import Header

BASE = Fraction(1, TICKS)
USUAL_STEP = TICKS // 25
"""Of the only frame of a file."""

Name: TypeAlias = Callable[[str, datetime, int], Path]
"""A file's name, from the stream's, the first frame's arrival, and its number among the stream's files."""


def is_file(place: Path) -> bool:
    """Whether a place to record to is one file: it has an extension, and no folder is called so."""
    return bool(place.suffix) and not place.is_dir()


def names_for(place: Path) -> Name:
    """Names of files: `place` itself if it is one, else such as ``cam1-20260131T235959.123Z.mkv`` in it.

    Raises:
        UsageError: no container has this extension, or it cannot hold frames that come at any time.
        OutputError: the folder cannot be made.
    """
    if not is_file(place):
        with translated(place, "create"):
            place.mkdir(parents=True, exist_ok=True)
        return lambda stream, first, _: place / f"{stream}-{_stamp(first)}.mkv"
    if not find_container(place).variable_rate:
        raise UsageError(f"{place}: it cannot hold frames that come at any time; record to .mkv or .mp4")
    return lambda _, __, part: place if part == 1 else place.with_stem(f"{place.stem}-{part}")


class Recorder:
    """Writes each stream into a file, and begins another one where its pictures change their size.

    A frame is written when the next one has come, which tells how long it lasts. What is lost leaves its time
    empty. Files get their names at the end.
    """

    def __init__(self, name: Name, settings: EncodeSettings) -> None:
        self._name, self._settings = name, settings
        self._streams: dict[str, _Recording] = {}
        self._parts: dict[str, int] = {}
        self._done: list[SinkReport] = []

    def take(self, item: Received) -> None:
        """Record a frame; anything else changes nothing.

        Raises:
            OutputError: the file cannot be written; nothing is left of it.
            UsageError: codec or quality cannot be used.
        """
        if item.kind != "frame" or item.image is None:
            return
        recording = self._streams.get(item.stream)
        if recording is not None and recording.size != (item.header.width, item.header.height):
            self._end(item.stream)
            recording = None
        if recording is None:
            recording = self._begin(item.header)
        try:
            recording.take(item)
        except StreamRestoreError:
            self._streams.pop(item.stream).abort()
            raise

    def finish(self) -> list[SinkReport]:
        """Complete all files.

        Returns:
            Every file that was written.

        Raises:
            OutputError: one of them could not be completed; the others are.
        """
        failed: StreamRestoreError | None = None
        for stream in list(self._streams):
            try:
                self._end(stream)
            except StreamRestoreError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return self._done

    def _begin(self, header: Header) -> _Recording:
        part = self._parts[header.stream] = self._parts.get(header.stream, 0) + 1
        assert header.received_at is not None
        first = datetime.fromtimestamp(header.received_at / 1e9, UTC)
        path = self._name(header.stream, first, part)
        recording = self._streams[header.stream] = _Recording(path, header, first, self._settings)
        return recording

    def _end(self, stream: str) -> None:
        self._done.append(self._streams.pop(stream).finish())


class _Recording:
    """One file.

    Attributes:
        size: (width, height) of its pictures.
    """

    def __init__(self, path: Path, header: Header, first: datetime, settings: EncodeSettings) -> None:
        self.size = header.width, header.height
        width, height = self.size
        exact = settings.codec == "ffv1"
        self._format = PixelFormat("rgb") if exact else PixelFormat("yuv", 8, 1, 1)
        self._color = _color(header, exact=exact)
        info = SourceInfo(
            name=header.stream, container="", streams=(), video=StreamInfo(0, "video", "", BASE, None, None),
            width=width, height=height, format=self._format, pixel_format="gbrp" if exact else "yuv420p",
            color=self._color, time_base=BASE, is_live=True,
        )  # fmt: skip
        remark = f"{header.stream} from {_stamp(first)}, recorded by streamrestore {__version__}"
        self._sink = FileSink(path, info, settings, source_path=None, remark=remark)
        self._clock, self._reformatter = RecordingClock(), VideoReformatter()
        self._waiting: FrameBatch | None = None
        self._step = USUAL_STEP

    def take(self, item: Received) -> None:
        at = self._clock.at(item.header)
        if self._waiting is not None:
            self._step = at - self._waiting.frames[0].pts
            self._write(self._waiting)
        width, height = self.size
        self._waiting = FrameBatch(
            (Frame(self._planes(item.image), at),), width, height, self._format, BASE, self._color
        )

    def finish(self) -> SinkReport:
        if self._waiting is not None:
            self._write(self._waiting)
        return self._sink.finish()

    def abort(self) -> None:
        self._sink.abort()

    def _write(self, batch: FrameBatch) -> None:
        frame = replace(batch.frames[0], duration=self._step)
        self._sink.write(Restored(replace(batch, frames=(frame,)), Decision((), 1.0, "plan")))

    def _planes(self, image: Any) -> tuple[Plane, ...]:
        """Of a picture (H, W, 3): copies in the file's format."""
        if self._format.model == "rgb":
            return tuple(image[..., channel].copy() for channel in range(3))
        yuv = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24"),
            format="yuv420p",
            dst_colorspace=self._color.matrix,
            src_color_range=int(Range.FULL),
            dst_color_range=int(Range.LIMITED),
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
            threads=1,
        )
        sizes = self._format.plane_sizes(*self.size)
        return tuple(
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:rows, :columns].copy()
            for plane, (rows, columns) in zip(yuv.planes, sizes, strict=True)
        )


def _color(header: Header, *, exact: bool) -> ColorInfo:
    """Tags of a file's pictures."""
    given = header.color
    if exact:
        return ColorInfo(int(Matrix.RGB), int(Range.FULL), given.primaries, given.transfer)
    hd = header.width >= 1280 or header.height > 576
    matrix = Matrix.BT709 if hd else Matrix.BT601
    return ColorInfo(int(matrix), int(Range.LIMITED), given.primaries, given.transfer)


def _stamp(time: datetime) -> str:
    return time.strftime("%Y%m%dT%H%M%S.") + f"{time.microsecond // 1000:03}Z"
