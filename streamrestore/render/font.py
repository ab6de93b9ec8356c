"""Letters for pictures: every glyph is a few strokes, drawn smoothly at any size.

FFmpeg's `drawtext` is not in the builds that PyAV ships, and no picture library is a dependency.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.float32]
"""(h, w), 0 outside of the ink to 1 inside."""

CAPITAL = 12
"""Height of capitals on the glyphs' grid; what hangs below the line reaches to 16."""

GLYPHS: Mapping[str, str] = {
    "!": "0008 0c0c", '"': "0003 3033", "#": "302c 706c 1494 0888", "$": "404c ~82602002042666888a6c2c0a",
    "%": "800c ~10313314030110 ~78898b7c5b5978", "&": "~8c1311305153080a2c5c88", "'": "0003",
    "(": "~30040a3e", ")": "~00343a0e", "*": "4147 1276 7216", "+": "434b 0787", ",": "1c0f", "-": "0767",
    ".": "0c0c", "/": "600c", "0": "~205073795c2c09032050", "1": "03303c", "2": "~030120608284670c 0c8c",
    "3": "~02206082846636 ~3666888a6c2c0a", "4": "6c600888", "5": "701006 ~062565878a6c2c0a",
    "6": "~71602004092c6c8a88662608", "7": "00803c", "8": "~206082846626040220 ~2666888a6c2c0a0826",
    "9": "~1b2c6c888360200204266684", ":": "0505 0c0c", ";": "1515 1c0f", "<": "72077c", "=": "0585 0989",
    ">": "02770c", "?": "~02206082844749 4c4c", "@": "~8b6c3c09033070a3a7897874 ~755435375877",
    "A": "0c408c 1878", "B": "000c ~006082846606 ~0666888a6c0c", "C": "~83602003092c6c89",
    "D": "000c ~005083895c0c", "E": "70000c7c 0666", "F": "70000c 0666", "G": "~83602003092c6c89 898757",
    "H": "000c 808c 0686", "I": "000c", "J": "~60694c2c0a", "K": "000c 7007 348c", "L": "000c7c",
    "M": "0c0058a0ac", "N": "0c008c80", "O": "~206083896c2c09032060", "P": "000c ~006082856707",
    "Q": "~206083896c2c09032060 598d", "R": "000c ~006082856707 478c", "S": "~82602002042666888a6c2c0a",
    "T": "0080 404c", "U": "~00092c6c8980", "V": "004c80", "W": "003c639cc0", "X": "008c 800c",
    "Y": "004680 464c", "Z": "00800c8c", "[": "30000e3e", "\\": "006c", "]": "00303e0e", "^": "044084",
    "_": "0e8e", "`": "0022", "a": "~765424060a2c5c7a 747c", "b": "000c ~062454767a5c2c0a",
    "c": "~765424060a2c5c7a", "d": "~765424060a2c5c7a 707c", "e": "0878 ~78765424060a2c5c7b",
    "f": "~5030222c 0454", "g": "~765424060a2c5c7a ~747d5g2g0f", "h": "000c ~062454767c", "i": "040c 0000",
    "j": "~242e1g0g 2020", "k": "000c 640a 286c", "l": "~000a1c2c", "m": "040c ~062444565c ~567494a6ac",
    "n": "040c ~062454767c", "o": "~2454767a5c2c0a062454", "p": "040g ~062454767a5c2c0a",
    "q": "747g ~765424060a2c5c7a", "r": "040c ~072454", "s": "~75542405072858797b5c2c0b",
    "t": "~212a3c5c 0454", "u": "~040a2c5c7a 747c", "v": "043c64", "w": "043c557ca4", "x": "046c 640c",
    "y": "043c 643c1g", "z": "04640c6c", "{": "~40202507292e4e", "|": "000e", "}": "~00202547292e0e",
    "~": "~08265977",
}  # fmt: skip
"""Strokes of each glyph. A stroke is a row of points; a point is x and y, one base-36 digit each, y
downwards from the top of capitals. ``~`` bends a stroke's corners round."""

_SPACE = 5
_GAP = 4  # between glyphs
_UNKNOWN = "00808c0c00"
_STROKE = 0.135  # width of a stroke over the height of capitals


def draw_text(text: str, height: float) -> Mask:
    """Ink of one line of text, cut to its width, from the top of capitals to below the line.

    Args:
        text: characters without a glyph lose their accents, or become a box.
        height: of capitals, in pixels.
    """
    scale = height / CAPITAL
    radius = max(0.6, height * _STROKE / 2)
    margin = int(np.ceil(radius)) + 1
    segments, advance = _layout(_known(text))
    width = int(np.ceil(max(0, advance) * scale)) + 2 * margin
    mask = np.zeros((int(np.ceil(height * 16 / CAPITAL)) + 2 * margin, width), np.float32)
    for start, end in segments:
        _stroke(mask, start * scale + margin, end * scale + margin, radius)
    return mask


def _known(text: str) -> str:
    """The text in characters that have a glyph, `_UNKNOWN`'s being a NUL."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if c in GLYPHS else " " if c.isspace() else "\0" for c in plain)


def _layout(text: str) -> tuple[list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]], float]:
    """Segments of all glyphs, (x, y) on the grid, and the width of the text."""
    segments = []
    left = 0.0
    for character in text:
        if character == " ":
            left += _SPACE
            continue
        strokes = _strokes(GLYPHS.get(character, _UNKNOWN))
        for stroke in strokes:
            segments += list(pairwise(stroke + np.array([left, 0.0])))
        left += max(float(stroke[:, 0].max()) for stroke in strokes) + _GAP
    return segments, left - _GAP


@lru_cache(maxsize=256)
def _strokes(glyph: str) -> tuple[npt.NDArray[np.float64], ...]:
    """Rows of points (n, 2) of a glyph."""
    result = []
    for token in glyph.split():
        digits = token.removeprefix("~")
        points = np.array([int(digit, 36) for digit in digits], np.float64).reshape(-1, 2)
        result.append(_bend(points) if token.startswith("~") else points)
    return tuple(result)


def _bend(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cut the corners of a row of points repeatedly (Chaikin 1974); ends stay, a ring is cut all round."""
    ring = bool((points[0] == points[-1]).all())
    for _ in range(3):
        first, second = points[:-1], points[1:]
        cut = np.stack((0.75 * first + 0.25 * second, 0.25 * first + 0.75 * second), axis=1).reshape(-1, 2)
        points = np.concatenate((cut, cut[:1]) if ring else (points[:1], cut[1:-1], points[-1:]))
    return points


def _stroke(mask: Mask, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], radius: float) -> None:
    """Draw a line with round ends into a mask, smooth at its edge."""
    reach = radius + 1
    left, top = np.maximum(0, np.floor(np.minimum(start, end) - reach).astype(int))
    right, bottom = np.ceil(np.maximum(start, end) + reach).astype(int) + 1
    part = mask[top:bottom, left:right]
    y, x = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]] + 0.5
    along = end - start
    length = float(along @ along)
    share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1) if length else 0.0
    distance = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
    np.maximum(part, np.clip(radius + 0.5 - distance, 0, 1), out=part, casting="same_kind")
