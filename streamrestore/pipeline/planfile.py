"""Plan files: what is done with which part of a video, for people to read and to change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import yaml

from streamrestore.errors import UsageError
from streamrestore.instants import format_time, parse_time, to_millis
from streamrestore.pipeline.overlay import Entry
from streamrestore.pipeline.report import ClipReport
from streamrestore.settings import Strength
from streamrestore.weather import Weather

AUTO, NONE = "auto", "none"
_WORTH_TELLING = 0.05
"""Probability from which a comment names a weather."""

_HEAD = """\
# What is done with this video, clip by clip. Change what you like, and have it obeyed:
#
#     streamrestore restore INPUT -o OUTPUT --plan THIS_FILE
#
# start, end  h:mm:ss.mmm or seconds, from the first picture on; the picture at `end` belongs to what follows
# branch      rain, haze, raindrop, noise; two, such as rain+haze; none leaves pictures exactly as they are;
#             auto leaves the choice to the program
# strength    0 changes nothing, 1 is as trained, up to 1.5
#
# Entries may be split at any time, joined, or deleted: what none covers is decided as without a plan.

"""


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What a plan file says.

    Attributes:
        fingerprint: of the input that it was made for; empty if it does not say so.
        fingerprint_line: where that stands.
        entries: in order of time, none over another.
        lines: where each of them stands.
    """

    path: Path
    entries: tuple[Entry, ...]
    lines: tuple[int, ...]
    fingerprint: str = ""
    fingerprint_line: int = 0

    def check_input(self, fingerprint: str) -> None:
        """Refuse another input than the one that the plan was made for.

        Args:
            fingerprint: of the input, as of `hash_input`; empty if it has none.

        Raises:
            UsageError: it is another.
        """
        if self.fingerprint and fingerprint and self.fingerprint != fingerprint:
            raise _wrong(
                self.path,
                self.fingerprint_line,
                "the plan was made for another file, or for this one before it was edited; "
                "delete this line to use it all the same",
            )

    def check_end(self, seconds: float) -> None:
        """Refuse entries that reach beyond the end of the video.

        Args:
            seconds: its length.

        Raises:
            UsageError: naming the first of them.
        """
        for entry, line in zip(self.entries, self.lines, strict=True):
            if to_millis(entry.end) > to_millis(seconds):
                raise _wrong(
                    self.path,
                    line,
                    f"the entry ends at {format_time(entry.end)}, and the video at {format_time(seconds)}",
                )


def read_plan(path: Path) -> PlanFile:
    """Read a plan file.

    Raises:
        UsageError: it cannot be read, or something in it is wrong; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--plan {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--plan {path}: it is no text in UTF-8") from error
    return parse_plan(text, path)


def parse_plan(text: str, path: Path) -> PlanFile:
    """The plan in a text; see `read_plan`.

    Args:
        path: for messages.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _wrong(path, mark.line + 1 if mark else 1, f"not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path}: not valid YAML: {error}") from error
    if root is None:
        raise UsageError(f"{path}: it is empty; `streamrestore inspect INPUT --plan {path}` writes a plan")
    named = _mapping(root, path, required=("entries",), optional=("input", "fingerprint"), what="a plan")
    for name in ("input", "fingerprint"):
        if name in named:
            _scalar(named[name], path, name)
    if not isinstance(named["entries"], yaml.SequenceNode):
        raise _wrong(path, _line(named["entries"]), "'entries' must be a list, each item beginning with '- '")
    found = [(_entry(node, path), _line(node)) for node in named["entries"].value]
    found.sort(key=lambda item: to_millis(item[0].start))
    _refuse_overlaps(found, path)
    fingerprint = named.get("fingerprint")
    return PlanFile(
        path,
        tuple(entry for entry, _ in found),
        tuple(line for _, line in found),
        fingerprint.value if fingerprint is not None else "",
        _line(fingerprint) if fingerprint is not None else 0,
    )


def write_plan(name: str, fingerprint: str, clips: Sequence[ClipReport]) -> str:
    """The text of a plan that changes nothing.

    Args:
        name: of the input.
        fingerprint: of the input, as of `hash_input`; empty if it has none.
        clips: with what is done with each.
    """
    lines = [f"input: {json.dumps(name)}"]
    if fingerprint:
        lines.append(f"fingerprint: {fingerprint}  # of the input; without this line the plan fits any file")
    lines.append("entries:" if clips else "entries: []")
    for number, clip in enumerate(clips):
        start, end = to_millis(clip.start_seconds), to_millis(clip.stop_seconds)
        end = max(end, start + 1) if number == len(clips) - 1 else end
        if start < end:
            lines.append(
                f"  - {{start: {format_time(start / 1000)}, end: {format_time(end / 1000)}, "
                f"branch: {clip.branch}, strength: {clip.strength:g}}}  # {_why(clip)}"
            )
    return _HEAD + "\n".join(lines) + "\n"


def _why(clip: ClipReport) -> str:
    """Why a clip is treated as it is: what was seen, the likeliest first."""
    seen = [
        f"{name} {share:.0%}" + (f" (severity {clip.severity[name]:.2g})" if name in clip.severity else "")
        for name, share in sorted(clip.probabilities.items(), key=lambda item: -item[1])
        if share >= _WORTH_TELLING
    ]
    return f"{clip.reason}: {', '.join(seen)}" if seen else clip.reason


def _entry(node: yaml.Node, path: Path) -> Entry:
    named = _mapping(node, path, required=("start", "end"), optional=("branch", "strength"), what="an entry")
    start, end = (_time(named[name], path, name) for name in ("start", "end"))
    if to_millis(end) <= to_millis(start):
        raise _wrong(
            path,
            _line(named["end"]),
            f"the entry ends at {format_time(end)} and begins at {format_time(start)}",
        )
    branches = _branches(named["branch"], path) if "branch" in named else None
    strength = _strength(named["strength"], path) if "strength" in named else None
    return Entry(start, end, branches, strength)


def _branches(node: yaml.Node, path: Path) -> tuple[Weather, ...] | None:
    text = _scalar(node, path, "branch")
    if text == AUTO:
        return None
    if text == NONE:
        return ()
    names = [name.strip() for name in text.split("+")]
    unknown = next((name for name in names if name not in set(Weather)), None)
    if unknown is not None:
        known = ", ".join([*Weather, NONE, AUTO])
        raise _wrong(path, _line(node), f"there is no branch {unknown!r}; there are {known}")
    if len(names) > 2 or len(set(names)) < len(names):
        raise _wrong(
            path, _line(node), f"branch {text!r}: it takes one, or two different ones, such as rain+haze"
        )
    return tuple(Weather(name) for name in names)


def _strength(node: yaml.Node, path: Path) -> float:
    text = _scalar(node, path, "strength")
    try:
        return msgspec.convert(text, Strength, strict=False)
    except msgspec.ValidationError:
        raise _wrong(path, _line(node), f"strength {text!r}: it takes a number from 0 to 1.5") from None


def _time(node: yaml.Node, path: Path, name: str) -> float:
    try:
        return parse_time(_scalar(node, path, name))
    except ValueError as error:
        raise _wrong(path, _line(node), f"{name}: {error}") from None


def _mapping(
    node: yaml.Node, path: Path, *, required: Sequence[str], optional: Sequence[str], what: str
) -> dict[str, yaml.Node]:
    """The named values of a node, none twice, none missing, none unknown."""
    known = ", ".join([*required, *optional])
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(path, _line(node), f"{what} has named values ({known}), each written as 'name: value'")
    named: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        if name not in (*required, *optional):
            raise _wrong(path, _line(key), f"{what} has no {name!r}; it has {known}")
        if name in named:
            raise _wrong(path, _line(key), f"{name!r} stands there twice; keep one")
        named[name] = value
    missing = next((name for name in required if name not in named), None)
    if missing is not None:
        raise _wrong(path, _line(node), f"{what} must have {missing!r}")
    return named


def _scalar(node: yaml.Node, path: Path, name: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong(path, _line(node), f"{name!r} takes a single value")
    return str(node.value)


def _refuse_overlaps(found: Sequence[tuple[Entry, int]], path: Path) -> None:
    for (before, first), (after, second) in pairwise(found):
        if to_millis(after.start) < to_millis(before.end):
            raise _wrong(path, max(first, second), f"the entry overlaps that of line {min(first, second)}")


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _wrong(path: Path, line: int, what: str) -> UsageError:
    return UsageError(f"{path}:{line}: {what}")
