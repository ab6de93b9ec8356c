"""Segments into one file: what `FileSink` writes for the same pictures, but for where key frames stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from av.video.stream import VideoStream

from streamrestore.encode.check import OutputPlan, check_output
from streamrestore.encode.head import VideoHead
from streamrestore.encode.muxer import Muxer
from streamrestore.encode.packets import PacketFile, PacketHeader
from streamrestore.encode.segment import SegmentReport
from streamrestore.encode.times import date_packets, keep_rising
from streamrestore.encode.video import moved_note
from streamrestore.errors import Interrupted, OutputError
from streamrestore.seams import SinkReport, SourceInfo
from streamrestore.settings import EncodeSettings


def join_segments(
    path: Path,
    segments: Sequence[SegmentReport],
    head: VideoHead,
    info: SourceInfo,
    settings: EncodeSettings,
    *,
    source_path: Path | None,
    remark: str = "",
    plan: OutputPlan | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> SinkReport:
    """Write the packets of all segments into one file, the source's other streams beside them.

    The segments stay as they are.

    Args:
        segments: in the order of time; what `SegmentSink` reported.
        head: the one that they were made with.
        info, settings, source_path, remark, plan: as for `FileSink`.
        stop: asked before each packet; True ends the run.

    Raises:
        Interrupted: `stop` said so; nothing is left under `path`.
        OutputError: a segment is missing or damaged or does not fit, or the disk is full; likewise.
    """
    plan = plan or check_output(path, source_path, settings, info)
    paths = [segment.path for segment in segments if segment.path is not None]
    files = [PacketFile(file) for file in paths]
    pts, moved = keep_rising([file.pts for file in files])
    dts = date_packets(pts, max((_delay(file) for file in files), default=0))
    times = zip(pts, dts, strict=True)
    muxer = Muxer(path, info, settings, plan, source_path=source_path, remark=remark)
    with muxer.guarded():
        if pts:
            stream = muxer.start(head)
            _check_fit(stream, files, paths)
        for file in files:
            for packet in file:
                if stop():
                    raise Interrupted(f"{info.name}: stopped while segments were joined")
                packet.pts, packet.dts = next(times)
                muxer.write(packet)
        notes = dict.fromkeys(note for segment in segments for note in segment.notes)
        moved += sum(segment.moved for segment in segments)
        frames = sum(segment.frames for segment in segments)
        return muxer.finish(frames, [*notes, *moved_note(moved)])


def _delay(file: PacketFile) -> int:
    """Packets that are decoded before the first picture is shown, as the encoder says."""
    first = min(file.pts, default=0)
    return sum(dts < first for dts in file.dts)


def _check_fit(stream: VideoStream, files: Sequence[PacketFile], paths: Sequence[Path]) -> None:
    """Refuse segments that the header of the output does not describe."""
    wanted = PacketHeader.of(stream.codec_context)
    for file, path in zip(files, paths, strict=True):
        if file.header != wanted:
            raise OutputError(
                f"{path}: the segment was encoded by another encoder, or with other settings; "
                "delete it and run again"
            )
