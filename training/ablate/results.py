"""What trials came to: a line of JSON each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from streamrestore.errors import UsageError


class Figures(msgspec.Struct, frozen=True):
    """What was measured.

    Attributes:
        values: by name; names end in PSNR (dB), SSIM, or say what they are.
        series: curves by name, points (x, y).
    """

    values: dict[str, float] = {}
    series: dict[str, list[tuple[float, float]]] = {}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One trial."""

    row: str
    condition: str
    seed: int
    run: str
    """Hash of its training."""
    pictures: int
    """Of each validation set, at most; 0: all."""
    network: str
    parameters: int
    gmac_per_megapixel: float
    steps: int
    minutes: float
    commit: str = ""
    device: str = ""
    figures: Figures


def read_results(path: Path) -> list[Result]:
    """All lines of a file; none if it is not there.

    Raises:
        UsageError: a line is not a result.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=Result))
        except msgspec.MsgspecError as error:
            told = f"{path}, line {number}: not a result ({error}); delete the line, and it is measured again"
            raise UsageError(told) from error
    return found


def write_results(path: Path, results: Sequence[Result]) -> None:
    """The whole file, in one stroke."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(b"".join(msgspec.json.encode(result) + b"\n" for result in results))
    partial.replace(path)
