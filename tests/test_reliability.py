"""The script behind ``make reliability``, with a few cases of each kind: it stays alive."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.encode import SegmentReport
from streamrestore.pipeline.manifest import JobFact, Manifest, SegmentFact, verify
from streamrestore.pipeline.segments import Segment
from tests.needs import needs_ffprobe
from tests.reliability import __main__ as script
from tests.reliability import containers, damage, tampering
from tests.reliability.anatomy import FIELDS
from tests.reliability.killing import Victim, begun
from tests.reliability.long_clip import LongClip, facts_in, state_of, wrong_after
from tests.reliability.memory import Sample, level
from tests.reliability.result import Asked, Failure, Row, table
from tests.reliability.seen import frame_hashes
from tests.reliability.watched import Watched


@pytest.fixture(scope="module")
def worker() -> Iterator[Watched]:
    """One for all."""
    with Watched(seconds=120) as worker:
        yield worker


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, damage.Spans]]:
    """What is damaged."""
    return damage.make_bases(tmp_path_factory.mktemp("bases"))


class TestContainers:
    """Combinations of what a file may hold."""

    def test_cases_cover_everything(self) -> None:
        """Every pair of container and codec, every rate, start, rotation, colour, mode and target."""
        cases = [containers.draw(number, 0) for number in range(containers.COUNT)]
        assert containers.COUNT >= 200
        assert {(case.container, case.codec) for case in cases} == set(containers.pairs())
        assert {case.rate for case in cases} == set(containers.RATES)
        assert {case.start for case in cases} == set(containers.STARTS)
        assert {case.rotation for case in cases} == {0, 90, 180, 270}
        assert {case.color for case in cases} == set(containers.COLORS)
        assert {len(case.sound) for case in cases} == {0, 1, 2, 3}
        assert {case.mode for case in cases} == set(containers.MODES)
        assert {case.target for case in cases} == set(containers.CONTAINERS)
        assert {(bool(c.text), c.chapters, c.attachment) for c in cases if c.container == "mkv"} == {
            (text, chapters, attachment)
            for text in (False, True) for chapters in (False, True) for attachment in (False, True)
        }  # fmt: skip

    @needs_ffprobe
    def test_a_case(self, tmp_path: Path, worker: Watched) -> None:
        """It holds."""
        wrong, _ = containers.try_case(containers.draw(60, 0), tmp_path, worker, 0)
        assert wrong == []


class TestDamage:
    """Damaged inputs."""

    @pytest.mark.parametrize("box", FIELDS)
    @given(data=st.binary(max_size=400))
    def test_anatomy_takes_any_bytes(self, box: str, data: bytes) -> None:
        """And every place lies in the file, or before its end."""
        for field in FIELDS[box](data):
            assert 0 <= field.offset < len(data)

    def test_every_kind(self, bases: dict[str, tuple[bytes, damage.Spans]]) -> None:
        """All damages are drawn, change something, and are the same for the same seed."""
        cases = [damage.draw(number, 0) for number in range(len(damage.BASES) * len(damage.KINDS))]
        assert {(case.base, case.kind) for case in cases} == {
            (b, k) for b in damage.BASES for k in damage.KINDS
        }
        for case in cases[::6]:
            data = damage.damaged(*bases[case.base], case, 0)
            assert data == damage.damaged(*bases[case.base], case, 0)
            assert data != bases[case.base][0] or case.kind in ("renamed", "shuffled")

    @needs_ffprobe
    def test_cases(
        self, tmp_path: Path, worker: Watched, bases: dict[str, tuple[bytes, damage.Spans]]
    ) -> None:
        """They hold, in a process that is used again."""
        endings = set()
        for number in (3, 40, 66):
            case = damage.draw(number, 0)
            folder = tmp_path / str(number)
            folder.mkdir()
            given = folder / f"in.{case.ending}"
            given.write_bytes(damage.damaged(*bases[case.base], case, 0))
            wrong, ending, _ = damage.try_case(case, given, folder, worker)
            assert wrong == []
            endings.add(ending)
        assert len(endings) > 1
        assert worker.starts == 1


class TestState:
    """Runs that are killed, and state that is altered."""

    @needs_ffprobe
    def test_a_kill(self, tmp_path: Path, worker: Watched) -> None:
        """The next run goes on to the same pictures."""
        clip = LongClip(tmp_path)
        clip.make(frames=200)
        whole, target = tmp_path / "whole.mkv", tmp_path / "out.mkv"
        clip.run(worker, whole, "ffv1")
        victim = Victim(clip.arguments(target, "ffv1"))
        victim.wait_for(lambda: len(facts_in(state_of(target)).segments) >= 1)
        victim.kill()
        kept = set(facts_in(state_of(target)).segments)
        assert len(begun(state_of(target)) - kept) <= 1

        ran, report = clip.run(worker, target, "ffv1")

        assert wrong_after(ran, report, target, frame_hashes(whole), len(kept)) == []
        assert wrong_after(ran, report, target, [], len(kept)) != []

    @pytest.mark.parametrize("kind", tampering.KINDS)
    @given(seed=st.integers(0, 1 << 32))
    def test_tampering(self, tmp_path_factory: pytest.TempPathFactory, kind: str, seed: int) -> None:
        """As many segments are good as it says."""
        state = tmp_path_factory.mktemp("state")
        cuts = tuple(Segment(n, 10 * n, 10 * n + 10, n, n + 1, float(n)) for n in range(6))
        manifest = Manifest(state / "manifest.jsonl")
        manifest.begin(JobFact("input", "settings", {}, "plan", "software", cuts))
        for number in range(4):
            data = random.Random(number).randbytes(2000)
            path = state / f"{number:05d}.packets"
            path.write_bytes(data)
            report = SegmentReport(path, 10, "ffv1", bytes=len(data), sha256=tampering.sha256(data))
            manifest.add(SegmentFact.of(number, path.name, report, {}))

        good = tampering.KINDS[kind](state, random.Random(seed))

        assert good < 4 or kind == "with an altered manifest"
        assert len(verify(Manifest(state / "manifest.jsonl").facts, state).segments) == good


def test_memory_is_read_off_by_phase() -> None:
    """After so many frames of a phase, and at its end."""
    samples = [Sample("plan", n, 100 + n) for n in range(50)] + [Sample("restore", n, n) for n in range(100)]
    assert level(samples, "restore", 40) == 49.5
    assert level(samples, "restore") == 89.5
    assert level(samples, "finish") == 0


class TestScript:
    """The command line."""

    def test_nothing_broken(self, tmp_path: Path) -> None:
        """A table, a file, and status 0."""
        out = tmp_path / "out.json"
        result = CliRunner().invoke(script.main, ["containers", "--count", "0", "--out", str(out)])
        assert result.exit_code == 0
        assert result.stdout.startswith("| promise | tried |")
        assert "vp9 video in mov" in json.loads(out.read_text())["experiments"]["containers"][0]["listed"]

    def test_something_broken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Which case, and status 1."""
        failures = (Failure(7, "a case", "one thing"), Failure(7, "a case", "another"))

        def fails(asked: Asked) -> list[Row]:
            return [Row("a promise", len(asked.numbers(10)), failures, {"figure": "3"})]

        monkeypatch.setitem(script.EXPERIMENTS, "damage", fails)
        result = CliRunner().invoke(script.main, ["damage", "--out", str(tmp_path / "out.json")])
        assert result.exit_code == 1
        assert "| a promise | 10 | 1 | figure 3 |" in result.stdout
        assert "7: a case: another" in result.stderr

    def test_what_was_not_tried(self) -> None:
        """The table says why."""
        assert "not tried: no root" in table([Row("a promise", 0, skipped="no root")])
