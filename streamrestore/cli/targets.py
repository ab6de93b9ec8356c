"""Which input goes where: settled before anything is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamrestore.decode.names import is_url, redact
from streamrestore.decode.sequence import is_pattern
from streamrestore.encode.containers import CONTAINERS
from streamrestore.errors import UsageError

DEFAULT_SUFFIX = ".mkv"
"""Of outputs whose input is in a container that cannot be written: it holds nearly everything."""

VIDEO_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".dav", ".divx", ".dv", ".f4v", ".flv", ".h264", ".h265", ".hevc",
    ".ivf", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut",
    ".ogv", ".rm", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})  # fmt: skip
"""What is taken for a video in a folder, where no pattern says it."""


@dataclass(frozen=True, slots=True)
class Target:
    """One input and the file that its result goes to.

    Attributes:
        found: in a folder, not named by the user.
    """

    input: str
    output: Path
    found: bool = False

    @property
    def shown(self) -> str:
        """The input's name, fit to be shown."""
        return redact(self.input)


def plan_targets(inputs: Sequence[str], output: Path, match: Sequence[str] = ()) -> list[Target]:
    """The output of each input: `output` itself, or a file of the input's name in it if it is a folder.

    Of an input that is a folder, every video in it and in its folders is one, and their names and
    folders are mirrored in `output`. What is hidden is left out, and so is `output`.

    Args:
        match: patterns such as ``*.dat``; in folders, files that fit one are taken for videos, and no
            others.

    Raises:
        UsageError: several inputs, or a folder, and no folder to write them to; a folder without a
            video; or two inputs for one output.
    """
    inputs = [re.sub(r"^file:(//)?", "", name) for name in inputs]
    if any(Path(name).is_dir() for name in inputs):
        if not output.is_dir() and (output.exists() or output.suffix.lower() in CONTAINERS):
            raise UsageError(f"-o {output}: for an input that is a folder it must be one, too")
    elif not output.is_dir():
        if len(inputs) == 1:
            return [Target(inputs[0], output)]
        cure = "and it is a file" if output.exists() else f"so make it first: mkdir -p '{output}'"
        raise UsageError(f"-o {output}: with several inputs it must be a folder, {cure}")
    targets: list[Target] = []
    for name in inputs:
        if Path(name).is_dir():
            targets += _targets_in(Path(name), output, match)
        else:
            targets.append(Target(name, output / output_name(name)))
    _refuse_one_for_two(targets)
    return targets


def output_name(spec: str) -> str:
    """Name of the result of an input in a folder: the input's own, in a container that we write."""
    if is_url(spec):
        path = Path(unquote(urlsplit(redact(spec)).path).rpartition("/")[2] or "stream")
    else:
        path = Path(spec)
        if is_pattern(path.name):  # frames/%05d.png -> frames.mkv
            return f"{path.absolute().parent.name or 'pictures'}{DEFAULT_SUFFIX}"
    return path.name if path.suffix.lower() in CONTAINERS else f"{path.stem}{DEFAULT_SUFFIX}"


def _targets_in(folder: Path, output: Path, match: Sequence[str]) -> list[Target]:
    if output.resolve() == folder.resolve():
        raise UsageError(f"-o {output}: this is the input's folder; name another")
    found = [path.relative_to(folder) for path in _videos_in(folder, output.resolve(), match)]
    if not found:
        cure = "no file fits --match" if match else "--match '*.dat' names files that do not look like one"
        raise UsageError(f"{folder}: there is no video in this folder; {cure}")
    names = {path: path.with_name(output_name(path.name)) for path in found}
    taken = list(names.values())
    targets = []
    for path, name in names.items():
        if taken.count(name) > 1 and path.name != name.name:  # a.wmv beside a.mkv
            name = path.with_name(f"{path.name}{DEFAULT_SUFFIX}")
        targets.append(Target(str(folder / path), output / name, found=True))
    return targets


def _videos_in(folder: Path, leave: Path, match: Sequence[str]) -> Iterator[Path]:
    """Videos in a folder and in its folders, in the order of their names; nothing hidden or in `leave`.

    Numbers in names count as numbers: clip9 comes before clip10.
    """
    for place, folders, files in os.walk(folder):
        here = Path(place)
        open_to_us = [n for n in folders if not n.startswith(".") and (here / n).resolve() != leave]
        folders[:] = sorted(open_to_us, key=natural)
        for name in sorted(files, key=natural):
            path = here / name
            shown = str(path.relative_to(folder))
            if match:
                fits = any(fnmatch(name, pattern) or fnmatch(shown, pattern) for pattern in match)
            else:
                fits = path.suffix.lower() in VIDEO_SUFFIXES
            if fits and not name.startswith("."):
                yield path


def natural(name: str) -> tuple[list[tuple[str, int]], str]:
    """What to sort names by."""
    parts = re.findall(r"(\D*)(\d*)", Path(name).stem, re.ASCII)
    return [(text.casefold(), int(digits or -1)) for text, digits in parts], name


def _refuse_one_for_two(targets: Sequence[Target]) -> None:
    taken: dict[Path, str] = {}
    for target in targets:
        if target.output in taken:
            raise UsageError(
                f"{taken[target.output]} and {target.shown} would both become {target.output}; "
                "restore one of them alone, with a name of its own"
            )
        taken[target.output] = target.shown
