"""Tiles: together the whole picture, once, with what they need around them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.restore.tiling import spans, tiles

LENGTHS = st.integers(1, 60)
INNER = st.integers(1, 80)
HALO = st.integers(0, 30)
MULTIPLE = st.sampled_from([1, 2, 4, 8])


@given(LENGTHS, INNER, HALO, MULTIPLE)
def test_inner_parts_follow_each_other(blocks: int, inner: int, halo: int, multiple: int) -> None:
    """They cover the length without gap or overlap, on multiples."""
    length = blocks * multiple

    parts = spans(length, inner, halo, multiple)

    assert parts[0].inner_start == 0
    assert parts[-1].inner_stop == length
    for before, after in pairwise(parts):
        assert before.inner_stop == after.inner_start
    for part in parts:
        assert part.inner_start < part.inner_stop
        assert all(side % multiple == 0 for side in (part.start, part.stop, part.inner_start))


@given(LENGTHS, INNER, HALO, MULTIPLE)
def test_halo(blocks: int, inner: int, halo: int, multiple: int) -> None:
    """At least the halo on both sides, as far as there is a picture; `kept` cuts the inner part out."""
    length = blocks * multiple
    samples = np.arange(length)
    for part in spans(length, inner, halo, multiple):
        assert part.start <= max(0, part.inner_start - halo)
        assert part.stop >= min(length, part.inner_stop + halo)
        assert part.start >= 0
        assert part.stop <= length
        assert part.stop - part.start <= max(inner, multiple) + 2 * (halo + multiple)
        kept = samples[part.start : part.stop][part.kept]
        assert kept.tolist() == list(range(part.inner_start, part.inner_stop))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 30), st.integers(0, 9))
def test_every_sample_once(rows: int, columns: int, inner: int, halo: int) -> None:
    """In two directions."""
    seen = np.zeros((rows * 4, columns * 4), int)
    for tile in tiles(*seen.shape, inner, halo, 4):
        part = seen[tile.rows.start : tile.rows.stop, tile.columns.start : tile.columns.stop]
        part[tile.rows.kept, tile.columns.kept] += 1

    assert (seen == 1).all()
