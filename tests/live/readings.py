"""A stand-in for a capture process, and pictures that come from it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from streamrestore.frames import ColorInfo, Frame, FrameBatch, PixelFormat
from streamrestore.live.lanes import Arrived
from streamrestore.live.messages import Message, Picture, Request, Shape

FORMAT = PixelFormat("yuv", 8, 1, 1)
SHAPE = Shape(64, 32, FORMAT, ColorInfo(1, 1), (1, 25), 0, "h264", (25, 1))
REQUEST = Request("network", "rtsp://host/cam", "rtsp://host/cam")


class ToldReading:
    """Tells what a test wants it to.

    Attributes:
        out: places of pictures that were neither read nor dropped.
        left, killed: what was asked of it.
        stubborn: it does not end when it is asked to.
    """

    def __init__(self, request: Request = REQUEST) -> None:
        self.request = request
        self._told: list[Message] = []
        self._ended = False
        self._end, self._bell = os.pipe()
        self._place = 0
        self.out: set[int] = set()
        self.left = self.killed = self.stubborn = False

    def tell(self, *messages: Message) -> None:
        """The next time it is listened to."""
        self._told += messages
        self.out |= {message.place for message in messages if isinstance(message, Picture)}
        os.write(self._bell, b"\0")

    def die(self) -> None:
        """Without a word."""
        self._ended = True
        os.write(self._bell, b"\0")

    def pictures(self, times: Iterable[float], skipped: int = 0) -> list[Picture]:
        """Pictures that arrive at these times."""
        made = []
        for arrived in times:
            self._place += 1
            made.append(
                Picture(self._place, round(arrived * 25), 1, arrived, round(arrived * 1e9), skipped=skipped)
            )
        return made

    def arrived(self, time: float, epoch: int = 1, shape: Shape = SHAPE) -> Arrived:
        """One that lies in a lane already."""
        (picture,) = self.pictures([time])
        self.out.add(picture.place)
        return Arrived(epoch, shape, picture, self)

    def fileno(self) -> int:
        return self._end

    def receive(self) -> list[Message]:
        os.read(self._end, 1 << 16)
        if self._ended and not self._told:
            raise EOFError
        told, self._told = self._told, []
        return told

    def read(self, picture: Picture, shape: Shape) -> FrameBatch:
        self.drop(picture)
        planes = tuple(
            np.full(size, picture.place % 200, np.uint8)
            for size in shape.format.plane_sizes(shape.width, shape.height)
        )
        frame = Frame(planes, picture.pts, picture.duration)
        return FrameBatch(
            (frame,), shape.width, shape.height, shape.format, Fraction(*shape.time_base), shape.color
        )

    def drop(self, picture: Picture) -> None:
        self.out.remove(picture.place)

    def leave(self) -> None:
        self.left = True

    def gone(self) -> bool:
        return self.killed or (self.left and not self.stubborn)

    def kill(self) -> None:
        self.killed = True

    def how(self) -> str:
        return "SIGSEGV"

    def __del__(self) -> None:
        os.close(self._end)
        os.close(self._bell)
