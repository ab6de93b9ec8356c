"""Times as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.instants import format_time, parse_time, to_millis


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("95", 95),
        ("95.25", 95.25),
        ("1:35", 95),
        ("75:00", 4500),
        ("0:01:35.250", 95.25),
        ("100:00:00", 360_000),
        (" 5 ", 5),
    ],
)
def test_ways_to_write(text: str, seconds: float) -> None:
    """Seconds, minutes and seconds, or hours, too."""
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "-1", "1e3", "nan", "1:60", "1:60:00", "1:2:3:4", ":30", "1:", "1.", ".5", "1,5", "one", "٣"]
)
def test_what_is_no_time(text: str) -> None:
    """It is said, with what was written."""
    with pytest.raises(ValueError, match="is no time"):
        parse_time(text)


@given(st.integers(0, 10**9))
def test_there_and_back(millis: int) -> None:
    """To the millisecond."""
    assert to_millis(parse_time(format_time(millis / 1000))) == millis


@given(st.text(max_size=12))
def test_anything(text: str) -> None:
    """Is a time or a ValueError."""
    with contextlib.suppress(ValueError):
        assert parse_time(text) >= 0


def test_before_the_start() -> None:
    """A minus, but not for nothing."""
    assert format_time(-1.5) == "-0:00:01.500"
    assert format_time(-0.0001) == "0:00:00.000"
