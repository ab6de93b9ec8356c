"""Where a video is cut into segments. Pure; the brute force is the specification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.pipeline import segments
from streamrestore.pipeline.segments import Segment, lead_in
from streamrestore.settings import WindowSettings
from streamrestore.windows import Clip, Ending

TARGET_SECONDS = WindowSettings().segment_seconds
cut_segments = partial(segments.cut_segments, target_seconds=TARGET_SECONDS)
SHORTEST, LONGEST = TARGET_SECONDS * 2 / 3, TARGET_SECONDS * 4 / 3
USUAL = st.lists(st.floats(0.5, 3.0), max_size=80)
ANY = st.lists(st.floats(0.0, 40.0), max_size=30)


def make_clips(lengths: Sequence[float], reasons: Sequence[Ending] = (), rate: float = 25.0) -> list[Clip]:
    """Clips of so many seconds, one after the other."""
    clips: list[Clip] = []
    begin, seconds = 0, 3.5
    for index, length in enumerate(lengths):
        stop = begin + max(1, round(length * rate))
        reason = reasons[index] if reasons else "length"
        clips.append(Clip(begin, stop, seconds, seconds + length, reason))
        begin, seconds = stop, seconds + length
    return clips


def lengths_of(segments: Sequence[Segment], clips: Sequence[Clip]) -> list[float]:
    """Seconds of each segment."""
    return [sum(clip.seconds for clip in clips[s.first_clip : s.stop_clip]) for s in segments]


def is_out(length: float) -> bool:
    """Whether a segment is too short or too long."""
    return not SHORTEST <= length <= LONGEST


def all_ways(clips: Sequence[Clip]) -> Iterator[list[float]]:
    """Lengths of every way to put clips together, in which only a single clip may be too long."""
    seconds = [clip.seconds for clip in clips]
    for count in range(len(clips)):
        for inner in combinations(range(1, len(clips)), count):
            parts = list(pairwise((0, *inner, len(clips))))
            lengths = [sum(seconds[a:b]) for a, b in parts]
            if all(n <= LONGEST or b - a == 1 for n, (a, b) in zip(lengths, parts, strict=True)):
                yield lengths


@given(ANY)
def test_every_frame_once_in_order(lengths: list[float]) -> None:
    """Segments follow each other without a gap, and begin and end where clips do."""
    clips = make_clips(lengths)
    segments = cut_segments(clips)

    assert [segment.number for segment in segments] == list(range(len(segments)))
    assert [i for s in segments for i in range(s.first_clip, s.stop_clip)] == list(range(len(clips)))
    for segment in segments:
        first, last = clips[segment.first_clip], clips[segment.stop_clip - 1]
        assert (segment.first_frame, segment.stop_frame) == (first.start, last.stop)
        assert segment.start_seconds == first.start_seconds
        assert len(segment) == last.stop - first.start > 0


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=9))
def test_lengths_in_bounds_whenever_clips_allow(lengths: list[float]) -> None:
    """No other way has fewer segments out of bounds; of those as good none is nearer to the target."""
    clips = make_clips(lengths)

    def cost(ways: list[float]) -> tuple[int, float]:
        return sum(map(is_out, ways)), sum((length - TARGET_SECONDS) ** 2 for length in ways)

    out, squares = cost(lengths_of(cut_segments(clips), clips))

    best_out, best_squares = min(map(cost, all_ways(clips)))
    assert out == best_out
    assert squares == pytest.approx(best_squares)


@given(ANY)
def test_long_clips_stay_whole(lengths: list[float]) -> None:
    """A clip is never divided, and a segment that is too long is one clip."""
    clips = make_clips(lengths)
    for segment, length in zip(cut_segments(clips), lengths_of(cut_segments(clips), clips), strict=True):
        assert length <= LONGEST or segment.stop_clip - segment.first_clip == 1


@given(USUAL)
def test_usual_videos(lengths: list[float]) -> None:
    """Clips of some seconds make segments of 10 to 20 s, or half a clip less; a short video is one."""
    clips = make_clips(lengths)
    found = lengths_of(cut_segments(clips), clips)
    if sum(lengths) < SHORTEST:
        assert len(found) == bool(lengths)
    else:
        assert all(SHORTEST - 1.5 - 1e-6 <= length <= LONGEST for length in found)


@given(USUAL, st.integers(2, 4))
def test_pictures_per_second_do_not_matter(lengths: list[float], factor: int) -> None:
    """The list goes by time: the same clips at another rate are put together alike."""
    slow, fast = make_clips(lengths), make_clips(lengths, rate=25.0 * factor)
    borders = [(s.first_clip, s.stop_clip) for s in cut_segments(slow)]
    assert [(s.first_clip, s.stop_clip) for s in cut_segments(tuple(fast))] == borders


def test_no_clip() -> None:
    """An empty video has no segment."""
    assert cut_segments([]) == ()


def test_name() -> None:
    """Messages name what the user can find in the video."""
    assert str(cut_segments(make_clips([2.0]))[0]) == "segment 0 (frames 0 to 49)"


@pytest.mark.parametrize(
    ("reasons", "frames", "begin"),
    [
        ("length length length", 0, None),  # nobody looks back
        ("length length cut", 3, None),  # it begins a scene
        ("length length gap", 3, None),
        ("length length length", 3, 2),
        ("length length length", 50, 2),
        ("length length length", 51, 1),
        ("length length length", 5000, 0),
        ("cut length length", 5000, 1),  # the scene's first
        ("length cut length", 51, 2),
    ],
)
def test_lead_in(reasons: str, frames: int, begin: int | None) -> None:
    """Decoding begins early enough for pictures of the same scene to look back at, and no earlier."""
    clips = make_clips([2.0] * 4, [*reasons.split(), "end"])  # type: ignore[list-item]
    segment = Segment(1, 150, 200, 3, 4, clips[3].start_seconds)

    found = lead_in(segment, clips, frames)

    assert found == (None if begin is None else clips[begin])
