"""Interlaced pictures: which field is the earlier one, and FFmpeg's bwdif, which makes one whole picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from av.filter import Graph
from av.video.frame import VideoFrame

from streamrestore.decode.formats import layout_of

_REFUSED = frozenset(
    {"yuv440p10le", "yuv440p12le", "gray9le", "gray10le", "gray12le", "gray14le", "pal8", "monow", "monob"}
)
"""Formats that bwdif does not take, and that cannot be given to it in another one without loss."""

_LEAST_WIDTH, _LEAST_HEIGHT = 3, 4

FIELD_CODECS = frozenset({"hevc", "vvc"})
"""Codecs whose decoder marks single fields only: each picture is one, half as high as the video."""

UNMARKED = 100
"""Pictures in a row without a mark after which `lazily` lets them pass at once."""

Which = Literal["marked", "lazily", "all"]
"""Which pictures are changed, and which ones wait for the next frame:

- ``marked``: those that are marked as interlaced are changed, and all wait.
- ``lazily``: the same, but none waits before the first mark, nor after `UNMARKED` pictures without any. What
  comes out of marked pictures so depends on where one begins; it is for what comes live.
- ``all``: all are changed; those without a mark count as top field first.
"""


def can_deinterlace(pixel_format: str, width: int, height: int) -> bool:
    """True if bwdif takes pictures of this format of FFmpeg's and of this size, in pixels.

    Raises:
        UnsupportedVideo: a format that is not decoded either.
    """
    layout = layout_of(pixel_format)
    planes = layout.format.plane_sizes(width, height)
    large = all(h >= _LEAST_HEIGHT and w >= _LEAST_WIDTH for h, w in planes)
    return large and not _REFUSED & {pixel_format, layout.repack}


def deinterlace(frames: Iterable[VideoFrame], *, threads: int = 1) -> Iterator[VideoFrame]:
    """One picture for each frame; what is not marked as interlaced, or nothing for bwdif, stays as it is.

    A picture comes once the next frame is known, and depends on that and on the one before. The first
    one is made of one field alone; to begin in the middle of a video, begin one frame earlier. Times,
    colour tags, rotation and the other marks stay; packed formats become planar, in the same samples.

    Args:
        threads: of the filter, 0 for one per core; they change no sample.
    """
    return Deinterlacer(threads=threads).through(frames)


class Deinterlacer:
    """`deinterlace` with other ways to choose which pictures wait.

    Args:
        which: of the frames are changed, and wait.
        threads: of the filter, 0 for one per core.
    """

    def __init__(self, which: Which = "marked", *, threads: int = 1) -> None:
        self._which, self._threads = which, threads
        self._unmarked = UNMARKED
        self._bwdif: _Bwdif | None = None

    @property
    def active(self) -> bool:
        """Whether the picture that came out last was in the filter."""
        return self._bwdif is not None

    def through(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """All frames, in order."""
        for frame in frames:
            yield from self._push(frame)
        yield from self._flush()

    def _push(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        self._unmarked = 0 if frame.interlaced_frame else self._unmarked + 1
        kind = _Kind.of(frame)
        wanted = (self._which != "lazily" or self._unmarked < UNMARKED) and can_deinterlace(
            kind.name, kind.width, kind.height
        )
        if self._bwdif is not None and not (wanted and self._bwdif.kind == kind):
            yield from self._flush()
        if not wanted:
            yield frame
            return
        if self._bwdif is None:
            self._bwdif = _Bwdif(kind, self._threads, every=self._which == "all")
        yield from self._bwdif.push(frame)

    def _flush(self) -> Iterator[VideoFrame]:
        if self._bwdif is not None:
            yield from self._bwdif.flush()
        self._bwdif = None


class FieldOrder:
    """Reads from frames which field is the earlier one; PyAV does not show that, but filters know."""

    def __init__(self) -> None:
        self._kind: _Kind | None = None
        self._graph = Graph()

    def top_first(self, frame: VideoFrame) -> bool:
        """True if the frame is marked as interlaced, and the field with its top line as the earlier one."""
        kind = _Kind.of(frame)
        if kind != self._kind:
            self._kind, self._graph = kind, kind.graph(("select", r"eq(interlace_type\,TOPFIRST)"))
        self._graph.push(frame)
        try:
            self._graph.vpull()
        except BlockingIOError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a graph of filters is made for."""

    width: int
    height: int
    name: str
    colorspace: int
    color_range: int

    @classmethod
    def of(cls, frame: VideoFrame) -> _Kind:
        return cls(
            frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range)
        )

    def graph(self, *filters: tuple[str, str], threads: int = 1) -> Graph:
        graph = Graph()
        graph.threads = threads
        buffer = (
            f"video_size={self.width}x{self.height}:pix_fmt={self.name}:time_base=1/1000"
            f":colorspace={self.colorspace}:range={self.color_range}"
        )
        nodes = [graph.add(name, arguments) for name, arguments in (("buffer", buffer), *filters)]
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        return graph


class _Bwdif:
    """The filter for frames of one kind."""

    def __init__(self, kind: _Kind, threads: int, *, every: bool) -> None:
        self.kind = kind
        planar = layout_of(kind.name).repack
        before = [("format", planar)] if planar is not None else []
        options = f"mode=send_frame:deint={'all' if every else 'interlaced'}"
        self._graph = kind.graph(*before, ("bwdif", options), threads=threads)
        self._times: deque[tuple[int | None, int, Fraction | None]] = deque()

    def push(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        self._times.append((frame.pts, frame.duration, frame.time_base))
        self._graph.push(frame)
        return self._ready()

    def flush(self) -> Iterator[VideoFrame]:
        self._graph.push(None)
        return self._ready()

    def _ready(self) -> Iterator[VideoFrame]:
        while True:
            try:
                frame = self._graph.vpull()
            except (BlockingIOError, EOFError):
                return
            frame.pts, frame.duration, time_base = self._times.popleft()  # bwdif counts in half ticks
            if time_base is not None:
                frame.time_base = time_base
            yield frame
