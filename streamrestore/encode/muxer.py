"""An output while it is written: packets of the video, and everything else of the source beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from streamrestore.encode.check import OutputPlan
from streamrestore.encode.head import VideoHead, add_video, head_notes
from streamrestore.encode.partial import Partial
from streamrestore.encode.passengers import Passengers
from streamrestore.encode.span import Cutter
from streamrestore.encode.tags import copy_container, copy_stream, lost_tags, muxer_options
from streamrestore.errors import OutputError
from streamrestore.seams import SinkReport, SourceInfo
from streamrestore.settings import EncodeSettings


class Muxer:
    """Writes one file, from the packets of its video.

    Nothing appears under `path` before `finish`, and `abort` leaves nothing behind.

    Args:
        path: the file to write.
        info: of the source.
        plan: what `check_output` said.
        source_path: the source's file, whose other streams are copied; None if there is none.
        remark: goes into the file's comment.

    Raises:
        OutputError: `path` cannot be written.
    """

    def __init__(
        self,
        path: Path,
        info: SourceInfo,
        settings: EncodeSettings,
        plan: OutputPlan,
        *,
        source_path: Path | None,
        remark: str = "",
    ) -> None:
        self._info, self._settings, self._plan = info, settings, plan
        self._source_path, self._remark = source_path, remark
        self._partial = Partial(path, overwrite=settings.overwrite)
        self._output: OutputContainer | None = None
        self._video: VideoStream | None = None
        self._passengers: Passengers | None = None
        self._cutter: Cutter | None = None
        self._notes: list[str] = []

    def start(self, head: VideoHead) -> VideoStream:
        """Set up every stream and write the header; the stream whose encoder makes the packets.

        Its encoder is open then, and the header holds its parameters; packets may come from
        another one with the same head, plan and settings.
        """
        source: InputContainer | None = None
        spec, copies = self._plan.container, self._plan.passengers
        main = self._info.video.index
        self._cutter = None if head.span is None else Cutter(head.span, self._notes)
        if self._source_path is not None and copies is not None:
            self._passengers = Passengers(self._source_path, copies, spec, head.shift)
            source = self._passengers.source
        streams = self._passengers.streams if self._passengers is not None else ()
        output = self._output = self._partial.open(spec.format, muxer_options(spec, source, streams))
        if self._passengers is not None:
            self._passengers.board(output, range(main))
        self._video = add_video(output, head, self._plan, self._settings)
        self._notes += head_notes(head, self._plan)
        if self._passengers is not None and source is not None:
            copy_stream(source.streams[main], self._video)
            self._passengers.board(output, range(main + 1, len(source.streams)))
            self._passengers.tick = head.tick
            self._passengers.cutter = self._cutter
            self._passengers.start()
        copy_container(source, output, head.shift, self._remark)
        if self._cutter is not None:
            self._cutter.trim(output, head.shift)
        output.start_encoding()
        return self._video

    def write(self, packet: Packet[Any]) -> None:
        """Write a packet of the video, after the others up to its time."""
        assert self._output is not None
        assert self._video is not None
        if self._passengers is not None and packet.dts is not None:
            for other in self._passengers.until(packet.dts * packet.time_base):
                self._passengers.mux(self._output, other)
        packet.stream = self._video
        if self._passengers is None:
            self._output.mux_one(packet)
        else:
            self._passengers.mux(self._output, packet)

    def finish(self, frames: int, notes: Sequence[str] = ()) -> SinkReport:
        """Write what is left of the other streams, and give the file its name.

        Args:
            frames: pictures written.
            notes: on them, for the report.

        Raises:
            OutputError: nothing was written, or the disk is full.
        """
        if self._output is None:
            raise OutputError(f"{self._partial.target}: no frame came, so there is nothing to write")
        passengers = self._passengers
        if passengers is not None:
            for packet in passengers.until(None):
                passengers.mux(self._output, packet)
        self._output.close()
        source, streams = None, {self._info.video.index}
        if passengers is not None:
            source, streams = passengers.source, streams | passengers.counts.keys()
        lost = lost_tags(
            source,
            self._partial.path,
            self._plan.container,
            streams,
            self._remark,
            without=self._cutter.tags if self._cutter is not None else (),
            chapters=self._cutter.chapters if self._cutter is not None else 0,
        )
        size = self._partial.commit()
        if passengers is not None:
            passengers.close()
        return SinkReport(
            path=self._partial.target,
            frames=frames,
            codec=self._plan.codec.name,
            bytes=size,
            copied=dict(sorted(passengers.counts.items())) if passengers else {},
            dropped=tuple(passengers.lost() if passengers else ()),
            notes=(*self._notes, *notes, *(passengers.notes() if passengers else ()), *lost),
            losses=passengers.losses if passengers else {},
        )

    def abort(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        self._partial.discard()  # first: a closed file keeps FFmpeg from writing a trailer
        self._output = self._video = None
        if self._passengers is not None:
            self._passengers.close()

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Translate errors, and leave nothing behind on any.

        Raises:
            UnsupportedOutput: the container cannot hold what came.
            OutputError: the disk is full or failed.
        """
        try:
            with self._partial.translated():
                yield
        except BaseException:
            self.abort()
            raise
