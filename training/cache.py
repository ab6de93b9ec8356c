"""Decoded pictures of a folder in one memory-mapped file: decoded once, shared by all processes.

A cache is two files: ``.bin`` has the samples of all pictures, uint8 RGB, one after the other; ``.json``
says where each begins. Both are named by a hash of the folder's listing (names, sizes and times of change):
a folder that has changed has no cache, and is decoded again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import numpy as np

from training.data import Picture, Place, list_pictures, read_picture


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """Where a picture (H, W, 3) is: of its first sample the offset, and its size."""

    offset: int
    height: int
    width: int


class PictureCache:
    """Reads pictures as `training.data.read_picture` does, but a folder's are decoded only once, all of them.

    What it gives cannot be written to.

    Args:
        folder: of the cache files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[Path, dict[str, Picture]] = {}

    def __call__(self, path: Place) -> Picture:
        """RGB, (H, W, 3) uint8.

        Raises:
            FileNotFoundError: it is not there, or no picture.
        """
        if not isinstance(path, Path):  # a pack has no times of change, and is small enough to be decoded
            return read_picture(path)
        if path.parent not in self._opened:
            self._opened[path.parent] = open_cache(path.parent, self._folder)
        if path.name not in self._opened[path.parent]:
            raise FileNotFoundError(f"{path}: not a picture of its folder")
        return self._opened[path.parent][path.name]


def open_cache(pictures: Path, folder: Path) -> dict[str, Picture]:
    """Pictures of a folder by name, as views of a cache file in `folder`, written if need be."""
    owner = f"{pictures.name}-{hashlib.sha256(str(pictures.resolve()).encode()).hexdigest()[:8]}"
    samples = folder / f"{owner}-{listing_hash(pictures)}.bin"
    index = samples.with_suffix(".json")
    if not index.exists():
        write_cache(pictures, samples, index)
        for old in set(folder.iterdir()) - {samples, index}:
            if old.name.startswith(f"{owner}-"):
                old.unlink(missing_ok=True)  # who has it open keeps it
    entries = msgspec.json.decode(index.read_bytes(), type=dict[str, Entry])
    mapped = np.asarray(np.memmap(samples, np.uint8, "r"))
    return {
        name: mapped[e.offset : e.offset + 3 * e.height * e.width].reshape(e.height, e.width, 3)
        for name, e in entries.items()
    }


def write_cache(pictures: Path, samples: Path, index: Path) -> None:
    """Decode all pictures of a folder; the index comes last, so that a torn cache has none.

    Processes that do so at the same time do not meet: each writes under a name of its own.
    """
    samples.parent.mkdir(parents=True, exist_ok=True)
    partial = samples.with_name(f".{samples.name}.{os.getpid()}.partial")
    entries: dict[str, Entry] = {}
    try:
        with partial.open("wb") as file:
            for path in list_pictures(pictures):
                picture = read_picture(path)
                entries[path.name] = Entry(file.tell(), *picture.shape[:2])
                file.write(picture.data)
        partial.replace(samples)
        partial.write_bytes(msgspec.json.encode(entries))
        partial.replace(index)
    finally:
        partial.unlink(missing_ok=True)


def listing_hash(folder: Path) -> str:
    """Sixteen hexadecimal digits that change with the names, sizes and times of change of its pictures."""
    stats = ((path.name, path.stat()) for path in list_pictures(folder))
    lines = (f"{name}\t{stat.st_size}\t{stat.st_mtime_ns}" for name, stat in stats)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
