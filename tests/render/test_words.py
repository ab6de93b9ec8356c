"""Durations, sizes and names."""

from __future__ import annotations

import pytest

from streamrestore.render.words import clock, counted, duration, plain, quantity, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"), (0.0374, "0.04 s"), (0.9994, "1.00 s"), (1, "1.0 s"), (59.94, "59.9 s"),
        (59.96, "1 min 00 s"), (185, "3 min 05 s"), (3599.6, "1 h 00 min"), (7320, "2 h 02 min"),
    ],
)  # fmt: skip
def test_duration(seconds, text):
    """Two or three figures, in the units that people use."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.0"), (59.96, "1:00.0"), (3723.04, "1:02:03.0"), (-0.04, "0:00.0"), (-1.5, "-0:01.5")],
)
def test_clock(seconds, text):
    """Tenths are rounded with what they carry."""
    assert clock(seconds) == text
    assert clock(61.4, tenths=False) == "1:01"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (999_600, "1.0 MB"),
        (3_140_000, "3.1 MB"), (25_000_000_000, "25.0 GB"), (5 * 10**15, "5000 TB"),
    ],
)  # fmt: skip
def test_size(count, text):
    """Decimal units."""
    assert size(count) == text


def test_quantities():
    """One frame, two frames; the most frequent loss first."""
    assert (quantity(1, "frame"), quantity(0, "frame")) == ("1 frame", "0 frames")
    assert counted({"b": 1, "a": 1, "c": 3}) == "3 x c, 1 x a, 1 x b"


def test_plain_is_one_line_without_control():
    """Escape sequences and line breaks of a name do not reach the terminal."""
    assert plain("a\x1b[31m\r\nb\tü") == "a\N{REPLACEMENT CHARACTER}[31m  b ü"
