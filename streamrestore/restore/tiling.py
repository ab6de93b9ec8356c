"""Where a picture is too large for the memory: tiles whose halos leave no seam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """One direction of a tile, in samples.

    Attributes:
        start, stop: what is computed, halo included.
        inner_start, inner_stop: what of it is kept; the inner parts tile the whole.
    """

    start: int
    stop: int
    inner_start: int
    inner_stop: int

    @property
    def kept(self) -> slice:
        """What is kept, counted from `start`."""
        return slice(self.inner_start - self.start, self.inner_stop - self.start)


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle to compute, and the one of it to keep."""

    rows: Span
    columns: Span


def spans(length: int, inner: int, halo: int, multiple: int) -> list[Span]:
    """Cut a length into parts of `inner` samples with a halo on both sides.

    Args:
        length, inner, halo: samples; starts and stops lie on multiples of `multiple`, which
            `length` must be one of, so that halvings inside a network fall on the same samples.
    """
    inner = max(multiple, inner // multiple * multiple)
    halo = -(-halo // multiple) * multiple
    return [
        Span(max(0, start - halo), min(length, start + inner + halo), start, min(length, start + inner))
        for start in range(0, length, inner)
    ]


def tiles(height: int, width: int, inner: int, halo: int, multiple: int) -> Iterator[Tile]:
    """Square tiles over a picture, row by row; see `spans`."""
    columns = spans(width, inner, halo, multiple)
    for rows in spans(height, inner, halo, multiple):
        for column in columns:
            yield Tile(rows, column)
