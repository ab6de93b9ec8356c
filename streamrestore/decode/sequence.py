"""Numbered still pictures as a video."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from streamrestore.decode import losses as kinds
from streamrestore.decode.reader import Part
from streamrestore.errors import InputNotFound

_FIELD = re.compile(r"%(0?)(\d*)d")


def is_pattern(name: str) -> bool:
    """True for a file name with one printf field for a number, such as ``%05d.png``."""
    return len(_FIELD.findall(name)) == 1


def sequence_parts(pattern: Path, rate: Fraction) -> tuple[list[Part], dict[str, int]]:
    """The runs of consecutive numbers that a pattern finds in its folder, and what is left out.

    Pictures keep their place in time, so that a gap in the numbers is a gap in time.

    Raises:
        InputNotFound: no file fits.
    """
    numbers = find_numbers(pattern)
    if not numbers:
        raise InputNotFound(f"{pattern}: no file fits this; check the folder and the number of digits")
    folder = str(pattern.parent).replace("%", "%%")
    parts = []
    for begin, _ in runs(numbers):
        options = {"start_number": str(begin), "start_number_range": "1", "framerate": str(rate)}
        parts.append(Part(f"{folder}/{pattern.name}", None, "image2", options, offset=begin - numbers[0]))
    left_out = numbers[-1] - numbers[0] + 1 - len(numbers)
    return parts, {kinds.NO_FILE: left_out} if left_out else {}


def find_numbers(pattern: Path) -> list[int]:
    """Numbers, in order, for which there is a file."""
    field = _FIELD.search(pattern.name)
    if field is None or not pattern.parent.is_dir():
        return []
    before, after = pattern.name[: field.start()], pattern.name[field.end() :]
    found = []
    for path in pattern.parent.iterdir():
        digits = path.name[len(before) : len(path.name) - len(after)]
        if digits.isascii() and digits.isdecimal() and pattern.name % int(digits) == path.name:
            found.append(int(digits))
    return sorted(found)


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """(first, last) of each run of consecutive numbers; numbers increase."""
    result: list[tuple[int, int]] = []
    for number in numbers:
        if result and number == result[-1][1] + 1:
            result[-1] = (result[-1][0], number)
        else:
            result.append((number, number))
    return result
