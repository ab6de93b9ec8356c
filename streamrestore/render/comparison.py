"""A video that shows two others: side by side, or parted by a line that moves to and fro."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from streamrestore.decode import open_source
from streamrestore.encode import FileSink
from streamrestore.encode.check import same_file
from streamrestore.errors import Interrupted, OutputError, UsageError
from streamrestore.frames import Coding, Frame, FrameBatch
from streamrestore.pipeline.excerpt import Excerpt, find_excerpt
from streamrestore.render.font import Mask, draw_text
from streamrestore.render.metrics import FrameMetrics, measure
from streamrestore.render.pictures import EIGHT_BIT, Planes, common_coding, tags_of, upright
from streamrestore.seams import Restored, SinkReport, Source, SourceInfo
from streamrestore.settings import EncodeSettings
from streamrestore.weather import Decision

Mode = Literal["side", "wipe"]
OnFrames = Callable[[int, int | None, float], None]
"""Called with frames done, frames in all if known, and frames per second."""

OnMetrics = Callable[[FrameMetrics], None]

WIPE_SECONDS = 6.0
"""For the line to go to the right and back."""


def compare_files(
    first: str,
    second: str,
    output: Path,
    settings: EncodeSettings,
    *,
    mode: Mode = "side",
    labels: tuple[str, str] = ("before", "after"),
    between: tuple[float, float] | None = None,
    seek: bool = True,
    on_frames: OnFrames | None = None,
    on_metrics: OnMetrics | None = None,
    stop: Callable[[], bool] | None = None,
) -> SinkReport:
    """Write a comparison of two videos; timing and sound are the first one's.

    Args:
        labels: burnt into the pictures; an empty one is left out.
        between: the part of the first video that the second one shows, in seconds from its first picture.
        seek: jump to that part; without, all before it is decoded, as damaged videos need it.
        on_metrics: called with PSNR and SSIM of each frame; without it, nothing is measured.

    Raises:
        UsageError: the two differ in displayed size or number of frames.
        InputError, OutputError: as `open_source` and `FileSink`.
        Interrupted: `stop` said so; nothing is left.
    """
    path = _local(first)
    beside = _local(second)
    if beside is not None and same_file(output, beside):
        raise OutputError(f"{output} is an input itself; give the output another name")
    part = find_excerpt(first, *between)[0] if between is not None else Excerpt()
    with ExitStack() as stack:
        a = stack.enter_context(open_source(first, start=part.start, stop=part.stop, seek=seek))
        b = stack.enter_context(open_source(second))
        _check_sizes(a, b)
        layout = Layout.of(a.info.displayed_size, mode)
        settings = msgspec.structs.replace(settings, drop_unsupported=True)  # it shows; it need not keep
        span = part.span(a.info.time_base, seek=seek)
        sink = FileSink(output, _info(a.info, layout), settings, source_path=path, span=span)
        stack.callback(sink.abort)
        begin, total = time.monotonic(), (a if between is None else b).info.frame_count
        for done, batch in enumerate(_compose(a, b, layout, labels, on_metrics), start=1):
            if stop is not None and stop():
                raise Interrupted(f"interrupted: {output} is not there: what was incomplete is removed")
            sink.write(Restored(batch, Decision()))
            if on_frames is not None:
                on_frames(done, total, done / max(1e-6, time.monotonic() - begin))
        return sink.finish()


@dataclass(frozen=True, slots=True)
class Layout:
    """Where two pictures stand on the canvas.

    Attributes:
        width, height: of each picture.
        second: left edge of the second picture; even, so that chroma fits.
        canvas: (width, height), even, as encoders want it.
    """

    mode: Mode
    width: int
    height: int
    second: int
    canvas: tuple[int, int]

    @classmethod
    def of(cls, size: tuple[int, int], mode: Mode) -> Layout:
        """The layout for pictures of (width, height)."""
        width, height = size
        if mode == "wipe":
            return cls(mode, width, height, 0, (_even(width), _even(height)))
        second = _even(width + 2 * max(1, round(width / 320)))
        return cls(mode, width, height, second, (_even(second + width), _even(height)))

    def line(self, seconds: float) -> int:
        """Where the moving line stands, from the left; even."""
        share = 0.5 - 0.45 * math.cos(2 * math.pi * seconds / WIPE_SECONDS)
        return 2 * round(share * self.width / 2)


class Label:
    """A word on a dark ground, laid over a corner of pictures.

    Args:
        size: (width, height) of the pictures.
        right: at the right edge instead of the left.
        coding: of the pictures.
    """

    def __init__(self, text: str, size: tuple[int, int], coding: Coding, *, right: bool = False) -> None:
        width, height = size
        self._ink = _fitting(text, width, max(9.0, min(width, height) / 26))
        box_height, box_width = self._ink.shape
        margin = _even(max(4, min(width, height) // 45))
        self._top, self._left = margin, max(0, width - margin - box_width) & ~1 if right else margin
        box_height, box_width = min(box_height, height - margin), min(box_width, width - self._left)
        self._ink = self._ink[: max(0, box_height), : max(0, box_width)]
        self._black, self._white = (0.0, 255.0) if coding.full else (16.0, 235.0)

    def __call__(self, planes: Planes) -> None:
        """Draw it into planes that may be written to."""
        height, width = self._ink.shape
        luma = planes[0][self._top : self._top + height, self._left : self._left + width]
        ground = luma * (1 - _SHADE) + self._black * _SHADE
        luma[...] = np.rint(ground * (1 - self._ink) + self._white * self._ink)
        grey = _halved(_SHADE + (1 - _SHADE) * self._ink)
        for plane in planes[1:]:
            top, left = self._top // 2, self._left // 2
            chroma = plane[top : top + grey.shape[0], left : left + grey.shape[1]]
            part = grey[: chroma.shape[0], : chroma.shape[1]]
            chroma[...] = np.rint(chroma * (1 - part) + 128 * part)


_SHADE = 0.6  # of the ground under a label


def _compose(
    a: Source, b: Source, layout: Layout, labels: tuple[str, str], on_metrics: OnMetrics | None
) -> Iterator[FrameBatch]:
    """Frames of the comparison, one in a batch, at the times of `a`."""
    coding: Coding | None = None
    drawn: list[Label] = []
    start = 0.0
    for count, (left, right) in enumerate(zip_longest(_frames(a), _frames(b))):
        if left is None or right is None:
            shorter, longer = (a, b) if left is None else (b, a)
            raise UsageError(
                f"{shorter.info.name} has {count} frames and {longer.info.name} has more; "
                "a comparison needs the same number in both"
            )
        (frame, batch), (other, others) = left, right
        if coding is None:
            coding = common_coding(batch)
            drawn = _labels(labels, layout, coding)
            start = batch.seconds(frame)
        pictures = [upright(frame, batch, coding), upright(other, others, coding)]
        for picture, source in zip(pictures, (a, b), strict=True):
            if picture[0].shape != (layout.height, layout.width):
                raise UsageError(f"{source.info.name}: the picture changes its size at frame {count}")
        if on_metrics is not None:
            on_metrics(measure(left, right, pictures, count))
        if layout.mode == "wipe":
            planes = _wiped(pictures, drawn, layout, layout.line(batch.seconds(frame) - start), coding)
        else:
            planes = _beside(pictures, drawn, layout, coding)
        yield _as_batch(planes, frame, batch, layout, coding)


def _labels(labels: tuple[str, str], layout: Layout, coding: Coding) -> list[Label]:
    size = (layout.width, layout.height)
    wipe = layout.mode == "wipe"
    return [Label(labels[0], size, coding), Label(labels[1], size, coding, right=wipe)]


def _beside(pictures: list[Planes], labels: list[Label], layout: Layout, coding: Coding) -> Planes:
    canvas = _canvas(layout, coding)
    for picture, label, left in zip(pictures, labels, (0, layout.second), strict=True):
        part = _part(canvas, left, layout.width, layout.height)
        for target, plane in zip(part, picture, strict=True):
            target[...] = plane
        label(part)
    return canvas


def _wiped(pictures: list[Planes], labels: list[Label], layout: Layout, line: int, coding: Coding) -> Planes:
    """The first picture left of the line, the second right of it; each covers the other's label."""
    canvas = _canvas(layout, coding)
    whole = _part(canvas, 0, layout.width, layout.height)
    layers = []
    for picture, label in zip(pictures, labels, strict=True):
        layer = (picture[0].copy(), picture[1].copy(), picture[2].copy())
        label(layer)
        layers.append(layer)
    thickness = 2 * max(1, round(layout.width / 640))
    stroke = slice(line, line + thickness)
    for index, (target, first, second) in enumerate(zip(whole, *layers, strict=True)):
        half = int(index > 0)
        target[:, : line >> half] = first[:, : line >> half]
        target[:, line >> half :] = second[:, line >> half :]
        target[:, stroke.start >> half : stroke.stop >> half] = 128 if half else (255 if coding.full else 235)
    return canvas


def _canvas(layout: Layout, coding: Coding) -> Planes:
    """A black picture."""
    width, height = layout.canvas
    chroma = [np.full((height // 2, width // 2), 128, np.uint8) for _ in range(2)]
    return np.full((height, width), 0 if coding.full else 16, np.uint8), chroma[0], chroma[1]


def _part(canvas: Planes, left: int, width: int, height: int) -> Planes:
    """Views of a part at the top of the canvas; `left` is even."""
    luma, cb, cr = canvas
    rows, columns = slice(0, -(-height // 2)), slice(left // 2, left // 2 + -(-width // 2))
    return luma[:height, left : left + width], cb[rows, columns], cr[rows, columns]


def _as_batch(planes: Planes, frame: Frame, batch: FrameBatch, layout: Layout, coding: Coding) -> FrameBatch:
    ratio = batch.sample_aspect_ratio
    return FrameBatch(
        frames=(Frame(planes, frame.pts, frame.duration, frame.index),),
        width=layout.canvas[0],
        height=layout.canvas[1],
        format=EIGHT_BIT,
        time_base=batch.time_base,
        color=tags_of(coding, batch.color),
        sample_aspect_ratio=1 / ratio if batch.rotation % 180 else ratio,
    )


def _frames(source: Source) -> Iterator[tuple[Frame, FrameBatch]]:
    for batch in source:
        for frame in batch.frames:
            yield frame, batch


def _check_sizes(a: Source, b: Source) -> None:
    sizes = [source.info.displayed_size for source in (a, b)]
    if sizes[0] != sizes[1]:
        shown = [f"{source.info.name} is {w}x{h}" for source, (w, h) in zip((a, b), sizes, strict=True)]
        raise UsageError(f"{' and '.join(shown)} as displayed; a comparison needs the same size")


def _info(info: SourceInfo, layout: Layout) -> SourceInfo:
    """What the sink should know: the first video, but for the picture."""
    return replace(
        info,
        width=layout.canvas[0],
        height=layout.canvas[1],
        format=EIGHT_BIT,
        pixel_format="yuv420p",
        rotation=0,
        interlaced=False,
        sample_aspect_ratio=Fraction(1),
        side_data=(),
        mastering=None,
        light_level=None,
        display_matrix=(),
    )


def _local(spec: str) -> Path | None:
    """The file that an input is, if it is one."""
    path = Path(re.sub(r"^file:(//)?", "", spec))
    return path if path.is_file() else None


def _fitting(text: str, width: int, height: float) -> Mask:
    """Ink of a text with room around it, smaller if it would not fit."""
    if not text.strip():
        return np.zeros((0, 0), np.float32)
    for size in (height, height * 0.75, height * 0.5):
        ink = draw_text(text, size)
        if ink.shape[1] + size * 1.2 <= width * 0.9:
            break
    pad = round(size * 0.45)
    return np.pad(ink, ((pad, max(0, pad - round(size / 4))), (pad, pad)))


def _halved(mask: Mask) -> npt.NDArray[np.float32]:
    """Means of 2x2 blocks; at odd sizes the last row and column stand for two."""
    if not mask.size:
        return mask
    padded = np.pad(mask, ((0, mask.shape[0] % 2), (0, mask.shape[1] % 2)), mode="edge")
    height, width = padded.shape
    blocks: npt.NDArray[np.float32] = padded.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return blocks


def _even(size: int) -> int:
    return size + size % 2
