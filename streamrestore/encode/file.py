"""The file sink: restored video, and everything else of the source beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from av.container import InputContainer, OutputContainer
from av.packet import Packet

from streamrestore.encode.check import OutputPlan, check_output
from streamrestore.encode.partial import Partial
from streamrestore.encode.passengers import Passengers
from streamrestore.encode.tags import copy_container, copy_stream
from streamrestore.encode.times import choose_shift
from streamrestore.encode.video import VideoEncoder
from streamrestore.errors import OutputError
from streamrestore.frames import FrameBatch
from streamrestore.seams import Restored, SinkReport, SourceInfo
from streamrestore.settings import EncodeSettings


class FileSink:
    """Writes one file (`seams.Sink`).

    Nothing appears under `path` before `finish`, and after an error nothing is left. The video is
    encoded; all other streams of the source are copied as packets, as far as the container takes
    them.

    Args:
        path: the file to write; its extension names the container.
        info: of the source.
        source_path: the source's file, whose other streams are copied; None if there is none.
        remark: goes into the file's comment, such as "restored by streamrestore 0.1.0, settings 12ab".
        plan: what `check_output` said about the same arguments; it is asked if None.

    Raises:
        UsageError, OutputError: as `check_output`.
    """

    def __init__(
        self,
        path: Path,
        info: SourceInfo,
        settings: EncodeSettings,
        *,
        source_path: Path | None,
        remark: str = "",
        plan: OutputPlan | None = None,
    ) -> None:
        self._plan = plan or check_output(path, source_path, settings, info)
        self._info, self._settings, self._remark = info, settings, remark
        self._source_path = source_path
        self._partial = Partial(path, overwrite=settings.overwrite)
        self._output: OutputContainer | None = None
        self._video: VideoEncoder | None = None
        self._passengers: Passengers | None = None
        self._dropped: list[str] = []

    def write(self, restored: Restored) -> None:
        """Encode the frames of a batch.

        Raises:
            UnsupportedOutput: the container cannot hold them.
            OutputError: the disk is full or failed.
        """
        if not restored.frames.frames:
            return
        with self._guarded():
            if self._video is None:
                self._start(restored.frames)
            assert self._video is not None
            self._mux(self._video.encode(restored.frames))

    def finish(self) -> SinkReport:
        """Write what is left, and give the file its name.

        Raises:
            OutputError: nothing was written, or the disk is full.
        """
        with self._guarded():
            if self._video is None or self._output is None:
                raise OutputError(f"{self._partial.target}: no frame came, so there is nothing to write")
            self._mux(self._video.flush())
            if self._passengers is not None:
                for packet in self._passengers.until(None):
                    self._output.mux_one(packet)
            self._output.close()
            size = self._partial.commit()
        passengers = self._passengers
        if passengers is not None:
            passengers.close()
        return SinkReport(
            path=self._partial.target,
            frames=self._video.frames,
            codec=self._plan.codec.name,
            bytes=size,
            copied=dict(sorted(passengers.counts.items())) if passengers else {},
            dropped=(*self._dropped, *(passengers.lost() if passengers else ())),
            notes=(*self._video.notes, *(passengers.notes() if passengers else ())),
        )

    def abort(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        self._partial.discard()  # first: a closed file keeps FFmpeg from writing a trailer
        self._output = self._video = None
        if self._passengers is not None:
            self._passengers.close()

    def _start(self, first: FrameBatch) -> None:
        """Set up every stream and write the header."""
        source: InputContainer | None = None
        spec, plan = self._plan.container, self._plan.passengers
        start = first.frames[0].pts * first.time_base
        shift = choose_shift(self._info, spec, start, alone=self._source_path is None)
        self._output = self._partial.open(spec.format, spec.options)
        main = self._info.video.index
        if self._source_path is not None and plan is not None:
            self._passengers = Passengers(self._source_path, plan, spec, shift)
            self._passengers.board(self._output, range(main))
            source = self._passengers.source
        self._video = VideoEncoder(
            self._output, spec, self._plan.codec, self._settings, first, rate=self._info.rate, shift=shift
        )
        if self._passengers is not None and source is not None:
            copy_stream(source.streams[main], self._video.stream)
            self._passengers.board(self._output, range(main + 1, len(source.streams)))
            self._passengers.tick = self._video.tick
            self._passengers.start()
        self._dropped += copy_container(source, self._output, spec, shift, self._remark)
        self._output.start_encoding()

    def _mux(self, packets: Iterator[Packet[Any]]) -> None:
        """Write packets of the video, and the others up to their time."""
        assert self._output is not None
        assert self._video is not None
        for packet in packets:
            if self._passengers is not None and packet.dts is not None:
                for other in self._passengers.until(packet.dts * packet.time_base):
                    self._output.mux_one(other)
            packet.stream = self._video.stream
            self._output.mux_one(packet)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Translate errors, and leave nothing behind on any."""
        try:
            with self._partial.translated():
                yield
        except BaseException:
            self.abort()
            raise
