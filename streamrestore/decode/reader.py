"""One container, opened and decoded past whatever is damaged in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamrestore.decode import losses as kinds
from streamrestore.decode import probe
from streamrestore.decode.losses import Evidence, Ledger, missing
from streamrestore.decode.names import redact_text
from streamrestore.decode.structure import WHOLE, has_index, inspect
from streamrestore.errors import InputError, InputNotFound, InputRefused, InputUnreadable

_MANY = 1000
"""Failed reads in a row, without one packet in between, after which the rest is given up."""

_MARGINS = (Fraction(1), Fraction(10))
"""Seconds before the wanted picture where a key frame is looked for: seeking goes by decoding times."""

_FAULTS = (av.FFmpegError, ValueError, RuntimeError, OverflowError)
"""What PyAV raises on damaged data."""


@dataclass(frozen=True, slots=True)
class Part:
    """What FFmpeg opens in one go: a file, a URL, a run of numbered pictures.

    Attributes:
        url: as FFmpeg wants it; it may hold a password.
        path: of the file, if it is a single one.
        format, options: for the demuxer.
        offset: ticks that are added to every timestamp.
        timeout: seconds that opening or a read may take; None waits for ever.
    """

    url: str
    path: Path | None = None
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0
    timeout: float | None = None


class Reader:
    """The video stream of one part.

    Args:
        name: of the input, fit to be shown.
        threads: of the decoder.
        losses: what could not be decoded is counted in here.

    Raises:
        InputError: it cannot be opened, or has no video.
    """

    def __init__(self, part: Part, name: str, *, threads: int, losses: Counter[str]) -> None:
        self.part, self.name, self.losses = part, name, losses
        self._threads = threads
        self._begin()

    def _begin(self) -> None:
        self.container = _open(self.part, self.name)
        try:
            self.stream: VideoStream = probe.video_stream(self.container, self.name)
        except BaseException:
            self.container.close()
            raise
        context = self.stream.codec_context
        self.size = (
            context.width,
            context.height,
        )  # before decoding changes it
        context.thread_count = self._threads
        context.thread_type = "SLICE" if self._threads == 1 else "FRAME"
        self.ledger = Ledger()
        self._refused = 0
        self._interlaced = False
        self._kinds = frozenset(self.container.format.name.split(","))
        self._first_dts: int | None = None
        self._delay: int | None = None
        self._last_pts: int | None = None

    def frames(self) -> Generator[VideoFrame, None, None]:
        """Pictures in presentation order; packets that cannot be decoded are counted and skipped."""
        for packet in self._packets():
            if packet.size:
                self.ledger.sent(packet.pts, discard=packet.is_discard)
                if self._first_dts is None:
                    self._first_dts = packet.dts
            try:
                frames = packet.decode()
            except av.error.EOFError:
                continue
            except _FAULTS:
                self._refused += 1
                self.losses[kinds.REFUSED] += 1
                continue
            if packet.is_corrupt:
                self.losses[kinds.REFUSED] += 1
            for frame in frames:
                self.ledger.came(frame.pts)
                self._interlaced = self._interlaced or frame.interlaced_frame
                if "avi" in self._kinds:
                    frame.pts = self._pts_from_dts(frame)
                yield frame

    def frames_from(self, start: int) -> Generator[VideoFrame, None, None]:
        """Pictures from a key frame at or before `start`; from the first one if the index is no help."""
        exact = "avi" not in self._kinds or probe.codec_name(self.stream) in kinds.ONE_TO_ONE
        for seconds in _MARGINS if exact else ():
            try:
                self.container.seek(
                    start - round(seconds / probe.time_base_of(self.stream)), stream=self.stream
                )
            except _FAULTS:
                break
            self._first_dts = self._delay = self._last_pts = None
            frames = self.frames()
            key = next((frame for frame in frames if frame.key_frame), None)  # what leads up to it is broken
            if key is not None and key.pts is not None and key.pts <= start:
                yield key
                del key
                yield from frames
                return
            frames.close()
        self.close()
        self._begin()
        yield from self.frames()

    def settle(self, first: Fraction | None, last_end: Fraction | None) -> None:
        """Count what FFmpeg did not tell; to be called once the whole stream was read.

        Args:
            first, last_end: when the first picture begins and the last one ends, in seconds.
        """
        stream, part = self.stream, self.part
        found = inspect(part.path, self.container.format.name) if part.path is not None else WHOLE
        one_to_one = probe.codec_name(stream) in kinds.ONE_TO_ONE and not self._interlaced
        evidence = Evidence(
            pictures=self.ledger.pictures,
            packets=self.ledger.shown,
            refused=self._refused,
            swallowed=self.ledger.swallowed if one_to_one else 0,
            indexed=self._indexed(),
            claimed=stream.frames or probe.tagged_count(stream.metadata),
            unfinished=found.unfinished,
            broken=found.broken,
            claimed_end=probe.claimed_end(self.container, stream),
            first=first,
            last_end=last_end,
            rate=probe.frame_rate(stream),
        )
        self.losses.update(missing(evidence))

    def close(self) -> None:
        """Close the container; pictures that are held stay valid."""
        self.container.close()

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        failures = 0
        while True:
            packets = self.container.demux(self.stream)
            try:
                for packet in packets:
                    failures = 0
                    yield packet
            except IndexError:  # PyAV met a packet of a stream that appeared after the beginning
                failures += 1
            except _FAULTS:
                self.losses[kinds.UNREADABLE] += not failures
                failures += _MANY if self.part.timeout is not None else 1
            else:
                return
            if failures >= _MANY:
                return

    def _pts_from_dts(self, frame: VideoFrame) -> int | None:
        """AVI stores no presentation times, and FFmpeg's guesses are not even in order with B-frames.

        Decoding times are right, and as late as the decoder's reordering takes.
        """
        if frame.dts is not None:
            if self._delay is None:
                self._delay = frame.dts - (frame.dts if self._first_dts is None else self._first_dts)
            self._last_pts = frame.dts - self._delay
        elif self._last_pts is not None:  # the last ones; a tick is a picture in AVI
            self._last_pts += 1
        return self._last_pts

    def _indexed(self) -> int | None:
        """Packets to be shown, by the index of every packet that MP4, MOV and AVI have."""
        entries = self.stream.index_entries
        if self.part.path is None or not self._kinds & {"mp4", "avi"}:
            return None
        if len(entries) <= self.ledger.packets:  # AVI's index stands at the end, and may be cut off
            return None if "avi" in self._kinds else self.ledger.shown
        return sum(entry.size > 0 and not entry.is_discard for entry in entries)


def _open(part: Part, name: str) -> InputContainer:
    try:
        return av.open(
            part.url,
            format=part.format,
            container_options=dict(part.options),
            metadata_errors="replace",
            timeout=part.timeout,
        )
    except _FAULTS as error:
        raise open_error(error, part, name) from None


def open_error(error: Exception, part: Part, name: str) -> InputError:
    """Why a part could not be opened, in the user's words."""
    version = av.ffmpeg_version_info
    if isinstance(error, FileNotFoundError):
        return InputNotFound(f"{name}: there is no such file; check the name")
    if isinstance(error, PermissionError):
        return InputUnreadable(f"{name}: the system does not allow to read it; check its permissions")
    if isinstance(error, av.error.ProtocolNotFoundError):
        return InputUnreadable(f"{name}: FFmpeg {version} knows no such protocol; use rtsp, http or a file")
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return InputRefused(
            f"{name}: the server refuses user and password; check them, and percent-encode special characters"
        )
    if part.path is not None:
        broken_off = inspect(part.path, "mp4").unfinished
        if broken_off and not has_index(part.path):
            return InputUnreadable(
                f"{name}: the recording was broken off before its index (moov) was written ({broken_off}); "
                "copy it again from where it came, or repair it with a tool such as untrunc"
            )
        return InputUnreadable(
            f"{name}: FFmpeg cannot read it ({_reason(error)}); check that it is a video, and complete"
        )
    return InputUnreadable(
        f"{name}: it cannot be opened ({_reason(error)}); check the address, and that it is up"
    )


def _reason(error: Any) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return redact_text(str(text))
