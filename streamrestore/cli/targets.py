"""Which input goes where: settled before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamrestore.decode.names import is_url, redact
from streamrestore.decode.sequence import is_pattern
from streamrestore.encode.containers import CONTAINERS
from streamrestore.errors import UsageError

DEFAULT_SUFFIX = ".mkv"
"""Of outputs whose input is in a container that cannot be written: it holds nearly everything."""


@dataclass(frozen=True, slots=True)
class Target:
    """One input and the file that its result goes to."""

    input: str
    output: Path

    @property
    def shown(self) -> str:
        """The input's name, fit to be shown."""
        return redact(self.input)


def plan_targets(inputs: Sequence[str], output: Path) -> list[Target]:
    """The output of each input: `output` itself, or a file of the input's name in it if it is a folder.

    Raises:
        UsageError: several inputs and no folder to write them to, or two of them to one file.
    """
    inputs = [re.sub(r"^file:(//)?", "", name) for name in inputs]
    if output.is_dir():
        targets = [Target(name, output / output_name(name)) for name in inputs]
    elif len(inputs) == 1:
        targets = [Target(inputs[0], output)]
    else:
        cure = "and it is a file" if output.exists() else f"so make it first: mkdir -p '{output}'"
        raise UsageError(f"-o {output}: with several inputs it must be a folder, {cure}")
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


def _refuse_one_for_two(targets: Sequence[Target]) -> None:
    taken: dict[Path, str] = {}
    for target in targets:
        if target.output in taken:
            raise UsageError(
                f"{taken[target.output]} and {target.shown} would both become {target.output}; "
                "restore one of them alone, with a name of its own"
            )
        taken[target.output] = target.shown
