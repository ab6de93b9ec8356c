"""Is a file whole, by the sizes that its own headers give? No picture is looked at.

What cannot be seen here: streams without headers (raw H.264), recordings of unknown length (fragmented
MP4, a Matroska file written live) that end exactly between two elements, damage inside the elements that
hold packets, and containers that are not listed in `CHECKS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

_PACKETS_AT_ONCE = 8192
_MARK = 0x47
_MOST_ELEMENTS = 20_000_000  # a week of Matroska; nothing runs for ever

_EBML, _SEGMENT, _CLUSTER, _TRACKS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B
_GROUP = 0xA0
_NESTED = {_TRACKS: 2, _GROUP: 0}
"""Elements that are looked into, and how much deeper."""
_HOLDERS = frozenset({0xAE, 0xE0, 0xE1})
"""What holds others in there: a track, its video, its sound."""
_VOID, _CRC = 0xEC, 0xBF
_IN_FILE = frozenset({_EBML, _SEGMENT, _VOID, _CRC})
_IN_CLUSTER = frozenset({0xE7, 0xA7, 0xAB, 0xA3, _GROUP, 0xAF, 0x5854})
_IN_SEGMENT = _IN_CLUSTER | {
    _CLUSTER, _VOID, _CRC, 0x114D9B74, 0x1549A966, _TRACKS, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,
}  # fmt: skip

_FIRST_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a file's structure.

    Attributes:
        unfinished: what shows that the end is missing.
        broken: what shows that something in the middle is unreadable.
    """

    unfinished: str | None = None
    broken: str | None = None


WHOLE = Finding()


def inspect(path: Path, container: str) -> Finding:
    """Look for missing ends and breaks; a file that cannot be read any more counts as whole.

    Args:
        container: FFmpeg's name of the format.
    """
    for name, check in CHECKS.items():
        if name in container.split(","):
            try:
                with path.open("rb") as file:
                    return check(file, os.fstat(file.fileno()).st_size)
            except OSError:
                return WHOLE
    return WHOLE


def boxes(file: BinaryIO, size: int) -> Finding:
    """MP4 and MOV: does the last box reach beyond the end of the file?

    Fragments have no index that would tell of packets that are gone: they have to follow each other.
    """
    position, fragmented = 0, False
    for _ in range(_MOST_ELEMENTS):
        kind, length = _box(file, position)
        if fragmented and position < size and kind is None:
            return Finding(broken=f"at byte {position} there should be a box, but is none")
        if position >= size or kind is None or length is None:
            break
        if not position and kind not in _FIRST_BOXES:  # not a file of boxes at all
            break
        if position + length > size:
            name = kind.decode("latin-1")
            return Finding(
                f"its {name!r} box should have {length} bytes, but only {size - position} are there"
            )
        if kind == b"moof":
            fragmented, gap = True, _gap_in_boxes(file, position + 8, position + length, {b"traf"})
            if gap is not None:
                return Finding(broken=f"at byte {gap} there should be a box, but is none")
        position += length
    return WHOLE


def has_index(path: Path) -> bool:
    """True if an MP4 or MOV file has the box with its index (moov)."""
    try:
        with path.open("rb") as file:
            position = 0
            for _ in range(_MOST_ELEMENTS):
                kind, length = _box(file, position)
                if kind == b"moov" or length is None:
                    return kind == b"moov"
                position += length
    except OSError:
        pass
    return False


def segment(file: BinaryIO, size: int) -> Finding:
    """Matroska and WebM: do the elements, down to the blocks, follow each other up to the end?"""
    position, end, known = 0, size, _IN_FILE
    cluster, endless = 0, False  # where the last cluster ends, unless it goes on to the next
    for _ in range(_MOST_ELEMENTS):
        if position >= size:
            return WHOLE
        if position > end:
            return Finding(broken=f"what ends at byte {position} does not fit into its segment")
        if position == end:
            known, end = _IN_FILE, size
        file.seek(position)
        head = file.read(12)
        identity, id_length = _vint(head, keep_marker=True)
        length, size_length = _vint(head[id_length:])
        begin = position + id_length + size_length
        if identity not in known or not size_length:
            return Finding(broken=f"at byte {position} there should be an element, but is none")
        if identity == _SEGMENT:
            known = _IN_SEGMENT
            end = size if length is None else begin + length
            if end > size:
                return Finding(f"{end - size} bytes of its segment are missing")
        inside, anywhere = identity in _IN_CLUSTER, identity in (_VOID, _CRC)
        if (inside and position >= cluster) or not (inside or anywhere or position >= cluster or endless):
            return Finding(broken=f"the cluster around byte {position} does not have the size that it says")
        if identity == _CLUSTER:
            cluster, endless = (size, True) if length is None else (begin + length, False)
        if identity in (_SEGMENT, _CLUSTER):
            position = begin
        elif length is None:
            return Finding(broken=f"the element at byte {position} has no size")
        elif begin + length > size:
            return Finding(f"{begin + length - size} bytes of its last element are missing")
        else:
            position = begin + length
            depth = _NESTED.get(identity)
            gap = None if depth is None else _gap_in_elements(file, begin, position, depth)
            if gap is not None:
                return Finding(broken=f"the element at byte {gap} does not fit into the one around it")
    return WHOLE


def riff(file: BinaryIO, size: int) -> Finding:
    """AVI: does a RIFF chunk reach beyond the end of the file?"""
    position = 0
    for _ in range(_MOST_ELEMENTS):
        file.seek(position)
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF":
            break
        length = int.from_bytes(head[4:8], "little")
        if length in (0, 0xFFFFFFFF):
            return Finding("its size was never written: the recording was broken off")
        if position + 8 + length > size:
            there = size - position - 8
            return Finding(f"its RIFF chunk should have {length} bytes, but only {there} are there")
        gap = _gap_in_chunks(file, position + 12, position + 8 + length)
        if gap is not None:
            return Finding(broken=f"at byte {gap} there should be a chunk, but is none")
        position += 8 + length + length % 2
    return WHOLE


def transport(file: BinaryIO, size: int) -> Finding:
    """MPEG transport streams: is there a packet after each, and is the last one whole?"""
    head = file.read(1024)
    for length, sync in ((188, 0), (192, 4), (204, 0)):
        marks = head[sync::length]
        if len(marks) > 2 and all(mark == _MARK for mark in marks):
            rest, gap = size % length, _gap_in_packets(file, length, sync)
            return Finding(
                f"its last packet has only {rest} of {length} bytes" if rest else None,
                None if gap is None else f"at byte {gap} there should be a packet, but is none",
            )
    return WHOLE


CHECKS: Mapping[str, Callable[[BinaryIO, int], Finding]] = {
    "mp4": boxes,
    "matroska": segment,
    "avi": riff,
    "mpegts": transport,
}
"""By one of FFmpeg's names of the container."""


def _box(file: BinaryIO, position: int) -> tuple[bytes | None, int | None]:
    """Kind and length of a box; None if there is none, or (the length) if it goes on to the end."""
    file.seek(position)
    head = file.read(16)
    kind = head[4:8]
    if len(kind) < 4 or not all(32 <= byte < 127 for byte in kind):
        return None, None
    length = int.from_bytes(head[:4], "big")
    if length == 1 and len(head) == 16:
        length = int.from_bytes(head[8:], "big")
    return kind, length if length >= 8 else None


def _gap_in_boxes(file: BinaryIO, position: int, end: int, nests: Collection[bytes] = ()) -> int | None:
    """Where boxes do not fill what is around them, nor those in the ones that `nests` names."""
    while position < end:
        kind, length = _box(file, position)
        if kind is None or length is None or position + length > end:
            return position
        gap = _gap_in_boxes(file, position + 8, position + length) if kind in nests else None
        if gap is not None:
            return gap
        position += length
    return None


def _gap_in_elements(file: BinaryIO, position: int, end: int, depth: int) -> int | None:
    """Where Matroska's elements do not fit into what is around them."""
    while position < end:
        file.seek(position)
        head = file.read(12)
        identity, id_length = _vint(head, keep_marker=True)
        length, size_length = _vint(head[id_length:])
        begin = position + id_length + size_length
        if not size_length or length is None or begin + length > end:
            return position
        inside = depth and identity in _HOLDERS
        gap = _gap_in_elements(file, begin, begin + length, depth - 1) if inside else None
        if gap is not None:
            return gap
        position = begin + length
    return None


def _gap_in_chunks(file: BinaryIO, position: int, end: int) -> int | None:
    """Where chunks of AVI do not follow each other."""
    for _ in range(_MOST_ELEMENTS):
        if position + 8 > end:
            break
        file.seek(position)
        head = file.read(12)
        kind, length = head[:4], int.from_bytes(head[4:8], "little")
        if not all(32 <= byte < 127 for byte in kind) or position + 8 + length > end:
            return position
        position += 12 if kind == b"LIST" else 8 + length + length % 2
    return None


def _gap_in_packets(file: BinaryIO, length: int, sync: int) -> int | None:
    """Where a packet of a transport stream does not begin with its mark."""
    file.seek(0)
    position = 0
    while data := file.read(length * _PACKETS_AT_ONCE):
        marks = np.frombuffer(data, np.uint8)[sync::length]
        wrong = np.flatnonzero(marks != _MARK)
        if wrong.size:
            return position + int(wrong[0]) * length
        position += len(data)
    return None


def _vint(data: bytes, *, keep_marker: bool = False) -> tuple[int | None, int]:
    """EBML's integer of variable length, and how many bytes it took; None if all its bits are set."""
    if not data or not data[0]:
        return None, 0
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return None, 0
    value = int.from_bytes(data[:length], "big")
    if keep_marker:
        return value, length
    value &= (1 << 7 * length) - 1
    return (None if value == (1 << 7 * length) - 1 else value), length
