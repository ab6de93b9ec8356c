"""kill -9 at any moment, and the same command again."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cli.process import start
from tests.reliability.long_clip import (
    CODECS,
    FRAMES,
    LongClip,
    facts_in,
    largest_difference,
    state_of,
    wrong_after,
)
from tests.reliability.result import Asked, Failure, Row
from tests.reliability.seen import frame_hashes
from tests.reliability.watched import Watched

COUNT = 50
_START_SECONDS, _GONE_SECONDS = 300, 10
_ATTEMPTS = 20


class Victim:
    """The command line in a process of its own, with all that it starts."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = start(
            *arguments, "--progress", "json", start_new_session=True, stdout=subprocess.DEVNULL
        )
        self._restoring, self._line = threading.Event(), threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_restoring(self) -> None:
        """Return once the first pictures are restored."""
        if not self._restoring.wait(_START_SECONDS) or self._process.poll() is not None:
            raise RuntimeError(f"it did not begin to restore: {self._told}")

    def wait(self, seconds: float) -> bool:
        """Wait; whether it ended by itself meanwhile."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return at the first sign of progress after which the condition holds, or at the end."""
        while self._process.poll() is None and not condition():
            self._line.clear()
            self._line.wait(1)

    def kill(self, *, alone: bool = False) -> bool:
        """Kill it; whether its workers have gone, too, a little later.

        Args:
            alone: leave it to them; otherwise they are killed as well.
        """
        with contextlib.suppress(ProcessLookupError):
            (os.kill if alone else os.killpg)(self._process.pid, signal.SIGKILL)
        self._process.wait()
        gone = _is_true_soon(lambda: not _has_members(self._process.pid))
        if not gone:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        return gone

    def _read(self) -> None:
        self._told = ""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._told = line
            self._line.set()
            if '"phase":"restore"' in line:
                self._restoring.set()
        self._restoring.set()  # it ended


def _has_members(group: int) -> bool:
    """Whether a process group has any that lives."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            state, _, leader = path.read_text().rpartition(")")[2].split()[:3]
            if int(leader) == group and state != "Z":
                return True
    return False


def _is_true_soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + _GONE_SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def begun(state: Path) -> set[int]:
    """Numbers of segments that were at work or complete."""
    files = [*state.glob("*.partial"), *state.glob("*.packets")]
    return {int(path.name.split(".")[0]) for path in files if path.name[0].isdigit()}


def run(asked: Asked, frames: int = FRAMES) -> list[Row]:
    """Kill runs over a video of so many pictures."""
    seed, numbers = asked.seed, asked.numbers(COUNT)
    failures: list[Failure] = []
    kept_all: list[int] = []
    redone: list[int] = []
    complete = 0
    with tempfile.TemporaryDirectory() as temporary, Watched(seconds=600, memory=4 << 30) as worker:
        folder = Path(temporary)
        clip = LongClip(folder)
        clip.make(frames)
        wanted, seconds, differences = _references(clip, worker, folder)
        failures += [Failure(-1, "two workers, uninterrupted", what) for what in differences]
        whole = folder / "whole.mkv"
        clip.run(worker, whole, "ffv1", cut=False)
        off = largest_difference(folder / "ffv1-1.mkv", whole)
        if off > 1:
            failures.append(Failure(-1, "never cut", f"samples differ by {off} code values"))
        for number in numbers:
            rng = random.Random(f"{seed}/{number}")
            codec, workers = list(CODECS)[number % 2], 1 + number // 2 % 2
            target = folder / str(number) / f"out{CODECS[codec]}"
            target.parent.mkdir()
            moment, gone = _killed(clip, target, codec, workers, seconds[workers], rng)
            case = f"{codec}, {workers} workers, killed {moment:.2f} s after the first picture"
            state = state_of(target)
            kept = set(facts_in(state).segments)
            lost = begun(state) - kept
            if target.exists():
                complete += 1
                wrong = [] if frame_hashes(target) == wanted[codec] else ["complete, but other pictures"]
            else:
                ran, report = clip.run(worker, target, codec, workers=workers)
                wrong = wrong_after(ran, report, target, wanted[codec], len(kept))
                if len(lost) > workers:
                    wrong.append(f"{len(lost)} segments had to be made again by {workers} workers")
                kept_all.append(len(kept))
                redone.append(len(lost))
            if not gone:
                wrong.append("a worker outlived its parent")
            failures += [Failure(number, case, what) for what in wrong]
            shutil.rmtree(target.parent)
    figures = {
        "segments kept": f"{min(kept_all, default=0)} to {max(kept_all, default=0)}",
        "most segments made again": str(max(redone, default=0)),
        "complete when killed": str(complete),
        "from a run that was never cut": f"{off} code values at most",
    }
    promise = "kill -9, then the same command: an uninterrupted run's pictures, one segment redone per worker"
    return [Row(promise, len(numbers), tuple(failures), figures)]


def _references(
    clip: LongClip, worker: Watched, folder: Path
) -> tuple[dict[str, list[str]], dict[int, float], list[str]]:
    """Pictures of uninterrupted runs by codec; how long they restore by workers; what differs among them."""
    hashes: dict[str, list[str]] = {}
    seconds: dict[int, float] = {}
    wrong = []
    for codec, ending in CODECS.items():
        for workers in (1, 2):
            target = folder / f"{codec}-{workers}{ending}"
            if codec == "ffv1":
                victim = Victim(clip.arguments(target, codec, workers=workers))
                victim.wait_until_restoring()
                began = time.monotonic()
                victim.wait(3600)
                seconds[workers] = time.monotonic() - began
            else:
                clip.run(worker, target, codec, workers=workers)
            found = frame_hashes(target)
            if found != hashes.setdefault(codec, found):
                wrong.append(f"{codec}: other pictures than with one worker")
    return hashes, seconds, wrong


def _killed(
    clip: LongClip, target: Path, codec: str, workers: int, seconds: float, rng: random.Random
) -> tuple[float, bool]:
    """Run until a random moment: seconds after the first picture, and whether nothing lived on."""
    for _ in range(_ATTEMPTS):
        victim = Victim(clip.arguments(target, codec, workers=workers))
        victim.wait_until_restoring()
        moment = rng.uniform(0, seconds)
        early = victim.wait(moment)
        gone = victim.kill(alone=rng.random() < 0.5)
        if not early:
            return moment, gone
        target.unlink()  # it was quicker than the one before
    raise RuntimeError("every run ended before it could be killed")
