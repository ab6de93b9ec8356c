"""Where sizes and counts stand in a file. Bytes in, places out; nothing is raised for any bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

_NESTS = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"moof", b"traf", b"mvex", b"dinf"}
)
_COUNTED = {b"stsz": 16, b"trun": 12, b"elst": 12, b"dref": 12, b"stsd": 12} | dict.fromkeys(
    (b"stts", b"stco", b"stsc", b"ctts", b"stss"), 12
)
"""Boxes with a count, and where it stands in them."""
_MASTERS = frozenset({0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xE0, 0xE1, 0x1C53BB6B, 0x1254C367, 0xA0})
_PACKET = 188


@dataclass(frozen=True, slots=True)
class Field:
    """A number in a file.

    Attributes:
        what: it belongs to: a box, an element, a chunk.
    """

    what: str
    offset: int
    width: int
    order: Literal["big", "little"] = "big"


def boxes(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[Field]:
    """Sizes and counts in MP4 and MOV."""
    end = len(data) if end is None else end
    while begin + 8 <= end:
        size, kind = int.from_bytes(data[begin : begin + 4], "big"), data[begin + 4 : begin + 8]
        name = kind.decode("latin-1")
        yield Field(f"size of {name}", begin, 4)
        if kind in _COUNTED:
            yield Field(f"count of {name}", begin + _COUNTED[kind], 4)
        if kind in _NESTS:
            yield from boxes(data, begin + 8, min(begin + size, end))
        if size < 8:
            return
        begin += size


def elements(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[Field]:
    """Sizes in Matroska and WebM."""
    end = len(data) if end is None else end
    while begin < end and data[begin]:
        id_width = 9 - data[begin].bit_length()
        at = begin + id_width
        if at >= end or not data[at]:
            return
        width = 9 - data[at].bit_length()
        identity = int.from_bytes(data[begin:at], "big")
        size = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
        unknown = size == (1 << 7 * width) - 1
        yield Field(f"size of {identity:X}", at, width)
        inside = at + width
        if identity in _MASTERS:
            yield from elements(data, inside, end if unknown else min(inside + size, end))
        if unknown:
            return
        begin = inside + size


def chunks(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[Field]:
    """Sizes in AVI."""
    end = len(data) if end is None else end
    while begin + 8 <= end:
        kind, size = data[begin : begin + 4], int.from_bytes(data[begin + 4 : begin + 8], "little")
        yield Field(f"size of {kind.decode('latin-1')}", begin + 4, 4, "little")
        if kind in (b"RIFF", b"LIST"):
            yield from chunks(data, begin + 12, min(begin + 8 + size, end))
        begin += 8 + size + size % 2


def packets(data: bytes) -> Iterator[Field]:
    """Lengths in transport streams: of tables, of adaptation fields, of elementary packets."""
    for begin in range(0, len(data) - _PACKET + 1, _PACKET):
        starts, pid = data[begin + 1] & 0x40, int.from_bytes(data[begin + 1 : begin + 3], "big") & 0x1FFF
        if data[begin + 3] & 0x20:
            yield Field(f"adaptation field of {pid:x}", begin + 4, 1)
        elif starts and data[begin + 4 : begin + 7] == b"\0\0\1":
            yield Field(f"length in {pid:x}", begin + 8, 2)
        elif starts:
            yield Field(f"table of {pid:x}", begin + 6, 2)


FIELDS: Mapping[str, Callable[[bytes], Iterator[Field]]] = {
    "mp4": boxes, "mov": boxes, "mkv": elements, "webm": elements, "avi": chunks, "ts": packets,
}  # fmt: skip
"""By the ending of a name."""
