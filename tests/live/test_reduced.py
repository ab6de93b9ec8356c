"""Restoring at half the resolution."""

from __future__ import annotations

import weakref
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from streamrestore.frames import Frame, FrameBatch, PixelFormat
from streamrestore.live.reduced import Halves, Pasts, at_half


def batch_of(format: PixelFormat, width: int, height: int, count: int = 1) -> FrameBatch:
    """Noise."""
    random = np.random.default_rng(0)
    frames = tuple(
        Frame(
            tuple(
                random.integers(20, format.peak - 20, size).astype(format.dtype)
                for size in format.plane_sizes(width, height)
            ),
            pts,
        )
        for pts in range(count)
    )
    return FrameBatch(frames, width, height, format, Fraction(1, 25))


def add(amount: int):
    """A restorer that adds to every sample, and keeps what it was given."""

    def apply(batch: FrameBatch, pasts: Pasts = ()) -> FrameBatch:
        apply.given, apply.pasts = batch, pasts
        frames = (
            replace(f, planes=tuple(p + np.array(amount, p.dtype) for p in f.planes)) for f in batch.frames
        )
        return replace(batch, frames=tuple(frames))

    return apply


FORMATS = [PixelFormat("yuv", 8, 1, 1), PixelFormat("yuv", 10, 1, 0), PixelFormat("rgb"), PixelFormat("gray")]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [(64, 48), (65, 33)])
def test_detail_stays(format: PixelFormat, size: tuple[int, int]) -> None:
    """What the network changes is added to the picture itself: noise of the finest grain is still there."""
    batch = batch_of(format, *size, count=2)

    done = at_half(batch, (), add(7), Halves())

    for before, after in zip(batch.frames, done.frames, strict=True):
        assert after.pts == before.pts
        for old, new in zip(before.planes, after.planes, strict=True):
            np.testing.assert_array_equal(new, old + 7)
            assert new.dtype == old.dtype


def test_a_quarter_of_the_work() -> None:
    """What is restored has half the sides, and the mean of what it stands for."""
    batch, apply = batch_of(FORMATS[0], 64, 48), add(0)

    at_half(batch, (), apply, Halves())

    given = apply.given
    assert (given.width, given.height, given.format) == (32, 24, batch.format)
    luma = batch.frames[0].planes[0].astype(float)
    means = luma.reshape(24, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(given.frames[0].planes[0] - means).max() <= 0.5


def test_the_past_is_halved_too() -> None:
    """A network knows again what it has seen of a stream, by the very objects; they go with the pictures."""
    one, two = batch_of(FORMATS[0], 64, 48, count=2).frames
    batch, apply, halves = batch_of(FORMATS[0], 64, 48), add(0), Halves()

    at_half(replace(batch, frames=(one,)), [()], apply, halves)
    seen = apply.given.frames[0]
    at_half(replace(batch, frames=(two,)), [(one,)], apply, halves)

    assert apply.pasts[0][0] is seen
    assert seen.planes[0].shape == (24, 32)
    gone = weakref.ref(seen.planes[0])
    del one, seen, apply.pasts
    assert gone() is None


def test_clipped() -> None:
    """Codes stay codes."""
    batch = batch_of(FORMATS[0], 64, 48)

    assert max(plane.max() for plane in at_half(batch, (), add(30), Halves()).frames[0].planes) == 255


def test_small_pictures_are_not_halved() -> None:
    """There would be nothing left to look at."""
    batch, apply = batch_of(FORMATS[0], 64, 30), add(1)

    at_half(batch, (), apply, Halves())

    assert apply.given is batch
