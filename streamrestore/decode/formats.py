"""FFmpeg's pixel formats: which planes they become, and which are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from streamrestore.errors import UnsupportedVideo
from streamrestore.frames import PixelFormat


@dataclass(frozen=True, slots=True)
class Layout:
    """How a frame of one of FFmpeg's formats becomes planes.

    Attributes:
        format: of the planes.
        order: index of FFmpeg's plane for each of ours.
        repack: FFmpeg's planar format with the same samples, where the stored one is not planar.
        full: True if the name says that the range is full (``yuvj420p``).
    """

    format: PixelFormat
    order: tuple[int, ...]
    repack: str | None = None
    full: bool = False


_SHIFTS = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "440": (0, 1), "411": (2, 0), "410": (2, 2)}
_YUV = re.compile(r"yuv(j?)(4\d\d)p(9|10|12|14|16)?(le)?")
_GRAY = re.compile(r"gray(9|10|12|14|16)?(le)?")
_GBR = re.compile(r"gbrp(9|10|12|14|16)?(le)?")

REPACKED = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "nv42": "yuv444p",
    "nv20le": "yuv422p10le", "p010le": "yuv420p10le", "p012le": "yuv420p12le", "p016le": "yuv420p16le",
    "p210le": "yuv422p10le", "p212le": "yuv422p12le", "p216le": "yuv422p16le", "p410le": "yuv444p10le",
    "p412le": "yuv444p12le", "p416le": "yuv444p16le", "yuyv422": "yuv422p", "yvyu422": "yuv422p",
    "uyvy422": "yuv422p", "y210le": "yuv422p10le", "y212le": "yuv422p12le", "y216le": "yuv422p16le",
    "vuyx": "yuv444p", "vyu444": "yuv444p", "xv30le": "yuv444p10le", "v30xle": "yuv444p10le",
    "xv36le": "yuv444p12le", "xv48le": "yuv444p16le", "rgb24": "gbrp", "bgr24": "gbrp", "rgb0": "gbrp",
    "bgr0": "gbrp", "0rgb": "gbrp", "0bgr": "gbrp", "rgb48le": "gbrp16le", "bgr48le": "gbrp16le",
    "rgb48be": "gbrp16le", "bgr48be": "gbrp16le", "x2rgb10le": "gbrp10le", "x2bgr10le": "gbrp10le",
    "pal8": "gbrp", "monow": "gray", "monob": "gray",
}  # fmt: skip
"""Formats whose samples FFmpeg's scaler moves to planes without changing one (the tests hold it)."""


@lru_cache(maxsize=64)
def layout_of(name: str) -> Layout:
    """How frames of the format that FFmpeg calls `name` become planes.

    Raises:
        UnsupportedVideo: alpha, floating point, Bayer patterns, and other formats that have no exact
            planes of 8 to 16 bits. The message lacks the name of the input.
    """
    if name in REPACKED:
        target = layout_of(REPACKED[name])
        return Layout(target.format, target.order, REPACKED[name], full=name.startswith("mono"))
    little = re.sub(r"(\d)be$", r"\1le", name)
    if little != name and (planar := _planar(little)) is not None:  # only the order of bytes differs
        return Layout(planar.format, planar.order, little)
    if (planar := _planar(name)) is not None:
        return planar
    raise UnsupportedVideo(f"its pixel format is {name}, {_why_not(name)}")


def _planar(name: str) -> Layout | None:
    if match := _YUV.fullmatch(name):
        shift_x, shift_y = _SHIFTS[match[2]]
        layout = PixelFormat("yuv", int(match[3] or 8), shift_x, shift_y)
        return Layout(layout, (0, 1, 2), full=bool(match[1]))
    if match := _GRAY.fullmatch(name):
        return Layout(PixelFormat("gray", int(match[1] or 8)), (0,))
    if match := _GBR.fullmatch(name):
        return Layout(PixelFormat("rgb", int(match[1] or 8)), (2, 0, 1))  # stored as G, B, R
    return None


def ffmpeg_name(format: PixelFormat) -> str:
    """FFmpeg's name of the planar format with these planes (``gbrp`` stores them as G, B, R)."""
    depth = "" if format.depth == 8 else f"{format.depth}le"
    if format.model == "gray":
        return f"gray{depth}"
    if format.model == "rgb":
        return f"gbrp{depth}"
    sampling = {shifts: name for name, shifts in _SHIFTS.items()}[format.shift_x, format.shift_y]
    return f"yuv{sampling}p{depth}"


def transparency() -> str:
    """Why pictures with an alpha plane are refused, and what to do."""
    return (
        "transparency (alpha), and restoring would lose or damage it; "
        "flatten it first, for example with: ffmpeg -i IN -vf format=yuv420p OUT"
    )


def _why_not(name: str) -> str:
    if re.search(r"yuva|gbrap|rgba|bgra|argb|abgr|^ya\d|^ayuv|vuya|uyva|^yaf", name):
        return f"which carries {transparency()}"
    if re.search(r"f(16|32)|rgb96|rgba128", name):
        return "floating point or wider than 16 bits, which is not handled; convert it to 16 bits first"
    if name.startswith("bayer"):
        return "the raw mosaic of a camera sensor; develop it to RGB or YUV first"
    return "which is not handled; convert it first, for example with: ffmpeg -i IN -pix_fmt yuv420p OUT"
