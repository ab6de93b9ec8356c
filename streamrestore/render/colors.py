"""Names of the colour tags of ITU-T H.273."""

from __future__ import annotations

from collections.abc import Mapping

from streamrestore.frames import ColorInfo, Matrix, PixelFormat, Range

MATRICES: Mapping[int, str] = {
    0: "RGB", 1: "BT.709", 4: "FCC", 5: "BT.601 (625 lines)", 6: "BT.601", 7: "SMPTE 240M", 8: "YCgCo",
    9: "BT.2020", 10: "BT.2020 constant luminance", 14: "ICtCp",
}  # fmt: skip
PRIMARIES: Mapping[int, str] = {
    1: "BT.709", 4: "BT.470M", 5: "BT.601 (625 lines)", 6: "BT.601 (525 lines)", 7: "SMPTE 240M", 8: "film",
    9: "BT.2020", 10: "SMPTE 428", 11: "DCI-P3", 12: "Display P3", 22: "EBU 3213",
}  # fmt: skip
TRANSFERS: Mapping[int, str] = {
    1: "BT.709", 4: "gamma 2.2", 5: "gamma 2.8", 6: "BT.601", 7: "SMPTE 240M", 8: "linear", 11: "xvYCC",
    13: "sRGB", 14: "BT.2020 10 bit", 15: "BT.2020 12 bit", 16: "PQ", 17: "SMPTE 428", 18: "HLG",
}  # fmt: skip

SAMPLINGS: Mapping[tuple[int, int], str] = {
    (0, 0): "4:4:4", (1, 0): "4:2:2", (1, 1): "4:2:0", (0, 1): "4:4:0", (2, 0): "4:1:1", (2, 2): "4:1:0",
}  # fmt: skip
"""By log2 of the horizontal and the vertical subsampling."""

NOT_TAGGED = "not tagged"


def describe_color(color: ColorInfo, format: PixelFormat, width: int, height: int) -> dict[str, str]:
    """Each colour tag in words, and what is assumed where it is missing.

    Args:
        width, height: of the picture as displayed.
    """
    coding = color.coding(format, width, height)
    matrix = MATRICES[coding.matrix] + (", assumed" if "matrix" in coding.assumed else "")
    if color.matrix not in (coding.matrix, Matrix.UNSPECIFIED) and format.model != "rgb":
        matrix = f"{_name(MATRICES, color.matrix)}, taken as {MATRICES[coding.matrix]}"
    codes = "full" if coding.full else "limited"
    if color.range == Range.UNSPECIFIED and format.model != "rgb":
        codes += ", assumed"
    return {
        "matrix": matrix,
        "range": codes,
        "primaries": _name(PRIMARIES, color.primaries),
        "transfer": _name(TRANSFERS, color.transfer),
    }


def describe_format(format: PixelFormat) -> str:
    """``8 bit 4:2:0``, ``10 bit RGB``."""
    if format.model != "yuv":
        return f"{format.depth} bit {'RGB' if format.model == 'rgb' else 'grey'}"
    return f"{format.depth} bit {SAMPLINGS.get((format.shift_x, format.shift_y), 'YUV')}"


def _name(names: Mapping[int, str], code: int) -> str:
    return NOT_TAGGED if code == 2 else names.get(code, f"code {code}")
