"""The worst moment. Trying every millisecond is the specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.pipeline.worst import worst_moment
from streamrestore.windows import Clip

Made = tuple[list[Clip], list[float]]


@st.composite
def videos(draw: st.DrawFn) -> Made:
    """Clips of whole tenths of a second, with or without gaps, and how bad each is."""
    clips, scores, now = [], [], draw(st.integers(0, 50))
    for index in range(draw(st.integers(1, 8))):
        length = draw(st.integers(1, 30))
        clips.append(Clip(index, index + 1, now / 10, (now + length) / 10, "length"))
        scores.append(draw(st.sampled_from([0.0, 0.5, 1.0, 3.0])))
        now += length + draw(st.sampled_from([0, 0, 7]))
    return clips, scores


def badness(made: Made, begin: float, seconds: float) -> float:
    """Sum of the scores, weighted by time."""
    total = 0.0
    for clip, score in zip(*made, strict=True):
        total += score * max(0.0, min(clip.stop_seconds, begin + seconds) - max(clip.start_seconds, begin))
    return total


@given(videos(), st.integers(1, 60))
def test_no_moment_is_worse(made: Made, tenths: int) -> None:
    """And it lies in the video, at full length if that is long enough."""
    clips, scores = made
    seconds, first, last = tenths / 10, clips[0].start_seconds, clips[-1].stop_seconds

    begin = worst_moment(clips, scores, seconds)

    assert first <= begin <= max(first, last - seconds) + 1e-9
    tries = [first + step / 10 for step in range(round((last - first) * 10) - tenths + 1)] or [first]
    assert badness(made, begin, seconds) == pytest.approx(max(badness(made, t, seconds) for t in tries))


def test_first_of_equals() -> None:
    """Nothing is bad: the beginning."""
    assert worst_moment([Clip(0, 9, 5.0, 9.0, "end")], [0.0], 2.0) == 5.0


def test_single_picture_without_duration() -> None:
    """Is its own worst moment."""
    assert worst_moment([Clip(0, 1, 3.0, 3.0, "end")], [1.0], 2.0) == 3.0
