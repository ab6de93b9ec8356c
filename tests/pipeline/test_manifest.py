"""Facts on the disk: whatever happens to them, nothing counts as done that is not there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.encode import SegmentReport
from streamrestore.errors import OutputError
from streamrestore.pipeline.manifest import (
    Facts,
    JobFact,
    Manifest,
    SegmentFact,
    changes,
    decode_facts,
    encode_fact,
    verify,
)
from streamrestore.pipeline.segments import Segment
from tests.limits import limited_files

COUNT = 4
JOB = JobFact(
    input="1f",
    settings="2e",
    weights={"fast-weather": "3d", "router": "4c"},
    plan="5b",
    software="streamrestore 0.1.0, av 18.1.0",
    segments=tuple(Segment(n, 375 * n, 375 * (n + 1), 7 * n, 7 * (n + 1), 15.0 * n) for n in range(COUNT)),
)


def content(number: int) -> bytes:
    """What is in a segment's file."""
    return hashlib.sha512(bytes([number])).digest() * (number + 1)


def make_fact(number: int) -> SegmentFact:
    """The fact that it is complete."""
    data = content(number)
    report = SegmentReport(
        path=None,
        frames=375,
        codec="h264",
        bytes=len(data),
        notes=("ä note",),
        sha256=hashlib.sha256(data).hexdigest(),
        moved=number,
    )
    return SegmentFact.of(number, f"{number:05d}.packets", report, {"corrupt picture": number})


FACTS = [make_fact(number) for number in range(COUNT)]
LINES = [encode_fact(fact) for fact in (JOB, *FACTS)]
WHOLE = b"".join(LINES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job that is complete."""
    fill(tmp_path)
    return tmp_path


def fill(folder: Path) -> None:
    """A manifest and all its files."""
    manifest = Manifest(folder / "manifest.jsonl")
    manifest.begin(JOB)
    for fact in FACTS:
        (folder / fact.file).write_bytes(content(fact.number))
        manifest.add(fact)


def assert_true(facts: Facts) -> None:
    """Nothing is said that was not written."""
    assert facts.job in (None, JOB)
    assert facts.job is not None or not facts.segments
    for number, fact in facts.segments.items():
        assert fact == FACTS[number]


def numbers(folder: Path) -> set[int]:
    """Segments that count as done."""
    return {fact.number for fact in verify(Manifest(folder / "manifest.jsonl").facts, folder).segments}


class TestLines:
    """What is written and read."""

    def test_there_and_back(self, folder: Path) -> None:
        """All facts are found again, and in one file, a line each."""
        facts = Manifest(folder / "manifest.jsonl").facts

        assert facts == Facts(JOB, dict(enumerate(FACTS)), (), len(WHOLE))
        assert (folder / "manifest.jsonl").read_bytes() == WHOLE
        lines = [msgspec.json.decode(line) for line in WHOLE.splitlines()]
        assert [line["fact"]["kind"] for line in lines] == ["job", *["segment"] * COUNT]

    def test_no_manifest(self, tmp_path: Path) -> None:
        """None is an empty one."""
        assert Manifest(tmp_path / "manifest.jsonl").facts == Facts()

    def test_a_segment_done_again(self, folder: Path) -> None:
        """The last word counts."""
        again = msgspec.structs.replace(FACTS[1], bytes=7)
        Manifest(folder / "manifest.jsonl").add(again)
        assert Manifest(folder / "manifest.jsonl").facts.segments[1] == again

    def test_begin_forgets(self, folder: Path) -> None:
        """A new job has no facts of an old one, and nothing else is left in the folder."""
        before = sorted(folder.iterdir())
        other = msgspec.structs.replace(JOB, plan="other")
        Manifest(folder / "manifest.jsonl").begin(other)
        assert Manifest(folder / "manifest.jsonl").facts == Facts(other, size=len(encode_fact(other)))
        assert sorted(folder.iterdir()) == before

    def test_what_joining_needs(self, folder: Path) -> None:
        """A fact gives back the report that it was made of."""
        report = FACTS[2].report(folder)
        assert report.path == folder / "00002.packets"
        assert SegmentFact.of(2, "00002.packets", report, FACTS[2].losses) == FACTS[2]


class TestDamage:
    """Torn, altered, repeated lines."""

    def test_torn_anywhere(self, tmp_path: Path) -> None:
        """Cut at any byte: what is whole counts, the rest is cut away and written again."""
        path = tmp_path / "manifest.jsonl"
        ends = [len(b"".join(LINES[:count])) for count in range(len(LINES) + 1)]
        for length in range(len(WHOLE) + 1):
            facts = decode_facts(WHOLE[:length])
            whole = max(n for n, end in enumerate(ends) if end <= length)

            assert facts.segments == dict(enumerate(FACTS[: max(0, whole - 1)]))
            assert facts.job == (JOB if whole else None)
            assert bool(facts.notes) == (length not in ends)
            near = any(abs(length - end) <= 1 for end in ends) or length % 101 == 0  # the disk is slow
            if near and 1 <= whole <= COUNT:
                path.write_bytes(WHOLE[:length])
                manifest = Manifest(path)
                assert manifest.facts == facts
                manifest.add(FACTS[whole - 1])
                assert path.read_bytes() == WHOLE[: ends[whole + 1]]

    @pytest.mark.parametrize("change", [1, 4, 0x20, 0x80, 0xFF, None])
    def test_any_byte_changed(self, change: int | None) -> None:
        """The line and all after it are left out, with a note that names it."""
        for position in range(len(WHOLE)):
            byte = WHOLE[position] ^ change if change else ord("\n")
            if byte == WHOLE[position]:
                continue
            facts = decode_facts(WHOLE[:position] + bytes([byte]) + WHOLE[position + 1 :])

            line = WHOLE.count(b"\n", 0, position) + 1
            assert_true(facts)
            assert len(facts.segments) == max(0, line - 2)
            assert len(facts.notes) == 1
            assert f"line {line} " in facts.notes[0] or "was not written to its end" in facts.notes[0]

    @given(st.lists(st.integers(0, COUNT), max_size=12))
    def test_lines_repeated_and_shuffled(self, order: list[int]) -> None:
        """Repeated facts stay true; a job stands first and only there."""
        facts = decode_facts(b"".join(LINES[index] for index in order))

        assert_true(facts)
        if order and order[0] == 0:
            rest = order[1:]
            good = rest[: rest.index(0)] if 0 in rest else rest
            assert set(facts.segments) == {index - 1 for index in good}
        else:
            assert facts.job is None

    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """No bytes are an error, and none are facts."""
        assert decode_facts(data).job is None
        facts = decode_facts(LINES[0] + data)
        assert (facts.job, facts.segments) == (JOB, {})

    def test_zeros_at_the_end(self) -> None:
        """What file systems leave after a power cut."""
        facts = decode_facts(WHOLE + bytes(4096))
        assert (len(facts.segments), facts.size) == (COUNT, len(WHOLE))

    def test_another_version(self) -> None:
        """A manifest of another format is not believed."""
        line = encode_fact(msgspec.structs.replace(JOB, format=2))
        facts = decode_facts(line + LINES[1])
        assert (facts.job, facts.segments) == (None, {})
        assert "of another version" in facts.notes[0]

    def test_unreadable(self, tmp_path: Path) -> None:
        """A folder in its place is an error of ours."""
        (tmp_path / "manifest.jsonl").mkdir()
        with pytest.raises(OutputError, match=r"cannot read .*manifest.jsonl"):
            Manifest(tmp_path / "manifest.jsonl")

    def test_full_disk(self, folder: Path) -> None:
        """A fact that does not fit is no fact, and the next one stands where it should."""
        path = folder / "manifest.jsonl"
        path.write_bytes(b"".join(LINES[:3]))
        manifest = Manifest(path)
        with limited_files(len(b"".join(LINES[:3])) + 10), pytest.raises(OutputError, match="too large"):
            manifest.add(FACTS[2])
        assert Manifest(path).facts.segments == dict(enumerate(FACTS[:2]))

        manifest.add(FACTS[2])
        assert path.read_bytes() == b"".join(LINES[:4])


class TestVerify:
    """What is really there."""

    def test_complete(self, folder: Path) -> None:
        """Everything is done."""
        found = verify(Manifest(folder / "manifest.jsonl").facts, folder)
        assert found.segments == tuple(FACTS)
        assert found.notes == ()

    @pytest.mark.parametrize(
        ("damage", "note"),
        [
            (lambda path: path.unlink(), "is missing"),
            (lambda path: path.write_bytes(b""), "has 0 bytes, not 128"),
            (lambda path: path.write_bytes(content(1)[:-1]), "has 127 bytes, not 128"),
            (lambda path: path.write_bytes(content(1) + b"x"), "has 129 bytes"),
            (lambda path: path.write_bytes(b"x" + content(1)[1:]), "was altered"),
            (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
            (lambda path: (path.unlink(), path.symlink_to(path)), "cannot be read"),
        ],
        ids=["missing", "empty", "shorter", "longer", "altered", "folder", "loop"],
    )
    def test_files(self, folder: Path, damage: object, note: str) -> None:
        """Of a segment whose file is not as it was written, the user is told; others are not touched."""
        damage(folder / FACTS[1].file)  # type: ignore[operator]
        found = verify(Manifest(folder / "manifest.jsonl").facts, folder)
        assert [fact.number for fact in found.segments] == [0, 2, 3]
        assert len(found.notes) == 1
        assert found.notes[0].startswith("segment 1 (frames 375 to 749): 00001.packets")
        assert note in found.notes[0]

    @pytest.mark.parametrize(
        "wrong",
        [{"frames": 374}, {"file": "../1"}, {"file": ""}, {"file": ".."}, {"file": "a\0b"}, {"number": 99}],
    )
    def test_facts_that_do_not_fit(self, folder: Path, wrong: dict[str, object]) -> None:
        """Fewer pictures than the cut list says, a file elsewhere, no such segment."""
        (folder.parent / "1").write_bytes(content(1))
        Manifest(folder / "manifest.jsonl").begin(JOB)
        Manifest(folder / "manifest.jsonl").add(msgspec.structs.replace(FACTS[1], **wrong))
        assert numbers(folder) == set()

    @given(data=st.data())
    def test_never_a_wrong_done(self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
        """Whatever is cut off, altered or removed: what counts as done is as it was written."""
        folder = tmp_path_factory.mktemp("job")
        fill(folder)
        paths = sorted(folder.iterdir())
        for _ in range(data.draw(st.integers(0, 3))):
            path = data.draw(st.sampled_from(paths))
            if not path.exists():
                continue
            old = path.read_bytes()
            position = data.draw(st.integers(0, max(0, len(old) - 1)))
            match data.draw(st.sampled_from(["truncate", "flip", "remove", "repeat", "swap"])):
                case "truncate":
                    path.write_bytes(old[:position])
                case "flip":
                    path.write_bytes(old[:position] + data.draw(st.binary(min_size=1)) + old[position + 1 :])
                case "remove":
                    path.unlink()
                case "repeat":
                    path.write_bytes(old + old[position:])
                case "swap":
                    path.write_bytes(data.draw(st.sampled_from(paths[:-1])).name.encode())

        found = numbers(folder)

        assert found <= {n for n in range(COUNT) if is_intact(folder / FACTS[n].file, n)}


def is_intact(path: Path, number: int) -> bool:
    """Whether a segment's file is as it was written."""
    return path.exists() and path.read_bytes() == content(number)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"input": "other"}, ["the input is another file, or was edited"]),
        ({"settings": "9a"}, ["the settings are others (9a, not 2e)"]),
        ({"weights": {"fast-weather": "3d", "router": "00"}}, ["the weights are others (router)"]),
        ({"weights": {"router": "4c"}}, ["the weights are others (fast-weather)"]),
        ({"plan": "x"}, ["the plan for the clips is another"]),
        ({"software": "av 19"}, ["the software is another (av 19, not streamrestore 0.1.0, av 18.1.0)"]),
        ({"segments": JOB.segments[:3]}, ["the segments are cut elsewhere"]),
        ({"input": "x", "plan": "x"}, ["the input is another file", "the plan for the clips"]),
    ],
)
def test_changes(change: dict[str, object], words: list[str]) -> None:
    """What is different is named, in words."""
    found = changes(JOB, msgspec.structs.replace(JOB, **change))
    assert len(found) == len(words)
    for text, start in zip(found, words, strict=True):
        assert text.startswith(start)


def test_report_of_a_sink_survives() -> None:
    """Notes and counts come back, whatever is in them."""
    report = SegmentReport(Path("x"), 3, "h264", 9, notes=("a\nb", '"'), sha256="ab", moved=2)
    fact = SegmentFact.of(0, "x", report, {"ü": 1})
    decoded = decode_facts(LINES[0] + encode_fact(fact)).segments[0]
    assert decoded == fact
    assert decoded.report(Path("y")) == replace(report, path=Path("y/x"), codec="")
