"""What the service and its capture processes say to each other. Data only.

A process gets one `Request` and then tells what it meets, the last thing being `Over`. In between it gets
back the slots of pictures that were read.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from streamrestore.errors import SessionError
from streamrestore.frames import ColorInfo, FrameBatch, PixelFormat
from streamrestore.live.config import Interlaced
from streamrestore.live.session import Cause

Kind = Literal["network", "device", "file", "frames"]
"""What a source is: a URL for FFmpeg, a camera of this machine, a file in real time, our own messages."""


class Request(Struct, frozen=True):
    """What is to be read, and how.

    Attributes:
        address: as FFmpeg or ZeroMQ takes it; it may hold a password, and goes nowhere else.
        shown: the same, fit to be shown.
        options: for FFmpeg's demuxer.
        topic: of our own messages: the stream that is wanted; empty if there is only one.
        keys: of our own messages: the folder with the keys, if any.
        loop: begin a file again at its end.
        interlaced: what is done with interlaced pictures.
        timeout: seconds that opening, or one read, may take.
        slots: pictures that may be on their way.
    """

    kind: Kind
    address: str
    shown: str
    options: dict[str, str] = {}
    topic: str = ""
    keys: str = ""
    loop: bool = False
    interlaced: Interlaced = "auto"
    timeout: float = 10.0
    slots: int = 8

    def __repr__(self) -> str:
        """Without what opens doors."""
        return f"Request({self.kind}: {self.shown})"

    __str__ = __repr__


class Shape(Struct, frozen=True, tag=True):
    """What the pictures that follow have in common.

    Attributes:
        codec: FFmpeg's name.
        rate: pictures per second as the source says, numerator and denominator.
        deinterlaced: they went through the filter that deinterlaces.
    """

    width: int
    height: int
    format: PixelFormat
    color: ColorInfo
    time_base: tuple[int, int]
    rotation: int
    codec: str
    rate: tuple[int, int] | None = None
    deinterlaced: bool = False

    @classmethod
    def of(cls, batch: FrameBatch, codec: str, rate: Fraction | None, *, deinterlaced: bool) -> Shape:
        """That of decoded pictures."""
        base = batch.time_base
        return cls(
            batch.width, batch.height, batch.format, batch.color, (base.numerator, base.denominator),
            batch.rotation, codec, None if rate is None else (rate.numerator, rate.denominator), deinterlaced,
        )  # fmt: skip

    @property
    def displayed_size(self) -> tuple[int, int]:
        """(width, height) after rotation."""
        return (self.height, self.width) if self.rotation % 180 else (self.width, self.height)

    def __str__(self) -> str:
        rate = "" if self.rate is None else f", {self.rate[0] / self.rate[1]:.4g} pictures/s"
        return f"{self.codec} {self.width}x{self.height}{rate}{', deinterlaced' * self.deinterlaced}"


class Picture(Struct, frozen=True, tag=True):
    """A picture lies in a slot.

    Attributes:
        arrived: when it was decoded, seconds of the monotonic clock, which all processes share.
        received_at, captured_at: nanoseconds since 1970: when it was decoded; when the camera took it, if it
            told.
        skipped: pictures before this one, since the last, for which there was no slot.
        decode_seconds: of the processor, that the process spent since it told of the last picture.
    """

    place: int
    pts: int
    duration: int
    arrived: float
    received_at: int
    captured_at: int | None = None
    key: bool = False
    corrupt: bool = False
    skipped: int = 0
    decode_seconds: float = 0.0


class Gap(Struct, frozen=True, tag=True):
    """Pictures are missing here; 0 if nobody knows how many."""

    missing: int
    text: str


class Renewed(Struct, frozen=True, tag=True):
    """The source has begun anew: times before and after are not comparable."""

    text: str


class Over(Struct, frozen=True, tag=True):
    """Nothing more will come from this process."""

    cause: Cause
    text: str


Message: TypeAlias = Shape | Picture | Gap | Renewed | Over

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_message = msgspec.msgpack.Decoder(Message)
_request = msgspec.msgpack.Decoder(Request)


def encode(message: Message | Request) -> bytes:
    """As it is sent."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message:
    """What a capture process told.

    Raises:
        SessionError: it is no message of ours: the process is broken.
    """
    try:
        told: Message = _message.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise SessionError(f"a capture process told what cannot be understood: {error}") from error
    return told


def decode_request(data: bytes) -> Request:
    """What the service asked for."""
    return _request.decode(data)
