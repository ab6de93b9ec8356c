"""Interlaced or not, and what is done about it: decided from the marks of decoded pictures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from streamrestore.decode.interlace import FIELD_CODECS

MARKED_SHARE = 0.05
"""Share of pictures marked as interlaced below which marks are taken for slips."""

_NEAR = 0.02
"""How far the nominal rate may be off the measured one and still be the better figure."""


@dataclass(frozen=True, slots=True)
class Scan:
    """How the pictures of a video are marked.

    Attributes:
        pictures: that were decoded.
        interlaced: of those, marked as interlaced.
        top_first: of those, with the top field as the earlier one.
    """

    pictures: int = 0
    interlaced: int = 0
    top_first: int = 0


def why_kept(scan: Scan, wanted: str, *, restored: bool, codec: str = "", taken: bool = True) -> str:
    """Why a video is not deinterlaced, in words; empty if it is.

    Args:
        wanted: the setting ``restore.interlaced``.
        restored: at least one clip is restored; what is only encoded anew keeps its samples.
        codec: FFmpeg's name.
        taken: bwdif takes pictures of this format and size.
    """
    if not scan.interlaced:
        return "no picture is marked as interlaced"
    if wanted == "keep":
        return "that was asked for"
    if codec in FIELD_CODECS:
        return "each picture is a single field"
    if not taken:
        return "bwdif does not take this pixel format or size"
    if wanted == "bwdif":
        return ""
    if scan.interlaced < MARKED_SHARE * scan.pictures:
        return "too few pictures are marked"
    return "" if restored else "nothing is restored"


def field_rate(nominal: Fraction | None, mean_ms: float, *, codec: str = "") -> Fraction:
    """Fields per second; 0 if unknown. The header is believed if what was measured bears it out.

    Args:
        nominal: pictures per second, by the header.
        mean_ms: from picture to picture; 0 if there is only one.
        codec: FFmpeg's name.
    """
    rate = nominal or Fraction(0)
    if mean_ms > 0:
        measured = Fraction(1000 / mean_ms)
        rate = rate if abs(rate - measured) <= _NEAR * measured else measured
    return rate if codec in FIELD_CODECS else 2 * rate


def describe_scan(scan: Scan, fields: Fraction) -> str:
    """``interlaced (50 fields/s, top field first)``.

    Args:
        fields: per second; 0 if unknown.
    """
    facts = [] if scan.interlaced == scan.pictures else [f"{scan.interlaced} of {scan.pictures} pictures"]
    if fields:
        facts.append(f"{_short(float(fields))} fields/s")
    if scan.top_first in (0, scan.interlaced):
        facts.append(f"{'top' if scan.top_first else 'bottom'} field first")
    return f"{'partly ' * (scan.interlaced < scan.pictures)}interlaced ({', '.join(facts)})"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
