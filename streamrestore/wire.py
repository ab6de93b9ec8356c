"""What is published: messages of three parts, [topic, header, payload]. Bytes and structs; no sockets.

The topic is the stream's name and a slash, the header is msgpack of `Header`, the payload is a picture or
empty. docs/wire.md is the published page of it. Whoever reads a message trusts nothing: every size that
it declares is compared with the bytes that really came before anything is made of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, cast

import msgspec
import numpy.typing as npt
from msgspec import Meta, Struct

from streamrestore.errors import UsageError, WireError
from streamrestore.frames import LUMA_WEIGHTS, ColorInfo, Matrix, Range
from streamrestore.weather import Decision, Reason, Weather, WeatherEstimate

VERSION = 1
"""Raised when a reader of the old one would misunderstand; new optional fields do not raise it."""

PARTS = 3
MAX_HEADER = 16 << 10
"""Bytes; headers have about 500."""
MAX_PAYLOAD = 128 << 20
"""Bytes; 8K as rgb24 has 95 MiB."""
MAX_SIDE = 16384
"""Pixels."""
UNSTAMPED = -1
"""Sequence and publishing time of a header that was not sent yet."""

Payload: TypeAlias = bytes | bytearray | memoryview | npt.NDArray[Any]
"""C-contiguous memory."""

Kind = Literal["frame", "gap", "status", "end"]
Pixels = Literal["rgb24", "nv12", "jpeg"]

_STREAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RANGES = (Range.LIMITED, Range.FULL)

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Instant = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""Nanoseconds since 1970, UTC."""
Code = Annotated[int, Meta(ge=0, le=255)]
Side = Annotated[int, Meta(ge=0, le=MAX_SIDE)]
Divisor = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
Severity = Annotated[float, Meta(ge=0.0, le=1e6)]
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*\Z"
"""Nothing that controls a terminal, ends a line or turns its direction: words may be shown and logged."""
Name = Annotated[str, Meta(max_length=64, pattern=_ONE_LINE)]
Text = Annotated[str, Meta(max_length=1000, pattern=_ONE_LINE)]


class Color(Struct, frozen=True):
    """What the samples mean, numbered as in ITU-T H.273, but the range: 1 is limited, 2 is full."""

    matrix: Code = int(Matrix.RGB)
    range: Code = int(Range.FULL)
    primaries: Code = 2
    transfer: Code = 2
    chroma_location: Code = 0

    @classmethod
    def of(cls, color: ColorInfo) -> Color:
        """The tags of a stream."""
        return cls(color.matrix, color.range, color.primaries, color.transfer, color.chroma_location)


class Seen(Struct, frozen=True):
    """What the router saw: `weather.WeatherEstimate` with names that may grow."""

    weathers: Annotated[dict[Name, Probability], Meta(max_length=32)]
    unknown: Probability
    severity: Annotated[dict[Name, Severity], Meta(max_length=32)] = {}

    @classmethod
    def of(cls, estimate: WeatherEstimate) -> Seen:
        """An estimate as it is sent."""
        return cls(_named(estimate.weathers), float(estimate.unknown), _named(estimate.severity))

    def estimate(self) -> WeatherEstimate:
        """The same as the rest of the package has it."""
        return WeatherEstimate(
            {_weather(name): p for name, p in self.weathers.items()},
            self.unknown,
            {_weather(name): s for name, s in self.severity.items()},
        )


class Decided(Struct, frozen=True):
    """What was done: `weather.Decision` with names that may grow."""

    branches: Annotated[tuple[Name, ...], Meta(max_length=8)]
    strength: Annotated[float, Meta(ge=0.0, le=1.5)]
    reason: Name

    @classmethod
    def of(cls, decision: Decision) -> Decided:
        """A decision as it is sent, without its estimate."""
        return cls(tuple(map(str, decision.branches)), float(decision.strength), decision.reason)

    def decision(self, estimate: WeatherEstimate | None) -> Decision:
        """The same as the rest of the package has it."""
        branches = tuple(map(_weather, self.branches))
        return Decision(branches, self.strength, cast("Reason", self.reason), estimate)


class Header(Struct, frozen=True, kw_only=True):
    """All that is said about one message; docs/wire.md has every field in detail.

    A frame has at least `pts`, `time_base`, `received_at`, `width`, `height` and `pixel_format`. Who
    publishes fills in `sequence` and `published_at`.
    """

    version: int = VERSION
    stream: str
    epoch: Count
    """Another one after each start or reconnect of the source; compared for equality only."""
    kind: Kind
    sequence: Annotated[int, Meta(ge=0, le=2**63 - 1)] = UNSTAMPED
    """Of the stream's messages of all kinds within the epoch, from 0 without holes."""
    published_at: Instant = UNSTAMPED
    received_at: Instant | None = None
    """When the frame came into the service."""
    captured_at: Instant | None = None
    """When the camera took it, if it told."""
    pts: Annotated[int, Meta(ge=-(2**62), le=2**62)] | None = None
    time_base: tuple[Divisor, Divisor] | None = None
    """Seconds of one unit of `pts`, as numerator and denominator."""
    width: Side = 0
    height: Side = 0
    pixel_format: Pixels | None = None
    color: Color = Color()
    weather: Seen | None = None
    decision: Decided | None = None
    restored: bool = False
    """False: the samples are those that came in."""
    drops: Count = 0
    """Frames of the stream that were not published, since its service started."""
    missing: Count = 0
    """Of a gap: frames that are missing here; 0 if nobody knows."""
    state: Annotated[str, Meta(pattern=r"^[a-z_]{0,32}\Z")] = ""
    """Of a status: one word for programs."""
    text: Text = ""
    """Of a gap, status or end: a sentence for people."""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One message that was checked; the payload is a view of what came."""

    header: Header
    payload: memoryview


class _Version(Struct):
    version: int


_encoder = msgspec.msgpack.Encoder()
_version_decoder = msgspec.msgpack.Decoder(_Version)
_decoder = msgspec.msgpack.Decoder(Header)


def topic_of(stream: str) -> bytes:
    """The topic of a stream: with the slash ``cam1/`` does not begin ``cam10/``.

    Raises:
        UsageError: no stream may be called so.
    """
    if not _STREAM.fullmatch(stream):
        raise UsageError(
            f"{stream!r} cannot be the name of a stream: take up to 64 of the letters A-Z and a-z, digits, "
            "dots, dashes and underscores, and begin with a letter or digit"
        )
    return f"{stream}/".encode()


def stamped(header: Header, *, sequence: int, published_at: int, drops: int) -> Header:
    """A header with what is known only when it is sent."""
    return msgspec.structs.replace(header, sequence=sequence, published_at=published_at, drops=drops)


def payload_size(pixel_format: Pixels, width: int, height: int) -> int | None:
    """Bytes of a picture without padding; None if only the picture can tell (jpeg)."""
    if pixel_format == "rgb24":
        return width * height * 3
    if pixel_format == "nv12":
        return width * height + 2 * (-(-width // 2)) * (-(-height // 2))
    return None


def as_view(part: Payload, name: str = "payload") -> memoryview:
    """The bytes of a part, read-only, without a copy.

    Raises:
        WireError: it is not contiguous memory.
    """
    try:
        view = memoryview(cast("bytes", part)).toreadonly()
        return view.cast("B") if view.nbytes else memoryview(b"")
    except TypeError as error:
        raise WireError(f"the {name} of a message is not contiguous bytes: {error}") from error


def pack(header: Header, payload: Payload = b"") -> list[bytes | memoryview]:
    """The three parts of a message; the payload is not copied.

    Raises:
        WireError: a reader would refuse it.
    """
    try:
        topic, encoded = f"{header.stream}/".encode(), _encoder.encode(header)
    except (TypeError, ValueError, OverflowError) as error:  # no number of 64 bits, no plain text, ...
        raise WireError(f"stream {header.stream!r}: a field of the header cannot be sent: {error}") from error
    parts: list[bytes | memoryview] = [topic, encoded, as_view(payload)]
    unpack(parts)
    return parts


def unpack(parts: Sequence[Payload], *, max_payload: int = MAX_PAYLOAD) -> Message:
    """The message in the parts; nothing is allocated by what they say about themselves.

    Args:
        max_payload: bytes.

    Raises:
        WireError: they are not one of our messages, or of a version that is not known here.
    """
    if len(parts) != PARTS:
        raise WireError(f"a message of {len(parts)} parts; ours have {PARTS}: [topic, header, payload]")
    views = [as_view(part, name) for part, name in zip(parts, ("topic", "header", "payload"), strict=True)]
    topic, encoded, payload = views
    for view, name, limit in ((encoded, "header", MAX_HEADER), (payload, "payload", max_payload)):
        if view.nbytes > limit:
            raise WireError(f"a message whose {name} has {view.nbytes} bytes; the limit is {limit}")
    header = _decode(encoded)
    if not _STREAM.fullmatch(header.stream) or topic != f"{header.stream}/".encode():
        raise WireError(f"a message of stream {header.stream[:64]!r} came under another topic")
    problem = _problem(header, payload.nbytes)
    if problem:
        raise WireError(f"stream {header.stream!r}, message {header.sequence}: {problem}")
    return Message(header, payload)


def _decode(encoded: memoryview) -> Header:
    try:
        version = _version_decoder.decode(encoded).version
        if version != VERSION:
            raise WireError(
                f"a message of version {version}; this streamrestore knows version {VERSION}: "
                f"{'upgrade it' if version > VERSION else 'upgrade the publisher'}"
            )
        return _decoder.decode(encoded)
    except WireError:
        raise
    # UnicodeDecodeError is a ValueError; a few kB of nested arrays are a RecursionError
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        reason = str(error)[:200].encode("unicode_escape").decode()  # it may quote the header
        raise WireError(f"a message whose header is not ours: {reason}") from error


def _problem(header: Header, size: int) -> str | None:
    """What is wrong with a header whose fields are well-formed, and a payload of `size` bytes."""
    if header.sequence < 0 or header.published_at < 0:
        return "it lacks its sequence or its publishing time"
    if header.kind != "frame":
        return f"a {header.kind} carries {size} bytes of payload; it has none" if size else None
    needed = (header.pts, header.time_base, header.received_at, header.pixel_format)
    if None in needed or not header.width or not header.height:
        return "a frame needs pts, time_base, received_at, pixel_format, width and height"
    assert header.pixel_format is not None
    shape = f"{header.width}x{header.height} {header.pixel_format}"
    expected = payload_size(header.pixel_format, header.width, header.height)
    if not size or size != (expected or size):
        return f"the payload has {size} bytes; {shape} has {expected or 'some'}"
    color = header.color
    if header.pixel_format == "nv12" and (color.matrix not in LUMA_WEIGHTS or color.range not in _RANGES):
        return f"nv12 needs a colour matrix and a range that say how it becomes RGB, not {color}"
    return None


def _named(values: Mapping[Weather, float]) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items()}  # not numpy's


def _weather(name: str) -> Weather:
    """A weather by name; the name itself if only newer versions have a branch for it."""
    return Weather(name) if name in set(Weather) else cast("Weather", name)
