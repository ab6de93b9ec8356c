"""What a source is: tables of its streams, its picture, its colour and its timing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from streamrestore.render.colors import describe_color, describe_format
from streamrestore.render.words import clock, duration, plain
from streamrestore.seams import SourceInfo, StreamInfo

if TYPE_CHECKING:
    from streamrestore.pipeline.look import FrameTiming


def pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values under each other."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(name, Text(plain(value)))
    return table


def streams_table(info: SourceInfo) -> Table:
    """A row for each stream of the container."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stream", "kind", "codec", "starts", "length", "tags"):
        table.add_column(
            name, no_wrap=name != "tags", justify="right" if name in ("stream", "starts") else "left"
        )
    for stream in info.streams:
        main = stream.index == info.video.index
        table.add_row(
            str(stream.index),
            f"{stream.kind} *" if main and _videos(info.streams) > 1 else stream.kind,
            plain(stream.codec) or "unknown",
            clock(float(stream.start)) if stream.start is not None else "",
            duration(float(stream.duration)) if stream.duration is not None else "",
            Text(plain(_tags(stream))),
        )
    return table


def picture_rows(info: SourceInfo, scan: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Size, format and colour, and what is assumed of it.

    Args:
        scan: how its fields are shown, from the marks of all pictures; without, the header is believed.
    """
    width, height = info.displayed_size
    size = f"{width}x{height}"
    if info.rotation:
        size += f" as displayed, stored as {info.width}x{info.height} and turned by {info.rotation} degrees"
    rows = [("size", size), ("format", f"{describe_format(info.format)} ({info.pixel_format})")]
    if info.sample_aspect_ratio != 1:
        ratio = info.sample_aspect_ratio
        rows.append(("pixels", f"{ratio.numerator}:{ratio.denominator}, not square"))
    if scan or info.interlaced:
        rows.append(("scan", "; ".join(scan) or "interlaced by its header"))
    return rows + list(describe_color(info.color, info.format, width, height).items())


def timing_rows(info: SourceInfo, timing: FrameTiming, frames: int) -> list[tuple[str, str]]:
    """Rate, spacing, start, and what the container claims about it."""
    spacing = f"{timing.mean_ms:.2f} ms from frame to frame"
    if timing.variable:
        spacing += f", variable: {timing.min_ms:.2f} to {timing.max_ms:.2f} ms"
    claimed = info.frame_count
    count = f"{frames}" + (f", and the container claims {claimed}" if claimed not in (None, frames) else "")
    return [
        ("frames", count),
        ("rate", rate_in_words(timing.rate)),
        ("spacing", spacing),
        ("start", f"{timing.start_seconds:.3f} s"),
        ("unit", f"{info.time_base} s"),
    ]


def rate_in_words(rate: str) -> str:
    """``25 frames/s``, ``29.970 frames/s (30000/1001)``, ``unknown``."""
    if not rate:
        return "unknown"
    value = Fraction(rate)
    return f"{value} frames/s" if value.denominator == 1 else f"{float(value):.3f} frames/s ({value})"


def _videos(streams: Sequence[StreamInfo]) -> int:
    return sum(stream.kind == "video" for stream in streams)


def _tags(stream: StreamInfo) -> str:
    shown = ("language", "title")
    return ", ".join(
        value for key, value in stream.metadata.items() if key.lower() in shown and value != "und"
    )
