"""A disk that fills up on the way: a clear error, and after space is made the finished work is used."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tests.reliability.long_clip import FRAMES, SEGMENTS, LongClip, facts_in, state_of, wrong_after
from tests.reliability.result import Asked, Failure, Row
from tests.reliability.seen import frame_hashes
from tests.reliability.watched import Watched

COUNT = 20
_DISK, _SCRAP = 96 << 20, 1 << 16


def run(asked: Asked, frames: int = FRAMES) -> list[Row]:
    """Fill the disk under runs over a video of so many pictures."""
    seed, numbers = asked.seed, asked.numbers(COUNT)
    promise = "disk full at any moment: a clear error, and the finished segments used after space is made"
    failures: list[Failure] = []
    endings: Counter[str] = Counter()
    kept_all: list[int] = []
    with tempfile.TemporaryDirectory() as temporary, Watched(seconds=600, memory=4 << 30) as worker:
        folder, disk = Path(temporary), Path(temporary) / "disk"
        disk.mkdir()
        clip = LongClip(folder)
        clip.make(frames, pattern="noise")  # as large as it gets, and larger than is foreseen
        clip.run(worker, folder / "whole.mkv", "ffv1")
        wanted, size = frame_hashes(folder / "whole.mkv"), (folder / "whole.mkv").stat().st_size
        with small_disk(disk) as why:
            if why:
                return [Row(promise, 0, skipped=why)]
            for number in numbers:
                rng = random.Random(f"{seed}/{number}")
                workers = 2 if number % 4 == 3 else 1
                if number % 2:  # from the beginning there is too little
                    filler = Filler(disk / "filler", round(rng.uniform(0.2, 2.1) * size))
                else:  # others write meanwhile
                    segments = rng.randrange(SEGMENTS * frames // FRAMES)
                    filler = Filler(disk / "filler", 3 * size, state_of(disk / "out.mkv"), segments)
                case = f"{filler}, {workers} workers, {2 * size / 1e6:.1f} MB needed"
                wrong, ending, kept = _fill(clip, disk / "out.mkv", filler, workers, worker, wanted)
                failures += [Failure(number, case, what) for what in wrong]
                endings[ending] += 1
                kept_all += [kept] if ending == "filled up" else []
    figures = {ending: str(n) for ending, n in sorted(endings.items())}
    figures["segments kept"] = f"{min(kept_all, default=0)} to {max(kept_all, default=0)}"
    return [Row(promise, len(numbers), tuple(failures), figures)]


class Filler:
    """A file that leaves so much room, and after a while none.

    Args:
        state: of the run that it disturbs; None to leave it alone.
        segments: that are complete when the rest is filled.
    """

    def __init__(self, path: Path, free: int, state: Path | None = None, segments: int = 0) -> None:
        self.path, self._free, self._state, self._segments = path, free, state, segments
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __str__(self) -> str:
        later = "" if self._state is None else f", filled after {self._segments} segments"
        return f"{self._free / 1e6:.1f} MB free{later}"

    def __enter__(self) -> None:
        self._leave(self._free)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        state = self._state
        while state is not None and not self._done.wait(0.005):
            begun = list(state.glob("*.partial"))
            if begun and len(list(state.glob("*.packets"))) >= self._segments:
                while self._free_bytes() > _SCRAP:  # what is written meanwhile makes it fail
                    self._leave(0)
                return

    def _leave(self, free: int) -> None:
        with self.path.open("ab") as file, contextlib.suppress(OSError):
            there = file.tell()
            os.posix_fallocate(file.fileno(), there, max(1, self._free_bytes() - free))

    def _free_bytes(self) -> int:
        room = os.statvfs(self.path.parent)
        return room.f_bavail * room.f_frsize


def _fill(
    clip: LongClip, target: Path, filler: Filler, workers: int, worker: Watched, wanted: list[str]
) -> tuple[list[str], str, int]:
    """What is wrong, how the first run ended, and how many segments it left."""
    with filler:
        ran, report = clip.run(worker, target, "ffv1", workers=workers)
    facts, wrong, ending = facts_in(state_of(target)), [], "enough room"
    if report is None:
        refused = "are needed there" in ran.told
        ending = "refused at once" if refused else "filled up"
        if ran.status != 1 or not (refused or "the disk is full; free some space and run again" in ran.told):
            wrong.append(f"no clear error: {ran.answer}")
        if facts.segments and f"{len(facts.segments)} finished segments are kept" not in ran.told:
            wrong.append(f"nobody says that {len(facts.segments)} segments are kept: {ran.answer}")
        if target.exists():
            wrong.append("an error, and a result")
        filler.path.unlink()
        ran, report = clip.run(worker, target, "ffv1", workers=workers)
        wrong += wrong_after(ran, report, target, wanted, len(facts.segments))
    for path in (target, filler.path):
        path.unlink(missing_ok=True)
    return wrong, ending, len(facts.segments)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """Have a disk in memory at `folder`; why there is none, or nothing."""
    mount = ("mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder))
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True)
        why = mounted.stderr.strip() if mounted.returncode else ""
    except OSError as error:
        why = str(error)
    try:
        yield f"no small disk could be mounted ({why}); root can" if why else ""
    finally:
        if not why:
            subprocess.run(("umount", str(folder)), check=True)
