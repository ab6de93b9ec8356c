"""State that was torn, removed or altered between two runs: found every time, and made anew."""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.reliability.killing import Victim
from tests.reliability.long_clip import FRAMES, SEGMENTS, LongClip, facts_in, state_of, wrong_after
from tests.reliability.result import Asked, Failure, Row
from tests.reliability.seen import frame_hashes
from tests.reliability.watched import Watched

COUNT = 60
_QUIET = ("without its manifest", "without a line of its manifest")
"""What nothing in the state tells of; the work is done again all the same."""


def sha256(data: bytes) -> str:
    """As the manifest has it."""
    return hashlib.sha256(data).hexdigest()


def _manifest(state: Path) -> Path:
    return state / "manifest.jsonl"


def _segment(state: Path, rng: random.Random) -> Path:
    return rng.choice(sorted(state.glob("*.packets")))


def _flip(path: Path, rng: random.Random) -> int:
    """Change one bit; where."""
    data = bytearray(path.read_bytes())
    position = rng.randrange(len(data))
    data[position] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return position


def _good_lines(data: bytes, position: int) -> int:
    """Segments in the manifest's lines before the one at a position."""
    return max(0, data[:position].count(b"\n") - 1)


def torn_manifest(state: Path, rng: random.Random) -> int:
    """Its end was never written."""
    data = _manifest(state).read_bytes()
    inside = [place for place in range(1, len(data)) if data[place - 1 : place] != b"\n"]
    position = rng.choice(inside)
    _manifest(state).write_bytes(data[:position])
    return _good_lines(data, position)


def altered_manifest(state: Path, rng: random.Random) -> int:
    """One bit of it is another."""
    data = _manifest(state).read_bytes()
    return _good_lines(data, _flip(_manifest(state), rng))


def no_manifest(state: Path, rng: random.Random) -> int:
    """It has gone."""
    del rng
    _manifest(state).unlink()
    return 0


def missing_line(state: Path, rng: random.Random) -> int:
    """One of its lines, that of a segment, has gone."""
    lines = _manifest(state).read_bytes().splitlines(keepends=True)
    del lines[rng.randrange(1, len(lines))]
    _manifest(state).write_bytes(b"".join(lines))
    return len(lines) - 1


def missing_segment(state: Path, rng: random.Random) -> int:
    """The file of a segment has gone."""
    _segment(state, rng).unlink()
    return len(list(state.glob("*.packets")))


def torn_segment(state: Path, rng: random.Random) -> int:
    """The file of a segment ends early."""
    path = _segment(state, rng)
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])
    return len(list(state.glob("*.packets"))) - 1


def longer_segment(state: Path, rng: random.Random) -> int:
    """The file of a segment has more in it than was written."""
    path = _segment(state, rng)
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randint(1, 999)))
    return len(list(state.glob("*.packets"))) - 1


def altered_segment(state: Path, rng: random.Random) -> int:
    """One bit of a segment is another."""
    _flip(_segment(state, rng), rng)
    return len(list(state.glob("*.packets"))) - 1


def zeroed_segment(state: Path, rng: random.Random) -> int:
    """A block of a segment never reached the disk."""
    path = _segment(state, rng)
    data = bytearray(path.read_bytes())
    begin = rng.randrange(len(data) // 2)
    data[begin : begin + 512] = bytes(len(data[begin : begin + 512]))
    path.write_bytes(data)
    return len(list(state.glob("*.packets"))) - 1


def swapped_segments(state: Path, rng: random.Random) -> int:
    """Two segments stand in each other's places."""
    one, other = rng.sample(sorted(state.glob("*.packets")), 2)
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)
    return len(list(state.glob("*.packets"))) - 2


KINDS: Mapping[str, Callable[[Path, random.Random], int]] = {
    "with a torn manifest": torn_manifest,
    "with an altered manifest": altered_manifest,
    "without its manifest": no_manifest,
    "without a line of its manifest": missing_line,
    "without a segment": missing_segment,
    "with a torn segment": torn_segment,
    "with a longer segment": longer_segment,
    "with an altered segment": altered_segment,
    "with a zeroed block": zeroed_segment,
    "with two segments swapped": swapped_segments,
}
"""Each does it, and says how many segments are good afterwards."""


def run(asked: Asked, frames: int = FRAMES) -> list[Row]:
    """Tamper with the state of a run that was killed halfway, over a video of so many pictures."""
    seed, numbers = asked.seed, asked.numbers(COUNT)
    failures: list[Failure] = []
    tried: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary, Watched(seconds=600, memory=4 << 30) as worker:
        folder = Path(temporary)
        clip = LongClip(folder)
        clip.make(frames)
        clip.run(worker, folder / "whole.mkv", "ffv1")
        wanted = frame_hashes(folder / "whole.mkv")
        victim = Victim(clip.arguments(folder / "out.mkv", "ffv1"))
        state, half = state_of(folder / "out.mkv"), SEGMENTS * frames // FRAMES // 2
        victim.wait_for(lambda: len(facts_in(state).segments) >= half)
        victim.kill()
        there = len(facts_in(state).segments)
        for number in numbers:
            kind = list(KINDS)[number % len(KINDS)]
            target = folder / str(number) / "out.mkv"
            shutil.copytree(state, state_of(target))
            good = KINDS[kind](state_of(target), random.Random(f"{seed}/{number}"))
            ran, report = clip.run(worker, target, "ffv1")
            wrong = wrong_after(ran, report, target, wanted, good)
            if report is not None and kind not in _QUIET and not _tells(report.notes):
                wrong.append(f"nobody was told: {report.notes}")
            failures += [Failure(number, kind, what) for what in wrong]
            tried[kind] += 1
            shutil.rmtree(target.parent)
    figures = {"segments there": str(there), "ways to tamper": str(len(tried))}
    promise = "state torn, missing or altered: found, and made anew"
    return [Row(promise, len(numbers), tuple(failures), figures)]


def _tells(notes: tuple[str, ...]) -> bool:
    return any("manifest" in note or "is made anew" in note for note in notes)
