"""Whether a result is what its input was, by another reader's word. Figures in, faults out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamrestore.pipeline.report import JobReport
from tests.reliability.clips import Recipe
from tests.reliability.seen import Seen, could_hold, stream_hash

_ALL = frozenset({"rotation", "chapters", "tags", "languages", "titles", "marks"})
HOLDS = {
    "mp4": _ALL - {"titles", "marks"},
    "mov": _ALL - {"titles", "marks"},
    "mkv": _ALL,
    "webm": _ALL - {"marks"},
    "avi": frozenset({"tags"}),
    "ts": frozenset({"languages"}),
}
"""What a container keeps beside the packets, by the ending of its name."""
_MARKS = ("default", "comment", "forced")
_MAC = {"ger": "deu"}
"""Codes of languages as QuickTime files know them."""


@dataclass(frozen=True, slots=True)
class Job:
    """What was done.

    Attributes:
        source, target: endings.
        given: how the input was made.
        exact: the packets of the video were copied.
    """

    source: str
    target: str
    given: Recipe
    report: JobReport
    exact: bool


def faults(job: Job, before: Seen, after: Seen, scratch: Path) -> tuple[list[str], Counter[str]]:
    """What is wrong, in words; and what the container cannot hold, and was told to be left out.

    Args:
        scratch: may be written, with the ending of the target.
    """
    wrong = _pictures(job, before, after)
    listed: Counter[str] = Counter()
    for kind in ("audio", "subtitle", "attachment"):
        copies = iter(after.of(kind))
        for stream in before.of(kind):
            row = next(row for row in job.report.streams if row.index == stream["index"])
            name = f"{kind} {stream['index']} ({stream.get('codec_name', '')})"
            if row.outcome == "copied":
                copy = next(copies, {})
                wrong += _passenger(job, before, after, stream, copy) if copy else [f"{name}: missing"]
            elif not row.why:
                wrong.append(f"{name}: left out without a word")
            elif job.target == "avi" and _apart(before, stream) > 1 / job.given.rate:
                listed[f"{kind} that begins apart from the pictures in avi: left out"] += 1
            elif could_hold(after.path, before.path, stream["index"], stream.get("codec_name", ""), scratch):
                wrong.append(f"{name}: left out ({row.why}), and ffmpeg writes it")
            else:
                listed[f"{kind} {stream.get('codec_name', '')} in {job.target}: left out"] += 1
        wrong += [f"{kind} {copy['index']}: nobody asked for it" for copy in copies]
    tags, lost = _tags(job, before, after)
    return wrong + tags, listed + lost


def _pictures(job: Job, before: Seen, after: Seen) -> list[str]:
    given, report = job.given, job.report
    shown = [time * given.time_base for time in given.times if time >= 0]
    written = _relative(shown)
    truth = _relative(before.times)
    slack = before.tick(before.video) + Fraction(1, 1000) * (job.source in ("mp4", "mov"))
    if job.source == "avi":  # stores the order of decoding only
        truth = written
    elif len(truth) != len(written) or _farthest(truth, written) > slack:
        return [f"the input is not what was asked for: {len(truth)} pictures, not {len(written)}"]
    came = _relative(after.times)
    wrong = []
    if not len(truth) == len(came) == report.frames == len(after.frames(after.video)):
        wrong.append(f"{len(truth)} pictures went in, {len(came)} came out, the report says {report.frames}")
    elif (off := _farthest(truth, came)) > after.tick(after.video):
        wrong.append(f"a picture is off by {float(off) * 1000:.2f} ms")
    if report.losses:
        wrong.append(f"losses in a whole file: {report.losses}")
    return wrong


def _passenger(
    job: Job, before: Seen, after: Seen, stream: dict[str, Any], copy: dict[str, Any]
) -> list[str]:
    """A copied stream: the same data at the same times against the video."""
    codec = stream.get("codec_name", "")
    name = f"{stream['codec_type']} {stream['index']} ({codec})"
    if codec != copy.get("codec_name", ""):
        return [f"{name}: became {copy.get('codec_name')}"]
    if stream["codec_type"] == "attachment":
        same = stream["extradata_hash"] == copy.get("extradata_hash")
        tags = [(one.get("tags", {}).get("filename")) for one in (stream, copy)]
        return [] if same and tags[0] == tags[1] else [f"{name}: altered"]
    old, new = before.packets(stream), after.packets(copy)
    anew = codec.startswith("pcm") or (codec == "aac" and "ts" in (job.source, job.target))
    if anew:
        hashes = [stream_hash(seen.path, s["index"], codec) for seen, s in ((before, stream), (after, copy))]
        same = hashes[0] == hashes[1]
    else:
        same = [packet["data_hash"] for packet in old] == [packet["data_hash"] for packet in new]
    if not same:
        return [f"{name}: other packets ({len(old)}, {len(new)})"]
    if codec.startswith("pcm"):
        old, new = old[:1], new[:1]
    tick = max(after.tick(after.video), after.tick(copy))
    begin = before.times[0] if job.source != "avi" else Fraction(0)
    a = [_time(packet) * before.tick(stream) - begin for packet in old]
    b = [_time(packet) * after.tick(copy) - after.times[0] for packet in new]
    off = _farthest(a, b)
    return [f"{name}: off by {float(off) * 1000:.2f} ms against the video"] if off > tick else []


def _apart(seen: Seen, stream: dict[str, Any]) -> Fraction:
    """Seconds from the first picture to the first packet of a stream."""
    packets = seen.packets(stream)
    return abs(_time(packets[0]) * seen.tick(stream) - seen.times[0]) if packets else Fraction(0)


def _tags(job: Job, before: Seen, after: Seen) -> tuple[list[str], Counter[str]]:
    """What is said of the file, its pictures and its streams."""
    kept, target = HOLDS[job.target], job.target
    pairs: dict[str, tuple[Any, Any]] = {
        "rotation": (before.rotation, after.rotation),
        "chapters": (_chapters(before), _chapters(after)),
        "tags": (_said(before), _said(after)),
        "languages": (_of_streams(job, before, "language"), _of_streams(job, after, "language")),
        "titles": (_of_streams(job, before, "title"), _of_streams(job, after, "title")),
        "marks": (_marks(job, before), _marks(job, after)),
    }
    wrong, lost = [], Counter[str]()
    if before.color != after.color:
        wrong.append(f"colour {after.color}, not {before.color}")
    for name, (old, new) in pairs.items():
        if old == new or not old:
            continue
        if name in kept:
            wrong.append(f"{name} {new}, not {old}")
        else:
            lost[f"{name} in {target}: left out"] += 1
    return wrong, lost


def _said(seen: Seen) -> tuple[str, str]:
    """Title, and the comment up to the remark that every output has."""
    tags = seen.tags
    return tags.get("title", ""), tags.get("comment", "").partition(" | ")[0].partition("restored by")[0]


def _chapters(seen: Seen) -> list[tuple[str, int, int]]:
    """Title, and begin and end against the first picture in milliseconds."""
    first = seen.times[0]
    return [
        (
            chapter.get("tags", {}).get("title", ""),
            *(round(float((Fraction(chapter[edge]) - first) * 1000)) for edge in ("start_time", "end_time")),
        )
        for chapter in seen.facts["chapters"]
    ]  # type: ignore[misc]


def _copied(job: Job, seen: Seen) -> list[dict[str, Any]]:
    """Sound and text that was copied, in the source or in the result."""
    streams = [*seen.of("audio"), *seen.of("subtitle")]
    if seen.facts["format"]["filename"] != job.report.input:
        return streams
    gone = {row.index for row in job.report.streams if row.outcome == "dropped"}
    return [stream for stream in streams if stream["index"] not in gone]


def _of_streams(job: Job, seen: Seen, tag: str) -> list[str]:
    said = [stream.get("tags", {}).get(tag, "") for stream in _copied(job, seen)]
    said = ["" if word == "und" else _MAC.get(word, word) for word in said]
    return said if any(said) else []


def _marks(job: Job, seen: Seen) -> list[list[str]]:
    marks = [[m for m in _MARKS if stream["disposition"][m]] for stream in _copied(job, seen)]
    return marks if any(marks) else []


def _time(packet: dict[str, Any]) -> int:
    return int(packet["pts"] if "pts" in packet else packet["dts"])


def _relative(times: list[Fraction]) -> list[Fraction]:
    return [time - times[0] for time in times]


def _farthest(a: list[Fraction], b: list[Fraction]) -> Fraction:
    return max((abs(x - y) for x, y in zip(a, b, strict=True)), default=Fraction(0))
