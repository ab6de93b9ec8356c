"""The time as a picture: large black and white blocks, which survive coding and restoration."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

COLUMNS, ROWS = 8, 4
BITS = 28
"""Milliseconds, modulo three days; the four blocks that are left hold a check."""
PERIOD = 1 << BITS
BLACK, WHITE = 30, 220


def draw(luma: npt.NDArray[np.uint8], milliseconds: int) -> None:
    """Fill a plane (h, w) with the time."""
    for index, bit in enumerate(_code(milliseconds % PERIOD)):
        _block(luma, index)[...] = WHITE if bit else BLACK


def read(picture: npt.NDArray[Any]) -> int | None:
    """The time in a picture (h, w, ...), modulo `PERIOD`; None if it cannot be read."""
    bits = []
    for index in range(COLUMNS * ROWS):
        block = _block(picture, index)
        h, w = block.shape[0] // 4, block.shape[1] // 4
        bits.append(int(block[h : h * 3 + 1, w : w * 3 + 1].mean() > (BLACK + WHITE) / 2))
    value = sum(bit << index for index, bit in enumerate(bits[:BITS]))
    return value if bits == _code(value) else None


def age_ms(picture: npt.NDArray[Any], now_ms: int) -> int | None:
    """How long ago the time in a picture was."""
    shown = read(picture)
    return None if shown is None else (now_ms - shown + PERIOD // 2) % PERIOD - PERIOD // 2


def _code(value: int) -> list[int]:
    check = sum((value >> shift) & 15 for shift in range(0, BITS, 4)) * 7 % 16
    whole = value | check << BITS
    return [whole >> index & 1 for index in range(COLUMNS * ROWS)]


def _block(picture: npt.NDArray[Any], index: int) -> npt.NDArray[Any]:
    height, width = picture.shape[:2]
    row, column = divmod(index, COLUMNS)
    return picture[
        row * height // ROWS : (row + 1) * height // ROWS,
        column * width // COLUMNS : (column + 1) * width // COLUMNS,
    ]
