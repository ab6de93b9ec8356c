"""What a capture process reads: anything that FFmpeg opens, a file in real time, or our own messages."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from streamrestore.decode.interlace import Which
from streamrestore.decode.opening import OpenOptions, open_pyav
from streamrestore.decode.pyav import PyAVSource
from streamrestore.decode.reader import Part
from streamrestore.errors import InputRefused, InputUnreadable, UnsupportedVideo, UsageError
from streamrestore.frames import (
    LARGEST,
    NOT_YCBCR,
    SMALLEST,
    ColorInfo,
    Frame,
    FrameBatch,
    Matrix,
    PixelFormat,
    Range,
)
from streamrestore.live.config import Interlaced
from streamrestore.live.messages import Gap, Kind, Renewed, Request
from streamrestore.transport import Received, subscribe
from streamrestore.wire import MAX_PAYLOAD

_WHICH: Mapping[Interlaced, Which | bool] = {"auto": "lazily", "keep": False, "bwdif": "all"}
_UNTIMED = {"mpjpeg", "mjpeg"}
"""Containers without times: what comes is stamped when it comes."""
_FAR = 1 << 62
"""Beyond all times and timestamps that can be published."""
_MICROSECOND = Fraction(1, 1_000_000)
_SPEED = 1.02
"""Of what comes in pieces of some seconds (HLS), so that one is played when the next one comes."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One decoded picture.

    Attributes:
        batch: of one frame, whose planes are the decoder's or the network's memory.
        captured_at: nanoseconds since 1970, if the camera told.
        arrived: when it was decoded, seconds of the monotonic clock, if it had to wait since.
        deinterlaced: see `Shape`.
    """

    batch: FrameBatch
    codec: str
    rate: Fraction | None = None
    captured_at: int | None = None
    arrived: float | None = None
    deinterlaced: bool = False


Stream: TypeAlias = Generator[Taken | Gap | Renewed, None, None]
"""Ends when the source does; raises StreamRestoreError if it breaks."""


def read_network(request: Request, stopping: threading.Event) -> Stream:
    """A URL that FFmpeg knows, as fast as it comes."""
    part = Part(request.address, options=request.options, timeout=request.timeout)
    return _decoded(part, request, stopping)


def read_device(request: Request, stopping: threading.Event) -> Stream:
    """A camera of this machine (Video4Linux)."""
    return _decoded(Part(request.address, format="v4l2", options=request.options), request, stopping)


def read_file(request: Request, stopping: threading.Event) -> Stream:
    """A file, each picture when its time has come."""
    while True:
        options = OpenOptions(batch_size=1, deinterlace=_WHICH[request.interlaced])
        with open_pyav(request.address, options) as source:
            pace = _Pace(stopping)
            for batch in source:
                if not pace.wait(batch.seconds(batch.frames[0])):
                    return
                _check(batch, request.shown)
                info = source.info
                yield Taken(batch, info.video.codec, info.rate, deinterlaced=source.deinterlacing)
        if not request.loop:
            return
        yield Renewed("the file begins again")


def read_frames(request: Request, stopping: threading.Event) -> Stream:
    """Frames that another service of ours publishes."""
    topics = [request.topic] if request.topic else None
    keys = request.keys or None
    with subscribe(request.address, keys=keys, streams=topics, timeout=request.timeout) as subscriber:
        epoch: int | None = None
        stream = request.topic
        for item in subscriber:
            if stopping.is_set():
                return
            if item.state == "refused" and not item.stream:
                raise InputRefused(item.text)
            if item.kind == "gap":
                yield Gap(item.missing, item.text)
            if item.kind != "frame":
                continue
            stream = stream or item.stream
            if item.stream != stream:
                raise UsageError(
                    f"{request.shown}: several streams are published there, {stream!r} and {item.stream!r} "
                    "among them; say with 'topic' which one to take"
                )
            if epoch not in (None, item.epoch):
                yield Renewed("the service before this one began anew")
            epoch = item.epoch
            taken = _received(item)
            _check(taken.batch, request.shown)
            yield taken


READERS: Mapping[Kind, Callable[[Request, threading.Event], Stream]] = {
    "network": read_network,
    "device": read_device,
    "file": read_file,
    "frames": read_frames,
}


def _decoded(part: Part, request: Request, stopping: threading.Event) -> Stream:
    which = _WHICH[request.interlaced]
    with PyAVSource([part], request.shown, batch_size=1, live=True, deinterlaced=which) as source:
        info = source.info
        timed = not _UNTIMED & set(info.container.split(","))
        in_pieces = timed and part.url.startswith(("http:", "https:"))
        pace = _Pace(stopping, speed=_SPEED, late=0.0, leap=2.0)
        first, arrived = time.monotonic_ns(), time.monotonic()
        for batch in source:
            if stopping.is_set() or (in_pieces and not pace.wait(batch.seconds(batch.frames[0]))):
                return
            _check(batch, request.shown)
            captured = _captured(source.sender_clock, batch)
            if not timed:
                batch = _stamped(batch, (time.monotonic_ns() - first) // 1000)
            # The picture that comes out of the filter now was decoded when the one before it came out.
            before, arrived = arrived, time.monotonic()
            yield Taken(
                batch, info.video.codec, info.rate if timed else None, captured,
                arrived=before if source.deinterlacing else arrived, deinterlaced=source.deinterlacing,
            )  # fmt: skip
        kinds = ", ".join(source.status.losses)
        raise InputUnreadable(f"{request.shown}: the connection was lost{f' ({kinds})' if kinds else ''}")


def _captured(clock: int | None, batch: FrameBatch) -> int | None:
    """When the camera took a picture, in nanoseconds since 1970, if its clock can be right at all."""
    if clock is None:
        return None
    captured = clock * 1000 + int(batch.frames[0].pts * batch.time_base * 10**9)
    return captured if 0 < captured < _FAR else None


def _check(batch: FrameBatch, shown: str) -> None:
    if batch.color.matrix in NOT_YCBCR:
        coded = NOT_YCBCR[batch.color.matrix]
        raise UnsupportedVideo(f"{shown}: its colour is coded as {coded}; have it sent as BT.709 or BT.601")
    if not (min(batch.width, batch.height) >= SMALLEST and max(batch.width, batch.height) <= LARGEST):
        raise UnsupportedVideo(
            f"{shown}: pictures of {batch.width}x{batch.height}; {SMALLEST}x{SMALLEST} to "
            f"{LARGEST}x{LARGEST} can be restored"
        )
    if 3 * batch.width * batch.height > MAX_PAYLOAD:
        raise UnsupportedVideo(
            f"{shown}: pictures of {batch.width}x{batch.height} are too large to be published"
        )
    if abs(batch.frames[0].pts) > _FAR:
        raise InputUnreadable(f"{shown}: its timestamps are out of all bounds")


def _stamped(batch: FrameBatch, microseconds: int) -> FrameBatch:
    frame = replace(batch.frames[0], pts=microseconds, duration=0)
    return replace(batch, frames=(frame,), time_base=_MICROSECOND)


def _received(item: Received) -> Taken:
    """A picture as it was published: RGB, its planes views of the message."""
    header, image = item.header, item.image
    assert image is not None
    assert header.pts is not None
    assert header.time_base is not None
    height, width, _ = image.shape
    color = ColorInfo(Matrix.RGB, Range.FULL, header.color.primaries, header.color.transfer)
    frame = Frame(tuple(image[..., channel] for channel in range(3)), header.pts)
    batch = FrameBatch((frame,), width, height, PixelFormat("rgb"), Fraction(*header.time_base), color)
    return Taken(batch, header.pixel_format or "", captured_at=header.captured_at)


class _Pace:
    """Lets pictures pass when their time has come.

    Args:
        speed: seconds of the source in a second of ours.
        late: seconds behind its times after which it goes on from where it is, instead of hurrying.
        leap: seconds ahead of them that are a jump of the source's clock, and not waited for.
    """

    def __init__(
        self, stopping: threading.Event, *, speed: float = 1.0, late: float = 1.0, leap: float = math.inf
    ) -> None:
        self._stopping = stopping
        self._speed, self._late, self._leap = speed, late, leap
        self._begun: float | None = None

    def wait(self, seconds: float) -> bool:
        """Wait until a picture of this time is due; False if there is no more need."""
        now, time_of_it = time.monotonic(), seconds / self._speed
        ahead = 0.0 if self._begun is None else self._begun + time_of_it - now
        if self._begun is None or ahead < -self._late or ahead > self._leap:
            self._begun, ahead = now - time_of_it, 0.0
        return not self._stopping.wait(max(0.0, ahead))
