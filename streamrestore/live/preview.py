"""Small pictures for those who look: encoded once for all of them, and not at all when nobody does."""

from __future__ import annotations

import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import msgspec
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Colorspace, VideoReformatter

from streamrestore.frames import FrameBatch, Range
from streamrestore.live.lanes import Notice
from streamrestore.live.outlets import Finished
from streamrestore.live.pictures import Converter

LONGEST_SIDE = 960
RATE = 8.0
"""Pictures of a stream per second, at most."""
REST = 2.0
"""Seconds of rest for each second of work: previews take at most a third of a core."""
FRESH_SECONDS = 1.0
"""A picture that is older is not shown to who comes later."""

_QUALITY = "4"
"""FFmpeg's scale: 2 is the best, 31 the worst."""


class Caption(msgspec.Struct, frozen=True):
    """What is told beside a picture.

    Attributes:
        branch: what it was restored with, or ``none``.
        age: seconds from its decoding until it came here.
        before, after: bytes of the JPEG files that follow; the second has none if it is the same.
    """

    stream: str
    epoch: int
    width: int
    height: int
    branch: str
    age: float
    before: int
    after: int


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture before and after, ready to be sent.

    Attributes:
        number: grows with each shot.
        made: seconds of the monotonic clock.
        message: the caption's length (32 bits, big-endian), the caption as JSON, and the JPEG files.
    """

    stream: str
    number: int
    made: float
    message: bytes


Take = Callable[[Shot], None]
"""Takes a shot; called once for each `Previews.ask`, by any thread."""


class Previews:
    """An outlet that shows pictures to those who have asked for the next one of a stream.

    The worker only leaves the picture here; a thread of its own makes it small and encodes it.

    Attributes:
        encoded: shots by stream.
        failed: pictures that could not be encoded.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._asking: dict[str, dict[Hashable, Take]] = {}
        self._left: dict[str, Finished] = {}
        """The newest picture of each stream that is to be encoded."""
        self._latest: dict[str, Shot] = {}
        self._due: dict[str, float] = {}
        self._number = 0
        self._closed = False
        self._encoder = _Encoder()
        self.encoded: Counter[str] = Counter()
        self.failed = 0
        self._thread = threading.Thread(target=self._run, name="streamrestore-preview", daemon=True)
        self._thread.start()

    def picture(self, finished: Finished) -> None:
        """See `Outlet`."""
        with self._changed:
            if finished.stream in self._asking and self._clock() >= self._due.get(finished.stream, 0.0):
                self._left[finished.stream] = finished
                self._changed.notify_all()

    def notice(self, stream: str, notice: Notice, dropped: int) -> None:
        """See `Outlet`."""

    def ask(self, viewer: Hashable, stream: str, after: int, take: Take) -> None:
        """Have a viewer given a shot of a stream as soon as there is one with a greater number than `after`.

        To ask again, before it came, changes nothing.
        """
        with self._changed:
            shot = self._latest.get(stream)
            if shot is None or shot.number <= after or self._clock() - shot.made > FRESH_SECONDS:
                self._asking.setdefault(stream, {})[viewer] = take
                return
        take(shot)

    def forget(self, viewer: Hashable) -> None:
        """A viewer has gone."""
        with self._changed:
            for stream, asking in list(self._asking.items()):
                asking.pop(viewer, None)
                if not asking:
                    del self._asking[stream]

    def close(self) -> None:
        """No more shots."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._left)
                if self._closed:
                    return
                stream = next(iter(self._left))
                finished = self._left.pop(stream)
                if stream not in self._asking:
                    continue
            begun = self._clock()
            self._shoot(finished)
            with self._changed:
                self._due[stream] = begun + 1.0 / RATE
                self._changed.wait_for(lambda: self._closed, REST * (self._clock() - begun))

    def _shoot(self, finished: Finished) -> None:
        try:
            message = self._encoder.message(finished, self._clock() - finished.picture.arrived)
        except Exception:  # noqa: BLE001 - whatever is wrong with a picture, the next one may be seen
            self.failed += 1
            return
        with self._changed:
            self._number += 1
            shot = Shot(finished.stream, self._number, self._clock(), message)
            self._latest[finished.stream] = shot
            self.encoded[finished.stream] += 1
            takers = self._asking.pop(finished.stream, {})
        for take in takers.values():
            take(shot)


class _Encoder:
    """For one thread."""

    def __init__(self) -> None:
        self._converter = Converter()
        self._reformatter = VideoReformatter()

    def message(self, finished: Finished, age: float) -> bytes:
        before = self._jpeg(finished.given)
        after = b"" if finished.decision.bypass else self._jpeg(finished.result)
        width, height = finished.given.displayed_size
        branch = "none" if finished.decision.bypass else finished.decision.label
        caption = msgspec.json.encode(
            Caption(finished.stream, finished.epoch, width, height, branch, age, len(before), len(after))
        )
        return struct.pack(">I", len(caption)) + caption + before + after

    def _jpeg(self, batch: FrameBatch) -> bytes:
        rgb: npt.NDArray[Any] = self._converter.small(batch, LONGEST_SIDE)
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(rgb, "rgb24"),
            format="yuvj420p",
            dst_colorspace=Colorspace.ITU601,  # the only coding that JPEG files know
            dst_color_range=int(Range.FULL),
            threads=1,
        )
        context = VideoCodecContext.create("mjpeg", "w")
        context.width, context.height = frame.width, frame.height
        context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 25)
        context.options = {"qmin": _QUALITY, "qmax": _QUALITY}
        return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
