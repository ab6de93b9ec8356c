"""Damaged inputs: nothing crashes or hangs, and whatever decodes comes out."""

from __future__ import annotations

import math
import random
import shutil
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np

from streamrestore.errors import DONE_WITH_LOSSES, Interrupted
from streamrestore.pipeline.report import JobReport
from tests.reliability.anatomy import FIELDS
from tests.reliability.clips import Recipe, make_clip
from tests.reliability.containers import SETTINGS
from tests.reliability.result import Asked, Failure, Row, megabytes
from tests.reliability.seen import Unreadable, decodes, plays, reads_well
from tests.reliability.watched import Ran, Watched

COUNT = 1000
SECONDS, MEMORY = 30.0, 1 << 30
FRAMES = 48
SHORTER = "done, shorter, and no reader can tell"
MODES = {"restored": ("--branch", "rain"), "encoded": ("--branch", "none", "--force-encode"), "routed": ()}
_ENDINGS = ("mp4", "mkv", "avi", "ts", "webm", "jpg", "wav", "txt", "")
_RARE, _OFTEN = 1e-6, 1e-2
"""Shares of bits that are flipped."""
_ABSURD = (0, 1, 2, 7, 8, 9, 255, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF, 1 << 62)

Spans = Sequence[tuple[int, int]]
"""Where packets stand: offset and size."""


def _recipe(codec: str, sound: str = "", text: str = "", **more: object) -> Recipe:
    values = {"codec": codec, "times": tuple(range(FRAMES)), "time_base": Fraction(1, 25)}
    return Recipe(**values, rate=Fraction(25), audio=(sound,) * bool(sound), subtitles=text, **more)  # type: ignore[arg-type]


BASES: Mapping[str, Recipe] = {
    "faststart.mp4": _recipe("h264", "aac", "mov_text", options={"movflags": "+faststart"}),
    "last.mp4": _recipe("h264", "aac"),
    "fragments.mp4": _recipe("hevc", "aac", options={"movflags": "frag_keyframe+empty_moov"}),
    "av1.mp4": _recipe("av1", "libopus"),
    "mjpeg.mov": _recipe("mjpeg", "pcm_s16le", rotation=90),
    "mpeg4.mov": _recipe("mpeg4", "alac", "mov_text", chapters=True),
    "full.mkv": _recipe("h264", "libopus", "subrip", chapters=True, attachment=True),
    "lossless.mkv": _recipe("ffv1", "flac"),
    "hevc.mkv": _recipe("hevc", "aac", "ass"),
    "mpeg4.avi": _recipe("mpeg4", "libmp3lame"),
    "h264.avi": _recipe("h264", "pcm_s16le"),
    "h264.ts": _recipe("h264", "aac"),
    "mpeg2.ts": _recipe("mpeg2", "mp2"),
    "vp9.webm": _recipe("vp9", "libopus", "webvtt"),
    "av1.webm": _recipe("av1", "libopus"),
}
"""What is damaged, by name."""


class Case(msgspec.Struct, frozen=True):
    """One damaged input, and what is done with it.

    Attributes:
        kind: of damage.
        ending: of the input's name.
    """

    number: int
    base: str
    kind: str
    ending: str
    target: str
    mode: str

    def __str__(self) -> str:
        return f"{self.base} {self.kind}, as .{self.ending} -> {self.target}, {self.mode}"


def draw(number: int, seed: int) -> Case:
    """One case; bases, kinds and modes come in turn."""
    rng = random.Random(f"{seed}/{number}")
    base = list(BASES)[number % len(BASES)]
    kind = list(KINDS)[(number // len(BASES) + number) % len(KINDS)]
    own = base.rpartition(".")[2]
    return Case(
        number,
        base,
        kind,
        ending=rng.choice(_ENDINGS) if kind == "renamed" else own,
        target=own if rng.random() < 0.5 else rng.choice(("mp4", "mkv")),
        mode=list(MODES)[(number // len(BASES)) % len(MODES)],
    )


def damaged(data: bytes, spans: Spans, case: Case, seed: int) -> bytes:
    """The bytes of a case's input.

    Args:
        data: of the whole one.
        spans: of its packets.
    """
    return KINDS[case.kind](
        data, spans, case.base.rpartition(".")[2], random.Random(f"{seed}/{case.number}/d")
    )


def _cut(data: bytes, _spans: Spans, _box: str, rng: random.Random) -> bytes:
    return data[: rng.choice((rng.randrange(len(data)), rng.randrange(len(data) // 8), 0))]


def _flipped(data: bytes, _spans: Spans, _box: str, rng: random.Random) -> bytes:
    rate = math.exp(rng.uniform(math.log(_RARE), math.log(_OFTEN)))
    bits = np.random.default_rng(rng.getrandbits(64)).random(len(data) * 8) < rate
    bits[rng.randrange(len(bits))] = True
    return (np.frombuffer(data, np.uint8) ^ np.packbits(bits)).tobytes()


def _zeroed(data: bytes, _spans: Spans, _box: str, rng: random.Random) -> bytes:
    result = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        begin, length = rng.randrange(len(data)), rng.choice((64, 512, 4096, 32768))
        end = min(begin + length, len(data))
        result[begin:end] = bytes(end - begin)
    return bytes(result)


def _shuffled(data: bytes, spans: Spans, box: str, rng: random.Random) -> bytes:
    """Packets stand in each other's places; in a transport stream its own ones do."""
    result = bytearray(data)
    if box == "ts":
        spans = [(begin, 188) for begin in range(0, len(data) - 187, 188)]
    for _ in range(rng.choice((1, 4, len(spans) // 2))):
        (a, one), (b, two) = rng.choice(spans), rng.choice(spans)
        size = min(one, two)
        if abs(a - b) >= size:
            result[a : a + size], result[b : b + size] = result[b : b + size], result[a : a + size]
    return bytes(result)


def _renamed(data: bytes, spans: Spans, box: str, rng: random.Random) -> bytes:
    """Half of those whose name lies are whole otherwise."""
    return data if rng.random() < 0.5 else _flipped(data, spans, box, rng)


def _absurd(data: bytes, _spans: Spans, box: str, rng: random.Random) -> bytes:
    result = bytearray(data)
    fields = list(FIELDS[box](data))
    names = sorted({field.what for field in fields})
    for _ in range(rng.choice((1, 1, 3))):
        name = rng.choice(names)  # else most would be sizes of packets
        field = rng.choice([field for field in fields if field.what == name])
        most = (1 << 8 * field.width) - 1
        value = rng.choice((*_ABSURD, rng.getrandbits(32))) & most
        if box in ("mkv", "webm"):  # the marker bit tells how wide the number is
            value = value & ((1 << 7 * field.width) - 1) | 1 << 7 * field.width
        result[field.offset : field.offset + field.width] = value.to_bytes(field.width, field.order)
    return bytes(result[: len(data)])


def _mixed(data: bytes, spans: Spans, box: str, rng: random.Random) -> bytes:
    for change in rng.sample((_zeroed, _flipped, _shuffled, _cut, _absurd), 2):
        data = change(data, spans, box, rng) or data
    return data


KINDS: Mapping[str, Callable[[bytes, Spans, str, random.Random], bytes]] = {
    "cut": _cut, "with flipped bits": _flipped, "with zeroed blocks": _zeroed, "shuffled": _shuffled,
    "renamed": _renamed, "with absurd sizes": _absurd, "damaged twice": _mixed,
}  # fmt: skip


def try_case(case: Case, given: Path, folder: Path, worker: Watched) -> tuple[list[str], str, Ran]:
    """What is wrong, how it ended in a word, and the run itself.

    Args:
        given: the input.
        folder: for the result.
    """
    target, told = folder / f"out.{case.target}", folder / "report.json"
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS)
    preset = ("--preset", "veryfast") if case.target != "webm" else ()
    more = ("--report", told, "--settings", settings, "--progress", "none", "--drop-unsupported")
    ran = worker.run("restore", given, "-o", target, *MODES[case.mode], *preset, *more)
    if ran.killed:
        return [ran.killed], "killed", ran
    if ran.status in (0, DONE_WITH_LOSSES):
        report = msgspec.json.decode(told.read_bytes(), type=JobReport)
        wrong = _unplayable(target, report)
        if (ran.status == DONE_WITH_LOSSES) != bool(report.losses):
            wrong.append(f"status {ran.status}, and the report says {report.losses}")
        if report.losses:
            return wrong, "done with losses", ran
        if report.frames >= FRAMES:
            return wrong, "done, all pictures there", ran
        if reads_well(given, report.frames):
            return wrong, SHORTER, ran
        wrong.append(f"{FRAMES - report.frames} pictures are gone, and the report does not say so")
        return wrong, "done, shorter", ran
    wrong = (
        []
        if ran.status in (1, Interrupted.exit_code) and _is_ours(ran.told)
        else [f"no typed error: {ran.answer}"]
    )
    if target.exists():
        wrong.append("an error, and a result")
    if not decodes(given):
        return wrong, "nothing decodes", ran
    wrong.append(f"something decodes, and nothing came out: {ran.answer}")
    return wrong, "refused", ran


def _unplayable(target: Path, report: JobReport) -> list[str]:
    try:
        pictures = plays(target, forgiving=report.copied)
    except Unreadable as error:
        return [f"the result does not play: {error}"]
    if pictures != report.frames and not report.copied:
        return [f"{pictures} pictures play, and the report says {report.frames}"]
    return []


def _is_ours(told: str) -> bool:
    lines = told.strip().splitlines()
    return bool(lines) and all(line.startswith("streamrestore: ") for line in lines)


def make_bases(folder: Path) -> dict[str, tuple[bytes, Spans]]:
    """The whole inputs, and where their packets stand."""
    made = {}
    for name, recipe in BASES.items():
        path = folder / name
        make_clip(path, recipe)
        with av.open(str(path)) as container:
            spans = [(p.pos, p.size) for p in container.demux() if p.size and p.pos is not None]
        made[name] = (path.read_bytes(), spans)
        path.unlink()
    return made


def run(asked: Asked) -> list[Row]:
    """Try the cases."""
    seed, numbers = asked.seed, asked.numbers(COUNT)
    failures: list[Failure] = []
    endings: Counter[str] = Counter()
    peaks: list[int] = []
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as temporary, Watched(SECONDS, MEMORY) as worker:
        bases = make_bases(Path(temporary))
        for number in numbers:
            case = draw(number, seed)
            folder = Path(temporary) / str(number)
            folder.mkdir()
            given = folder / f"in.{case.ending}".rstrip(".")
            given.write_bytes(damaged(*bases[case.base], case, seed))
            wrong, ending, ran = try_case(case, given, folder, worker)
            failures += [Failure(number, str(case), what) for what in wrong]
            endings[ending] += 1
            peaks.append(ran.peak)
            seconds.append(ran.seconds)
            if wrong and asked.keep is not None:
                shutil.copytree(folder, asked.keep / f"damage-{seed}-{number}", dirs_exist_ok=True)
            shutil.rmtree(folder)
        starts = worker.starts
    tenth = max(1, len(numbers) // 10)
    figures = {
        "died or hung": str(endings["killed"]),
        "longest": f"{max(seconds):.1f} s",
        "most memory": megabytes(max(peaks)),
        "memory of the first and last tenth": " and ".join(
            megabytes(statistics.median(part)) for part in (peaks[:tenth], peaks[-tenth:])
        ),
        "processes used": str(starts),
    }
    figures |= {ending: str(times) for ending, times in sorted(endings.items())}
    promise = "damaged inputs: no crash, no hang, bounded memory, typed errors, and what decodes comes out"
    return [Row(promise, len(numbers), tuple(failures), figures)]
