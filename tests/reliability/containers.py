"""Containers, codecs, rates, starts, tags and passengers in many combinations: what goes in comes out."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np

from streamrestore.decode import open_source
from streamrestore.pipeline.report import JobReport
from tests.reliability.clips import COLORS, ENCODERS, Recipe, make_clip
from tests.reliability.judge import Job, faults
from tests.reliability.result import Asked, Failure, Row
from tests.reliability.seen import Unreadable, see
from tests.reliability.watched import Watched

COUNT = 204
CONTAINERS = ("mp4", "mkv", "mov", "avi", "ts", "webm")
CODECS = tuple(ENCODERS)
RATES = {
    "23.976": Fraction(24000, 1001), "29.97": Fraction(30000, 1001), "25": Fraction(25),
    "59.94": Fraction(60000, 1001), "variable": Fraction(25),
}  # fmt: skip
STARTS = ("zero", "late", "late video", "late sound", "hidden")
MODES = ("copied", "encoded", "restored", "routed")

NOT_HELD = {
    "mp4": (), "mkv": (), "mov": ("vp9", "av1", "ffv1"), "avi": ("hevc",),
    "ts": ("vp9", "av1", "mjpeg", "ffv1"), "webm": ("h264", "hevc", "mpeg4", "mpeg2", "mjpeg", "ffv1"),
}  # fmt: skip
"""Codecs that FFmpeg does not write into a container, or does not read back."""
SOUND = {
    "mp4": ("aac", "libopus", "libmp3lame", "ac3", "alac"),
    "mkv": ("aac", "libopus", "flac", "pcm_s16le", "ac3", "libmp3lame"),
    "mov": ("aac", "pcm_s16le", "alac"),
    "avi": ("libmp3lame", "pcm_s16le", "ac3"),
    "ts": ("aac", "mp2", "ac3"),
    "webm": ("libopus",),
}  # fmt: skip
TEXTS = {
    "mp4": ("mov_text",), "mov": ("mov_text",), "mkv": ("subrip", "ass"), "webm": ("webvtt",), "avi": (),
    "ts": (),
}  # fmt: skip
WITH_CHAPTERS = ("mp4", "mkv", "mov", "webm")
WITH_ROTATION = ("mp4", "mkv", "mov")
WITH_HIDDEN = ("mp4", "mov")

SETTINGS = "windows: {clip_seconds: 0.5, segment_seconds: 0.5}\nencode: {threads: 1}\n"
"""Short clips have several segments."""


class Case(msgspec.Struct, frozen=True):
    """An input, and what is done with it."""

    number: int
    container: str
    codec: str
    rate: str
    start: str
    rotation: int
    color: str
    sound: tuple[str, ...]
    text: str
    chapters: bool
    attachment: bool
    target: str
    mode: str

    def __str__(self) -> str:
        extra = [*self.sound, self.text, "chapters" * self.chapters, "attachment" * self.attachment]
        beside = "+".join(filter(None, extra)) or "nothing"
        look = f"{self.rate} fps, start {self.start}, turned {self.rotation}, {self.color}"
        return f"{self.container}/{self.codec}, {look}, beside {beside} -> {self.target}, {self.mode}"


def pairs() -> list[tuple[str, str]]:
    """Every container with every codec that it holds."""
    return [(box, codec) for codec in CODECS for box in CONTAINERS if codec not in NOT_HELD[box]]


def impossible() -> list[str]:
    """Inputs that no container holds, in words."""
    pairs = [f"{codec} video in {box}" for box in CONTAINERS for codec in NOT_HELD[box]]
    others = {
        "chapters": [box for box in CONTAINERS if box not in WITH_CHAPTERS],
        "a rotation": [box for box in CONTAINERS if box not in WITH_ROTATION],
        "hidden pictures": [box for box in CONTAINERS if box not in WITH_HIDDEN],
        "subtitles": [box for box in CONTAINERS if not TEXTS[box]],
        "attachments": [box for box in CONTAINERS if box != "mkv"],
        "a variable rate": ["avi"],
        "a start other than 0": ["avi"],
    }
    return [*pairs, *(f"{what} in {box}" for what, boxes in others.items() for box in boxes)]


def draw(number: int, seed: int) -> Case:
    """One case; all pairs of container and codec come in turn."""
    rng = random.Random(f"{seed}/{number}")
    every = pairs()
    lap, place = divmod(number, len(every))
    box, codec = every[place]
    rates = [rate for rate in RATES if rate != "variable" or box != "avi"]
    starts = [
        start
        for start in STARTS
        if start == "zero"
        or (box != "avi" and (start != "hidden" or (box in WITH_HIDDEN and codec != "av1")))
    ]
    tagged = ["untagged"] if codec == "mjpeg" else list(COLORS)
    return Case(
        number,
        box,
        codec,
        rate=rates[(lap + place) % len(rates)],
        start=rng.choice(starts),
        rotation=rng.choice((0, 90, 180, 270)) if box in WITH_ROTATION else 0,
        color=rng.choice(tagged),
        sound=tuple(rng.choice(SOUND[box]) for _ in range(rng.randrange(4))),
        text=rng.choice((*TEXTS[box], "")),
        chapters=box in WITH_CHAPTERS and rng.random() < 0.5,
        attachment=box == "mkv" and rng.random() < 0.5,
        target=box if rng.random() < 0.5 else rng.choice(CONTAINERS),
        mode=MODES[(lap + place) % len(MODES)],
    )


def recipe(case: Case, seed: int) -> Recipe:
    """How the input of a case is made."""
    rng = random.Random(f"{seed}/{case.number}/times")
    rate = RATES[case.rate]
    base = 1 / rate
    times = list(range(rng.randrange(36, 56)))
    if case.rate == "variable":
        # MPEG-2 knows a few rates only: there, pictures are left out.
        base = base if case.codec == "mpeg2" else Fraction(1, 1000)
        steps = [rng.randint(1, 3) if case.codec == "mpeg2" else rng.randint(15, 90) for _ in times]
        times = [sum(steps[:index]) for index in times]
    begin = {"late": Fraction(22, 3), "late video": Fraction(2, 5)}.get(case.start, Fraction(0))
    first = round(begin / base) if case.start != "hidden" else -times[6]
    late = {"late": Fraction(22, 3), "late sound": Fraction(2, 5)}.get(case.start, Fraction(0))
    options = {"movie_timescale": "90000"} if case.container in ("mp4", "mov") else {}
    return Recipe(
        case.codec, tuple(first + time for time in times), base, rate, late, case.rotation, case.color,
        case.sound, case.text, case.chapters, case.attachment, seed=case.number, options=options,
    )  # fmt: skip


def arguments(case: Case, folder: Path) -> list[str]:
    """The command line of a case."""
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS)
    how = {
        "copied": ("--branch", "none"),
        "encoded": ("--branch", "none", "--force-encode"),
        "restored": ("--branch", "rain"),
        "routed": (),
    }[case.mode]
    preset = ("--preset", "veryfast") if case.target != "webm" else ()
    source, target = folder / f"in.{case.container}", folder / f"out.{case.target}"
    more = ("--report", str(folder / "report.json"), "--settings", str(settings), "--progress", "none")
    return ["restore", str(source), "-o", str(target), "--drop-unsupported", *how, *preset, *more]


def try_case(case: Case, folder: Path, worker: Watched, seed: int) -> tuple[list[str], Counter[str]]:
    """What is wrong with what came out; and what was refused or left out rightly."""
    source, target = folder / f"in.{case.container}", folder / f"out.{case.target}"
    given = recipe(case, seed)
    make_clip(source, given)
    ran = worker.run(*arguments(case, folder))
    uneven = case.target == "avi" and case.rate == "variable"
    if ran.status == 1 and uneven and "constant frame rate" in ran.told:
        return [], Counter({"a variable rate in avi: refused": 1})
    if ran.status != 0:
        return [ran.answer], Counter()
    report = msgspec.json.decode((folder / "report.json").read_bytes(), type=JobReport)
    job = Job(case.container, case.target, given, report, exact=report.copied)
    try:
        found, listed = faults(job, see(source), see(target), folder / f"scratch.{case.target}")
    except Unreadable as error:
        return [f"another reader: {error}"], Counter()
    if report.frames_restored == 0:
        found += pictures_differ(source, target, exact=report.copied)
    return found, listed


def pictures_differ(source: Path, target: Path, *, exact: bool) -> list[str]:
    """Whether our own reader finds other pictures in the result; nothing was restored."""
    with open_source(source, batch_size=1) as before, open_source(target, batch_size=1) as after:
        for number, (old, new) in enumerate(zip(before, after, strict=False)):
            a, b = (batch.frames[0].planes[0].astype(np.int16) for batch in (old, new))
            if a.shape != b.shape:
                return [f"picture {number} is {b.shape}, not {a.shape}"]
            off = float(np.abs(a - b).mean())
            if off > (0 if exact else 8):
                return [f"picture {number} is another: luma is off by {off:.1f}"]
    return []


def run(asked: Asked) -> list[Row]:
    """Try the cases."""
    seed, numbers = asked.seed, asked.numbers(COUNT)
    failures: list[Failure] = []
    listed = Counter(impossible())
    modes: Counter[str] = Counter()
    met = set()
    with Watched(seconds=120) as worker:
        for number in numbers:
            case = draw(number, seed)
            with tempfile.TemporaryDirectory() as folder:
                wrong, rightly = try_case(case, Path(folder), worker, seed)
            failures += [Failure(number, str(case), what) for what in wrong]
            listed += rightly
            modes[case.mode] += 1
            met.add((case.container, case.codec))
    refused = sum(n for what, n in listed.items() if what.endswith(": refused"))
    figures = {
        "pairs of container and codec": str(len(met)),
        "refused with a word": str(refused),
    } | {mode: str(modes[mode]) for mode in MODES}
    promise = "same pictures and times, sound and text as they were, tags kept"
    return [Row(promise, len(numbers), tuple(failures), figures, dict(sorted(listed.items())))]
