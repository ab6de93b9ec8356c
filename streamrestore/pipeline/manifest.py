"""What of a job is done: facts on the disk, which no crash can make wrong.

One fact per line, each with a checksum of its own, each on the disk before the next begins. The first
says what the job is, every other one that a segment is complete:

    {"check":"0f1e2d3c4b5a6978","fact":{"kind":"job",...}}
    {"check":"8796a5b4c3d2e1f0","fact":{"kind":"segment",...}}

A line that is not whole, and all after it, are as if they had never been written.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import msgspec

from streamrestore.encode.partial import sync_folder, translated
from streamrestore.encode.segment import SegmentReport
from streamrestore.pipeline.segments import Segment

FORMAT = 1
_CHECK_DIGITS = 16
_CHUNK = 1 << 20


class JobFact(msgspec.Struct, frozen=True, tag_field="kind", tag="job", forbid_unknown_fields=True):
    """What is being made, from what, and how it is cut."""

    input: str
    """Digest, as of `fingerprint.hash_input`."""
    settings: str
    """Digest."""
    weights: dict[str, str]
    """Digests, by name of the file."""
    plan: str
    """Digest, as of `fingerprint.hash_plan`."""
    software: str
    """Versions of whatever decodes, restores and encodes."""
    segments: tuple[Segment, ...]
    format: int = FORMAT
    """Of the manifest and of the segments."""


class SegmentFact(msgspec.Struct, frozen=True, tag_field="kind", tag="segment", forbid_unknown_fields=True):
    """One segment that is complete."""

    number: int
    file: str
    """Its name in the job's folder."""
    bytes: int
    frames: int
    sha256: str
    losses: dict[str, int] = {}
    """What could not be decoded, by kind."""
    moved: int = 0
    """Pictures whose time was moved by a tick."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, number: int, file: str, report: SegmentReport, losses: dict[str, int]) -> SegmentFact:
        """The fact that a segment's sink has finished."""
        return cls(
            number, file, report.bytes, report.frames, report.sha256, losses, report.moved, report.notes
        )

    def report(self, folder: Path) -> SegmentReport:
        """What `join_segments` takes."""
        return SegmentReport(
            path=folder / self.file,
            frames=self.frames,
            codec="",
            bytes=self.bytes,
            notes=self.notes,
            sha256=self.sha256,
            moved=self.moved,
        )


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    check: str
    fact: msgspec.Raw


class Facts(msgspec.Struct, frozen=True):
    """What a manifest says."""

    job: JobFact | None = None
    """None if there is no manifest, or its first line is damaged."""
    segments: dict[int, SegmentFact] = {}
    """By number."""
    notes: tuple[str, ...] = ()
    """What is damaged, for the user."""
    size: int = 0
    """Bytes that are good."""


def encode_fact(fact: JobFact | SegmentFact) -> bytes:
    """The line of a fact."""
    encoded = msgspec.json.encode(fact)
    return msgspec.json.encode(_Line(_checksum(encoded), msgspec.Raw(encoded))) + b"\n"


def decode_facts(data: bytes) -> Facts:
    """The facts in a manifest, up to the first line that is not whole. Nothing is raised."""
    job: JobFact | None = None
    segments: dict[int, SegmentFact] = {}
    notes: tuple[str, ...] = ()
    size = 0
    lines = io.BytesIO(data).readlines()
    for number, line in enumerate(lines, 1):
        fact = _decode_line(line)
        if isinstance(fact, JobFact) and job is None and fact.format == FORMAT:
            job = fact
        elif isinstance(fact, SegmentFact) and job is not None:
            segments[fact.number] = fact
        else:
            notes = (_damage(number, len(lines), line),)
            break
        size += len(line)
    return Facts(job, segments, notes, size)


class Manifest:
    """The manifest of one job; whoever adds to it holds the job's lock.

    Attributes:
        facts: that are on the disk.

    Raises:
        OutputError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with translated(path, "read"):
            data = path.read_bytes() if path.exists() else b""
        self.facts = decode_facts(data)

    def begin(self, job: JobFact) -> None:
        """Start anew: all facts before are forgotten, at once or not at all.

        Raises:
            OutputError: the disk is full or failed.
        """
        line = encode_fact(job)
        new = self._path.with_name(f"{self._path.name}.partial")
        with translated(self._path):
            with new.open("wb") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            sync_folder(self._path.parent)
        self.facts = Facts(job, size=len(line))

    def add(self, fact: SegmentFact) -> None:
        """Append a fact, and have it on the disk; a job has begun.

        Raises:
            OutputError: the disk is full or failed.
        """
        facts, line = self.facts, encode_fact(fact)
        with translated(self._path), self._path.open("r+b") as file:
            file.truncate(facts.size)  # what is not whole
            file.seek(facts.size)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        segments = facts.segments | {fact.number: fact}
        self.facts = Facts(facts.job, segments, facts.notes, facts.size + len(line))


class Verified(msgspec.Struct, frozen=True):
    """What is left of the work of earlier runs."""

    segments: tuple[SegmentFact, ...] = ()
    """Those whose files are as they were written, by number."""
    notes: tuple[str, ...] = ()
    """Why others have to be done again, for the user."""


def verify(facts: Facts, folder: Path) -> Verified:
    """Read every segment's file, and compare it with what the manifest says. Nothing is raised."""
    good: list[SegmentFact] = []
    notes: list[str] = []
    cuts = facts.job.segments if facts.job is not None else ()
    for segment in cuts:
        fact = facts.segments.get(segment.number)
        if fact is None:
            continue
        fault = _fault(fact, segment, folder)
        if fault is None:
            good.append(fact)
        else:
            notes.append(f"{segment}: {fault}; it is made anew")
    return Verified(tuple(good), tuple(notes))


def changes(before: JobFact, now: JobFact) -> tuple[str, ...]:
    """What differs between two jobs, in words; work of the one is of use to the other only if nothing."""
    found = []
    if before.input != now.input:
        found.append("the input is another file, or was edited")
    if before.settings != now.settings:
        found.append(f"the settings are others ({now.settings}, not {before.settings})")
    if before.weights != now.weights:
        names = {name for name, _ in before.weights.items() ^ now.weights.items()}
        found.append(f"the weights are others ({', '.join(sorted(names))})")
    if before.software != now.software:
        found.append(f"the software is another ({now.software}, not {before.software})")
    if before.plan != now.plan:
        found.append("the plan for the clips is another")
    if not found and before != now:
        found.append("the segments are cut elsewhere")
    return tuple(found)


def _checksum(encoded: bytes) -> str:
    return hashlib.sha256(encoded).hexdigest()[:_CHECK_DIGITS]


def _decode_line(line: bytes) -> JobFact | SegmentFact | None:
    """The fact in a line; None if it is not whole."""
    if not line.endswith(b"\n"):
        return None
    try:
        envelope = msgspec.json.decode(line, type=_Line)
        if envelope.check != _checksum(bytes(envelope.fact)):
            return None
        return msgspec.json.decode(envelope.fact, type=JobFact | SegmentFact)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _damage(number: int, count: int, line: bytes) -> str:
    if number == count and not line.endswith(b"\n"):
        return "the last line of the manifest was not written to its end; what it says is done again"
    return f"line {number} of the manifest is damaged, or of another version; it and the rest are done again"


def _fault(fact: SegmentFact, segment: Segment, folder: Path) -> str | None:
    """Why a segment does not count as done."""
    path = folder / fact.file
    if path.parent != folder:
        return f"{fact.file} is no name of a segment"
    if fact.frames != len(segment):
        return f"{fact.file} holds {fact.frames} pictures, not {len(segment)}"
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != fact.bytes:
                return f"{fact.file} has {size} bytes, not {fact.bytes}"
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return f"{fact.file} is missing"
    except (OSError, ValueError) as error:
        return f"{fact.file} cannot be read ({error})"
    return None if digest.hexdigest() == fact.sha256 else f"{fact.file} was altered"
