"""A part of a video, encoded by itself: with others it is joined into one file (`encode.join`)."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from streamrestore.encode.bitrate import level_of
from streamrestore.encode.check import OutputPlan
from streamrestore.encode.head import VideoHead, add_video
from streamrestore.encode.packets import RECORD_BYTES, PacketHeader, PacketWriter
from streamrestore.encode.partial import translated
from streamrestore.encode.video import VideoEncoder
from streamrestore.seams import Restored, SinkReport
from streamrestore.settings import EncodeSettings


@dataclass(frozen=True, slots=True)
class SegmentReport(SinkReport):
    """What a segment's sink wrote.

    Attributes:
        sha256: of the file.
        moved: pictures whose time did not increase, and was moved by a tick.
    """

    sha256: str = ""
    moved: int = 0

    @property
    def payload(self) -> int:
        """Bytes of the packets alone, but for a header."""
        return self.bytes - RECORD_BYTES * self.frames


class SegmentSink:
    """Writes one segment (`seams.Sink`): its pictures only, as packets in a file of their own.

    It begins with a key frame and refers to nothing before. The encoder is set up as for the whole
    file, so that segments fit together, whoever made them.

    Args:
        path: the file to write; a file there is replaced.
        head, plan, settings: the same for all segments of a video.
        begin: number of its first picture, for messages.

    Raises:
        OutputError: `path` cannot be written.
        UnsupportedOutput: the encoder refuses the settings.
    """

    def __init__(
        self, path: Path, head: VideoHead, plan: OutputPlan, settings: EncodeSettings, *, begin: int = 0
    ) -> None:
        self._path, self._codec = path, plan.codec.name
        self._writer: PacketWriter | None = None
        # Nothing is written there: it tells the encoder where parameter sets go. It and its stream hold each
        # other, and the encoder with all its memory, until it is closed.
        self._scratch = av.open(io.BytesIO(), "w", format=plan.container.format)
        with self._guarded():
            stream = _open_encoder(self._scratch, head, plan, settings)
            self._writer = PacketWriter(path, PacketHeader.of(stream.codec_context))
            self._encoder = VideoEncoder(stream, head, plan, begin=begin)

    def write(self, restored: Restored) -> None:
        """Encode the frames of a batch.

        Raises:
            UnsupportedOutput: the container of the whole cannot hold them.
            OutputError: the disk is full or failed.
        """
        with self._guarded():
            for packet in self._encoder.encode(restored.frames):
                self._open_writer.write(packet)

    def finish(self) -> SegmentReport:
        """Complete the file, and have it on the disk.

        Raises:
            OutputError: the disk is full or failed.
        """
        with self._guarded():
            writer, encoder = self._open_writer, self._encoder
            for packet in encoder.flush() if encoder.frames else ():
                writer.write(packet)
            digest = writer.finish()
            self._writer = None
            self._scratch.close()
        return SegmentReport(
            path=self._path,
            frames=encoder.frames,
            codec=self._codec,
            bytes=writer.bytes,
            notes=tuple(encoder.notes),
            sha256=digest,
            moved=encoder.moved,
        )

    def abort(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        self._scratch.close()
        if self._writer is None:
            return
        with contextlib.suppress(OSError):  # on a full disk, closing fails as writing did
            self._writer.close()
        self._writer = None
        with contextlib.suppress(OSError):
            self._path.unlink()

    @property
    def _open_writer(self) -> PacketWriter:
        assert self._writer is not None
        return self._writer

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Translate errors, and leave nothing behind on any."""
        try:
            with translated(self._path):
                yield
        except BaseException:
            self.abort()
            raise


def common_level(head: VideoHead, plan: OutputPlan, settings: EncodeSettings) -> VideoHead:
    """The same head with the level of the coding standard that its aim calls for, for all parts of the video.

    Raises:
        UnsupportedOutput: the encoder refuses the settings.
    """
    if head.aim is None:
        return head
    with (
        translated(Path(plan.codec.encoder), "open"),
        av.open(io.BytesIO(), "w", format=plan.container.format) as scratch,
    ):
        parameters = bytes(_open_encoder(scratch, head, plan, settings).codec_context.extradata or b"")
    return replace(head, aim=replace(head.aim, level=level_of(parameters, plan.codec.name)))


def _open_encoder(
    scratch: OutputContainer, head: VideoHead, plan: OutputPlan, settings: EncodeSettings
) -> VideoStream:
    stream = add_video(scratch, head, plan, settings)
    with ThreadPoolExecutor(1, initializer=_yield_to_others) as opener:
        opener.submit(stream.codec_context.open).result()
    return stream


def _yield_to_others() -> None:
    """Let the threads that this one starts run after others that want the same core.

    Encoders start more threads than there are cores, and would take the network's turns: on two cores
    300 frames of 720p took 13.1 s instead of 14.8 s (2026-11-22). Only the encoder's own threads: one of
    Python's that waits for its turn would have all others wait for its lock.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + 5)
