"""Plan files: read, refused with the line, written."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.errors import UsageError
from streamrestore.pipeline.overlay import Entry
from streamrestore.pipeline.planfile import PlanFile, parse_plan, read_plan, write_plan
from streamrestore.pipeline.report import ClipReport
from streamrestore.weather import Weather

PATH = Path("plan.yaml")


def parse(text: str) -> PlanFile:
    """Read a text."""
    return parse_plan(text, PATH)


def refusal(text: str) -> str:
    """What is said about a text."""
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def clip(start: float, stop: float, branch: str = "rain", **more: object) -> ClipReport:
    """One clip of a report."""
    values = {"ended_by": "length", "strength": 1.0, "reason": "classified", **more}
    return ClipReport(0, 0, start, stop, branch=branch, **values)  # type: ignore[arg-type]


class TestRead:
    def test_entries(self) -> None:
        """In either form of YAML, in any order; branch and strength may be left to the program."""
        plan = parse("""
input: a.mp4
fingerprint: 12ab
entries:
  - {start: 0:00:02.000, end: 5, branch: rain + haze, strength: 0.5}
  - start: 0:00:00
    end: 1.5
    branch: auto
  - {start: "1:00", end: 1:02:00.5, branch: none}
""")

        assert plan.entries == (
            Entry(0.0, 1.5, None, None),
            Entry(2.0, 5.0, (Weather.RAIN, Weather.HAZE), 0.5),
            Entry(60.0, 3720.5, (), None),
        )
        assert plan.lines == (6, 5, 9)
        assert (plan.fingerprint, plan.fingerprint_line) == ("12ab", 3)

    @pytest.mark.parametrize("branch", ["rain", "haze", "raindrop", "noise"])
    def test_every_branch(self, branch: str) -> None:
        """By its name."""
        (entry,) = parse(f"entries: [{{start: 0, end: 1, branch: {branch}}}]").entries
        assert entry.branches == (Weather(branch),)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "it is empty"),
            ("# nothing", "it is empty"),
            ("- a", ":1: a plan has named values"),
            ("input: a.mp4", ":1: a plan must have 'entries'"),
            ("entries: 5", ":1: 'entries' must be a list"),
            ("entries: []\nbranch: rain", ":2: a plan has no 'branch'; it has entries, input, fingerprint"),
            ("entries: []\nentries: []", ":2: 'entries' stands there twice"),
            ("entries: []\ninput: [a]", ":2: 'input' takes a single value"),
            ("entries:\n  - 5", ":2: an entry has named values"),
            ("entries:\n- {start: 0}", ":2: an entry must have 'end'"),
            ("entries:\n  - start: 0\n    end: 1\n    stregth: 1", ":4: an entry has no 'stregth'"),
            ("entries:\n- {start: 0, end: 1, start: 0}", ":2: 'start' stands there twice"),
            ("entries:\n- {start: 0, end: 1, ? [a] : 1}", ":2: an entry has no '?'"),
            ("entries:\n- {start: now, end: 1}", ":2: start: 'now' is no time"),
            ("entries:\n- {start: 0, end: -1}", ":2: end: '-1' is no time"),
            ("entries:\n- {start: 2, end: 1}", ":2: the entry ends at 0:00:01.000 and begins at 0:00:02"),
            ("entries:\n- {start: 2, end: 2}", ":2: the entry ends at"),
            ("entries:\n- start: 0\n  end: 1\n  branch: snow", ":4: there is no branch 'snow'; there are"),
            ("entries: [{start: 0, end: 1, branch: }]", ":1: there is no branch ''"),
            ("entries: [{start: 0, end: 1, branch: rain+rain}]", "two different ones"),
            ("entries: [{start: 0, end: 1, branch: rain+haze+noise}]", "two different ones"),
            ("entries: [{start: 0, end: 1, branch: rain+auto}]", "there is no branch 'auto'"),
            ("entries: [{start: 0, end: 1, branch: [rain]}]", ":1: 'branch' takes a single value"),
            ("entries:\n- start: 0\n  end: 1\n  strength: 1.6", ":4: strength '1.6': it takes a number"),
            ("entries: [{start: 0, end: 1, strength: nan}]", "strength 'nan'"),
            ("entries: [{start: 0, end: 1, strength: a lot}]", "strength 'a lot'"),
            ("entries:\n- {start: 0, end: 2}\n- {start: 1, end: 3}", ":3: the entry overlaps that of line 2"),
            ("entries:\n- {start: 1, end: 3}\n- {start: 0, end: 2}", ":3: the entry overlaps that of line 2"),
            ("entries:\n- {start: 0, end: 9}\n- {start: 1, end: 2}", ":3: the entry overlaps that of line 2"),
            ("entries:\n- {start: 0, end: 1\n", ":3: not valid YAML"),
            ("[" * 100_000, "not valid YAML"),
        ],
    )  # fmt: skip
    def test_mistakes(self, text: str, said: str) -> None:
        """Each is named, with the file and the line."""
        told = refusal(text)
        assert told.startswith("plan.yaml")
        assert said in told

    def test_neighbours_do_not_overlap(self) -> None:
        """One may begin where another ends."""
        assert len(parse("entries: [{start: 0, end: 1}, {start: 1, end: 2}]").entries) == 2

    @given(st.text(max_size=200))
    def test_anything(self, text: str) -> None:
        """Is a plan or a UsageError."""
        with contextlib.suppress(UsageError):
            parse("entries:\n" + text)

    def test_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        """No file, a folder, no text."""
        (tmp_path / "b.yaml").write_bytes(b"entries: [] # \xff")
        for name in ("no.yaml", ".", "b.yaml"):
            with pytest.raises(UsageError, match="--plan "):
                read_plan(tmp_path / name)


class TestChecks:
    def test_end(self) -> None:
        """An entry beyond the end is refused; one up to it is not."""
        plan = parse("entries:\n- {start: 0, end: 1}\n- {start: 1, end: 4}")

        plan.check_end(4.0)
        plan.check_end(3.9996)
        with pytest.raises(
            UsageError, match=r"plan\.yaml:3: the entry ends at 0:00:04.000.*video at 0:00:03.990"
        ):
            plan.check_end(3.99)

    def test_input(self) -> None:
        """A plan for another file is refused, unless it does not say for which it is."""
        plan = parse("entries: []\nfingerprint: aa")

        plan.check_input("aa")
        plan.check_input("")
        parse("entries: []").check_input("bb")
        with pytest.raises(UsageError, match=r"plan\.yaml:2: the plan was made for another file"):
            plan.check_input("bb")


class TestWrite:
    def test_reads_back(self) -> None:
        """What was decided is what the file says, with the reason beside it."""
        clips = [
            clip(0.0, 61 / 30, probabilities={"rain": 0.94, "haze": 0.01}, severity={"rain": 0.123}),
            clip(61 / 30, 4.0, "none", reason="clean"),
            clip(5.0, 5.0, "haze+noise", strength=0.75, ended_by="end"),
        ]

        text = write_plan('a "b"\u2028c.mp4', "00ff", clips)
        plan = parse(text)

        assert plan.entries == (
            Entry(0.0, 2.033, (Weather.RAIN,), 1.0),
            Entry(2.033, 4.0, (), 1.0),
            Entry(5.0, 5.001, (Weather.HAZE, Weather.NOISE), 0.75),
        )
        assert plan.fingerprint == "00ff"
        assert "# classified: rain 94% (severity 0.12)\n" in text
        assert "haze 1%" not in text

    def test_nothing(self) -> None:
        """A video without clips has a plan without entries."""
        assert parse(write_plan("a.mp4", "", [])).entries == ()

    @given(st.lists(st.integers(1, 5000), min_size=1, max_size=30), st.data())
    def test_any_clips(self, lengths: list[int], data: st.DataObject) -> None:
        """One entry for each, one after the other."""
        labels = data.draw(
            st.lists(
                st.sampled_from(["none", "rain", "noise+rain"]), min_size=len(lengths), max_size=len(lengths)
            )
        )
        begin, clips = 0.0, []
        for length, label in zip(lengths, labels, strict=True):
            clips.append(clip(begin, begin + length / 90, label))
            begin += length / 90

        entries = parse(write_plan("a", "", clips)).entries

        assert ["+".join(entry.branches or ()) or "none" for entry in entries] == labels
        assert all(a.end == b.start for a, b in pairwise(entries))
