"""What an experiment found, as data, and the table of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec


class Asked(msgspec.Struct, frozen=True):
    """What is to be tried.

    Attributes:
        count: cases; None for as many as are promised.
        first: number of the first one.
        keep: folder for inputs that fail.
    """

    count: int | None = None
    seed: int = 0
    first: int = 0
    keep: Path | None = None

    def numbers(self, usual: int) -> range:
        """Of the cases; `usual` is how many are promised."""
        return range(self.first, self.first + (usual if self.count is None else self.count))


class Failure(msgspec.Struct, frozen=True):
    """One case in which a promise was broken; with the seed, its number makes it again."""

    number: int
    case: str
    what: str


class Row(msgspec.Struct, frozen=True):
    """One promise, and how often it was kept.

    Attributes:
        figures: by what they count, in words.
        listed: what was refused or left out rightly, and how often.
        skipped: why nothing was tried; empty if it was.
    """

    promise: str
    tried: int
    failures: tuple[Failure, ...] = ()
    figures: dict[str, str] = {}
    listed: dict[str, int] = {}
    skipped: str = ""

    @property
    def broken(self) -> int:
        """Cases in which it was not kept."""
        return len({failure.number for failure in self.failures})


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| promise | tried | broken | figures |", "|---|---|---|---|"]
    for row in rows:
        figures = "; ".join(f"{name} {value}" for name, value in row.figures.items())
        tried = f"not tried: {row.skipped}" if row.skipped else str(row.tried)
        lines.append(f"| {row.promise} | {tried} | {row.broken} | {figures} |")
    return "\n".join(lines)


def megabytes(count: float) -> str:
    """Memory in words."""
    return f"{count / 1e6:.0f} MB"
