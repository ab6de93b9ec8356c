"""The file sink: restored video, and everything else of the source beside it."""

from __future__ import annotations

from pathlib import Path

from streamrestore.encode.check import OutputPlan, check_output
from streamrestore.encode.head import video_head
from streamrestore.encode.muxer import Muxer
from streamrestore.encode.span import Span
from streamrestore.encode.video import VideoEncoder, moved_note
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
        span: the part of the source that the pictures are; None for the whole.

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
        span: Span | None = None,
    ) -> None:
        self._plan = plan or check_output(path, source_path, settings, info)
        self._info, self._alone, self._span = info, source_path is None, span
        self._muxer = Muxer(path, info, settings, self._plan, source_path=source_path, remark=remark)
        self._encoder: VideoEncoder | None = None

    def write(self, restored: Restored) -> None:
        """Encode the frames of a batch.

        Raises:
            UnsupportedOutput: the container cannot hold them.
            OutputError: the disk is full or failed.
        """
        if not restored.frames.frames:
            return
        with self._muxer.guarded():
            if self._encoder is None:
                head = video_head(
                    restored.frames, self._info, self._plan.container, alone=self._alone, span=self._span
                )
                self._encoder = VideoEncoder(self._muxer.start(head), head, self._plan)
            for packet in self._encoder.encode(restored.frames):
                self._muxer.write(packet)

    def finish(self) -> SinkReport:
        """Write what is left, and give the file its name.

        Raises:
            OutputError: nothing was written, or the disk is full.
        """
        with self._muxer.guarded():
            encoder = self._encoder
            if encoder is None:
                return self._muxer.finish(0)  # refuses
            for packet in encoder.flush():
                self._muxer.write(packet)
            return self._muxer.finish(encoder.frames, [*encoder.notes, *moved_note(encoder.moved)])

    def abort(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        self._muxer.abort()
        self._encoder = None
