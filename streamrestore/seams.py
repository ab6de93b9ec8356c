"""The seams of the house: what a source, a sink and a branch are. Data and Protocols only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from streamrestore.frames import ColorInfo, FrameBatch, MasteringDisplay, PixelFormat
from streamrestore.weather import Decision, WeatherEstimate

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of a container.

    Attributes:
        kind: FFmpeg's word: video, audio, subtitle, data, attachment.
        codec: FFmpeg's name, empty if it knows none.
    """

    index: int
    kind: str
    codec: str
    time_base: Fraction | None
    start: Fraction | None
    """First timestamp, in seconds."""
    duration: Fraction | None
    """In seconds."""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known before the first frame.

    Attributes:
        name: as the user gave it, without credentials.
        container: FFmpeg's name of the format, such as ``mov,mp4,m4a,3gp,3g2,mj2``.
        video: the stream that is restored.
        frame_count: as the container claims, if it does.
        rate: average frame rate, if known.
    """

    name: str
    container: str
    streams: tuple[StreamInfo, ...]
    video: StreamInfo
    width: int
    height: int
    format: PixelFormat
    pixel_format: str
    """FFmpeg's name of the stored format."""
    color: ColorInfo
    time_base: Fraction
    rate: Fraction | None = None
    rotation: int = 0
    sample_aspect_ratio: Fraction = Fraction(1)
    interlaced: bool = False
    duration: Fraction | None = None
    """Of the video stream as the container claims, in seconds."""
    frame_count: int | None = None
    is_live: bool = False
    created: str = ""
    """When it was recorded, by its tags, as ``2025-03-01T10:00:00.000000Z``; empty if they do not say."""
    side_data: tuple[str, ...] = ()
    """What the first picture carries beside its samples, such as ``mastering display``."""
    mastering: MasteringDisplay | None = None
    light_level: tuple[int, int] | None = None
    """The brightest pixel and the brightest picture of all (MaxCLL, MaxFALL), in cd/m²."""
    display_matrix: tuple[int, ...] = ()
    """FFmpeg's nine numbers; empty if there is none. It mirrors, too, which `rotation` does not tell."""

    @property
    def displayed_size(self) -> tuple[int, int]:
        """(width, height) after rotation."""
        return (self.height, self.width) if self.rotation % 180 else (self.width, self.height)


@dataclass(slots=True)
class SourceStatus:
    """What was chosen, and what was met so far.

    Attributes:
        decoder: name of the decoder, with its threads.
        why: why this source was chosen.
        losses: what could not be decoded, by kind, counted.
        notes: what the user should know, such as "timestamps were missing".
    """

    decoder: str = ""
    why: str = ""
    frames: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


class Source(Protocol):
    """Pictures come in here: a file, a camera, a caller's arrays."""

    @property
    def info(self) -> SourceInfo: ...

    @property
    def status(self) -> SourceStatus: ...

    def __iter__(self) -> Iterator[FrameBatch]:
        """Frames in presentation order; each batch of one size, format, colour and orientation."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """Frames on their way out, and how they came about."""

    frames: FrameBatch
    decision: Decision
    estimate: WeatherEstimate | None = None


@dataclass(frozen=True, slots=True)
class SinkReport:
    """What a sink wrote.

    Attributes:
        path: the final file, if it is one.
        frames: pictures written.
        copied: packets copied, by stream index of the source.
        dropped: what was left out, in words.
        notes: what the user should know, such as "rotation cannot be stored in avi".
        losses: packets of other streams that are damaged so that they cannot be written, by kind.
    """

    path: Path | None
    frames: int
    codec: str
    bytes: int = 0
    copied: Mapping[int, int] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    losses: Mapping[str, int] = field(default_factory=dict)


class Sink(Protocol):
    """Restored pictures leave here: a file, a socket."""

    def write(self, restored: Restored) -> None: ...

    def finish(self) -> SinkReport:
        """Complete the output; a file gets its final name only now."""
        ...

    def abort(self) -> None:
        """Leave nothing behind."""
        ...


class Network(Protocol):
    """A network with one or more branches; each estimates one weather's residual.

    Maps are pixel-unshuffled pictures; which ones, the caller settles with `folded`.

    Attributes:
        branches: names of the weathers.
        unshuffle: side of the blocks of pixels that become maps.
        frames: T, how many frames it sees: the present one and those before it.
        steady: of how many frames the contexts are averaged, so that what hangs on them does not flicker.
        multiple_of: the picture's height and width must be multiples of it.
        halo: pixels around a tile, cut at multiples of `multiple_of`, that its result depends on.
        tileable: whether with that halo tiles give what the whole picture gives.
    """

    branches: tuple[str, ...]
    unshuffle: int
    frames: int
    steady: int
    multiple_of: int
    halo: int
    tileable: bool

    def prepare(self, x: Tensor, branch: str, gates: Sequence[float] | None = None) -> Tensor | None:
        """Context of whole pictures for a branch, once per picture: (N, C, h, w) -> what `forward` wants.

        Where it has four dimensions, (N, M, a, b), it is a map of the whole picture at any size, and a tile
        gets its own part of it, interpolated; otherwise it is the same for all tiles.
        """
        ...

    def __call__(self, x: Tensor, branch: str, context: Tensor | None = None) -> Tensor:
        """(N, C T, h, w), the present frame first -> residual (N, C, h, w); whole pictures or tiles."""
        ...

    def folded(self, inward: Tensor, outward: Tensor) -> Network:
        """The same function of other maps; see `networks.expertnet`."""
        ...
