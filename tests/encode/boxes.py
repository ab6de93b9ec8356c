"""Boxes of mp4, changed in finished files: FFmpeg writes few edit lists and no unknown boxes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

Edits = Sequence[tuple[float, int]]
"""Seconds that each part lasts, and where in the stream it begins; -1: nothing is shown."""


def set_edits(path: Path, track: int, edits: Edits) -> None:
    """Give a track of an mp4 another edit list."""
    data = bytearray(path.read_bytes())
    moov = next(box for box in boxes(data, 0, len(data)) if box[0] == b"moov")
    assert moov[2] == len(data)  # nothing behind it has to move
    inside = list(boxes(data, moov[1] + 8, moov[2]))
    scale = struct.unpack_from(">I", data, next(box[1] for box in inside if box[0] == b"mvhd") + 20)[0]
    trak = [box for box in inside if box[0] == b"trak"][track]
    old = next(box for box in boxes(data, trak[1] + 8, trak[2]) if box[0] == b"edts")
    entries = b"".join(struct.pack(">IiI", round(length * scale), at, 0x10000) for length, at in edits)
    elst = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits)) + entries
    data[old[1] : old[2]] = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
    for _, begin, end in (trak, moov):
        struct.pack_into(">I", data, begin, end - begin + 8 + len(elst) - (old[2] - old[1]))
    path.write_bytes(data)


def boxes(data: bytes | bytearray, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of each box."""
    while begin < end:
        size, kind = struct.unpack_from(">I4s", data, begin)
        yield kind, begin, begin + size
        begin += size


def add_to_sample_entry(path: Path, box: bytes) -> None:
    """Put a box behind the others that describe the pictures of an mp4 with H.264 only."""
    data = bytearray(path.read_bytes())
    begin, end, parents = 0, len(data), []
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        _, start, end = next(found for found in boxes(data, begin, end) if found[0] == kind)
        parents.append(start)
        begin = start + (16 if kind == b"stsd" else 8)
    data[end:end] = box
    for start in parents:
        struct.pack_into(">I", data, start, struct.unpack_from(">I", data, start)[0] + len(box))
    path.write_bytes(data)
