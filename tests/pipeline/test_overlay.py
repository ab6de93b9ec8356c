"""What a user wants, laid over what was decided. Picture by picture is the specification."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streamrestore.instants import to_millis
from streamrestore.pipeline.overlay import Entry, lay_over, picture_at, split_clip
from streamrestore.weather import Decision, Weather
from streamrestore.windows import Clip, Ending

BRANCHES = st.sampled_from([None, (), (Weather.RAIN,), (Weather.HAZE, Weather.NOISE)])
STRENGTHS = st.sampled_from([None, 0.0, 0.7])
REASONS: list[Ending] = ["length", "cut", "gap"]


@st.composite
def videos(draw: st.DrawFn) -> tuple[list[Clip], list[Decision], list[float]]:
    """Clips, decisions, and the time of every picture, at a rate that varies, from any time on."""
    deltas = draw(st.lists(st.sampled_from([1 / 60, 1 / 30, 0.04, 0.5]), min_size=1, max_size=40))
    times = [draw(st.sampled_from([0.0, 1.4, 95443.7]))]
    for delta in deltas:
        times.append(times[-1] + delta)
    ends = sorted(draw(st.sets(st.integers(1, len(times)), max_size=6)) | {len(times)})
    windows, decisions, begin = [], [], 0
    for end in ends:
        until = times[end] if end < len(times) else times[-1] + 0.04
        windows.append(Clip(begin, end, times[begin], until, draw(st.sampled_from(REASONS))))
        decisions.append(Decision(draw(BRANCHES) or (), 0.9))
        begin = end
    return windows, decisions, times


@st.composite
def edits(draw: st.DrawFn) -> list[Entry]:
    """Entries one after the other, with or without room between them."""
    borders = sorted(draw(st.sets(st.integers(0, 12_000), max_size=12)))
    pairs = zip(borders[::2], borders[1::2], strict=False)
    entries = [Entry(a / 1000, b / 1000, draw(BRANCHES), draw(STRENGTHS)) for a, b in pairs]
    if draw(st.booleans()):  # the second begins where the first ends
        entries = [*entries, *(Entry(b / 1000, b / 1000 + 1, ()) for b in borders[1::2][-1:])]
    return entries


def owner(entries: Sequence[Entry], seconds: float) -> Entry | None:
    """The entry over a time."""
    now = to_millis(seconds)
    return next((e for e in entries if to_millis(e.start) <= now < to_millis(e.end)), None)


@given(videos(), edits())
def test_every_picture_gets_what_is_wanted_for_it(
    video: tuple[list[Clip], list[Decision], list[float]], entries: list[Entry]
) -> None:
    """Its entry's branches and strength as far as that says, else what was decided."""
    windows, decisions, times = video

    parts, found = lay_over(windows, decisions, entries, times, times[0])

    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(len(times)))
    before = {i: d for w, d in zip(windows, decisions, strict=True) for i in range(w.start, w.stop)}
    for part, decision in zip(parts, found, strict=True):
        for index in range(part.start, part.stop):
            wanted, old = owner(entries, times[index] - times[0]), before[index]
            if wanted is None or (wanted.branches is None and wanted.strength is None):
                assert decision == old
                continue
            assert decision.branches == (old.branches if wanted.branches is None else wanted.branches)
            assert decision.strength == (old.strength if wanted.strength is None else wanted.strength)
            assert decision.reason == "plan"


@given(videos(), edits())
def test_clips_stay_clips(
    video: tuple[list[Clip], list[Decision], list[float]], entries: list[Entry]
) -> None:
    """They are cut, never joined; a scene ends where it ended, and times belong to pictures."""
    windows, decisions, times = video

    parts, _ = lay_over(windows, decisions, entries, times, times[0])

    endings = {window.stop: (window.reason, window.stop_seconds) for window in windows}
    for part in parts:
        assert part.start_seconds == times[part.start]
        reason, until = endings.pop(part.stop, ("length", times[min(part.stop, len(times) - 1)]))
        assert (part.reason, part.stop_seconds) == (reason, until)
    assert not endings


def test_without_entries_nothing_changes() -> None:
    """The same clips and decisions."""
    windows, decisions = [Clip(0, 3, 0.0, 0.3, "end")], [Decision()]

    assert lay_over(windows, decisions, [], [0.0, 0.1, 0.2], 0.0) == (windows, decisions)


def test_a_time_between_two_pictures() -> None:
    """Means the later one; times that a file rounds to milliseconds are met."""
    times = [index / 30 for index in range(4)]  # 0, 33.3, 66.7, 100 ms
    assert [picture_at(ms / 1000, times, 0.0) for ms in (0, 33, 34, 66, 67, 68, 101)] == [0, 1, 2, 2, 2, 3, 4]


def test_split_outside() -> None:
    """Borders in other clips do not matter."""
    clip = Clip(10, 20, 1.0, 2.0, "cut")

    assert split_clip(clip, [0, 10, 20, 30], [index / 10 for index in range(40)]) == [clip]
