"""Durations, sizes and names as people read them."""

from __future__ import annotations

from collections.abc import Mapping

_SIZES = ("kB", "MB", "GB", "TB")


def duration(seconds: float) -> str:
    """A span of time: ``0.84 s``, ``12.3 s``, ``3 min 05 s``, ``1 h 02 min``."""
    if seconds < 0.9995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min"


def clock(seconds: float, *, tenths: bool = True) -> str:
    """A place in a video: ``0:04.2``, ``1:02:03.0``; before the start with a minus."""
    units = round(abs(seconds) * (10 if tenths else 1))
    whole, rest = divmod(units, 10) if tenths else (units, 0)
    sign = "-" if seconds < 0 and units else ""
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{sign}{text}.{rest}" if tenths else f"{sign}{text}"


def size(count: int) -> str:
    """A number of bytes in decimal units: ``812 bytes``, ``3.1 MB``."""
    if count < 1000:
        return quantity(count, "byte")
    value = float(count)
    for unit in _SIZES:
        value /= 1000
        if value < 999.5 or unit == _SIZES[-1]:
            return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"
    raise AssertionError


def quantity(count: int, noun: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def counted(losses: Mapping[str, int]) -> str:
    """Kinds with their counts, the most frequent first: ``12 x missing packets, 1 x ...``."""
    ranked = sorted(losses.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} x {kind}" for kind, count in ranked)


def plain(text: str) -> str:
    """One line without control characters: names and tags come from files, and terminals obey."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
    )
