"""A disk that fills up on the way: a clear error, and after space is made the finished work is used."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.reliability.long_clip import FRAMES, LongClip, facts_in, state_of, wrong_after
from tests.reliability.result import Asked, Failure, Row
from tests.reliability.seen import frame_hashes
from tests.reliability.watched import Watched

COUNT = 20
_DISK = 96 << 20


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
                free = round(rng.uniform(0.2, 2.1) * size)
                case = f"{free / 1e6:.1f} MB free, {workers} workers, {2 * size / 1e6:.1f} MB needed"
                wrong, ending, kept = _fill(clip, disk / "out.mkv", free, workers, worker, wanted)
                failures += [Failure(number, case, what) for what in wrong]
                endings[ending] += 1
                kept_all += [kept] if ending == "filled up" else []
    figures = {ending: str(n) for ending, n in sorted(endings.items())}
    figures["segments kept"] = f"{min(kept_all, default=0)} to {max(kept_all, default=0)}"
    return [Row(promise, len(numbers), tuple(failures), figures)]


def _fill(
    clip: LongClip, target: Path, free: int, workers: int, worker: Watched, wanted: list[str]
) -> tuple[list[str], str, int]:
    """What is wrong, how the first run ended, and how many segments it left."""
    filler = target.with_name("filler")
    room = os.statvfs(target.parent)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - free))
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
        filler.unlink()
        ran, report = clip.run(worker, target, "ffv1", workers=workers)
        wrong += wrong_after(ran, report, target, wanted, len(facts.segments))
    for path in (target, filler):
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
