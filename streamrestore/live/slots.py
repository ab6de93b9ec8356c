"""Pictures that pass from a capture process to the service through shared memory.

The memory is a file without a name, cut into slots. Who owns a slot may touch it, and ownership travels in
messages: the writer fills a free slot and tells where the picture lies; the reader copies it out, or drops
it, and gives the slot back. So neither waits for the other, no picture is ever half one and half the next,
and when a process dies, its memory goes with the last one that holds it: nothing is left on the disk.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streamrestore.errors import SessionError
from streamrestore.frames import PixelFormat, Plane

PAGE = mmap.PAGESIZE
LARGEST = 4 << 30
"""Bytes that the pictures of one source may take in all."""


def memory_file() -> int:
    """An empty file in memory, without a name, that can grow but not shrink: its descriptor."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
    descriptor = os.memfd_create("streamrestore", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return descriptor


def picture_bytes(format: PixelFormat, width: int, height: int) -> int:
    """Of all planes, without padding."""
    samples = sum(h * w for h, w in format.plane_sizes(width, height))
    return samples * format.dtype.itemsize


class SlotWriter:
    """The side that fills slots; `put` and `free` may be called by two threads.

    Args:
        descriptor: of the memory; it is closed with the writer.
        count: slots.
    """

    def __init__(self, descriptor: int, count: int) -> None:
        self._descriptor, self._count = descriptor, count
        self._free: deque[int] = deque()
        self._first, self._size = 0, 0
        """Where the present slots begin, and how large each is."""
        self._memory: mmap.mmap | None = None

    def put(self, planes: Sequence[Plane]) -> int | None:
        """Copy a picture into a free slot, plane after plane.

        Returns:
            Where it lies in the memory; None if the reader has not given back any slot.

        Raises:
            SessionError: there is not so much memory.
        """
        needed = sum(plane.size * plane.itemsize for plane in planes)
        if needed > self._size:
            self._grow(needed)
        try:
            place = self._free.popleft()
        except IndexError:
            return None
        assert self._memory is not None
        start = place
        for plane in planes:
            room = np.frombuffer(self._memory, plane.dtype, plane.size, start)
            np.copyto(room.reshape(plane.shape), plane)
            start += plane.size * plane.itemsize
        return place

    def free(self, place: int) -> None:
        """Take back a slot from the reader; those of an outgrown size are left alone."""
        if place >= self._first:
            self._free.append(place)

    def close(self) -> None:
        """Let go of the memory; what the reader was told of stays there for it."""
        self._memory = None
        os.close(self._descriptor)

    def _grow(self, needed: int) -> None:
        """Make new, larger slots behind the present ones, whose pictures may still be read."""
        first = self._first + self._size * self._count
        size = -(-needed // PAGE) * PAGE
        end = first + size * self._count
        if end > LARGEST:
            raise SessionError(f"pictures of {needed} bytes do not fit into the memory of a source")
        try:
            if hasattr(os, "posix_fallocate"):  # now or never: a later lack of memory would kill the process
                os.posix_fallocate(self._descriptor, first, end - first)
            else:
                os.ftruncate(self._descriptor, end)
            self._memory = mmap.mmap(self._descriptor, end)
        except OSError as error:
            raise SessionError(f"no memory for {self._count} pictures of {needed} bytes: {error}") from error
        self._free = deque(range(first, end, size))
        self._first, self._size = first, size


class SlotReader:
    """The side that reads. It makes the memory, and hands its descriptor to the writer's process."""

    def __init__(self) -> None:
        self.descriptor = memory_file()
        self._close = weakref.finalize(self, os.close, self.descriptor)
        self._memory: mmap.mmap | None = None

    def read(self, place: int, format: PixelFormat, width: int, height: int) -> tuple[Plane, ...]:
        """Copies of a picture's planes.

        Raises:
            SessionError: there is no such place: whoever told it is broken.
        """
        end = place + picture_bytes(format, width, height)
        if self._memory is None or end > len(self._memory):
            self._map(end)
        assert self._memory is not None
        planes: list[npt.NDArray[Any]] = []
        for rows, columns in format.plane_sizes(width, height):
            stored = np.frombuffer(self._memory, format.dtype, rows * columns, place)
            planes.append(stored.reshape(rows, columns).copy())
            place += stored.nbytes
        return tuple(planes)

    def close(self) -> None:
        """Let go of the memory; so does the end of the object."""
        self._memory = None
        self._close()

    def _map(self, end: int) -> None:
        size = os.fstat(self.descriptor).st_size
        if end > size:
            raise SessionError(f"a picture lies beyond the memory it should lie in: {end} > {size} bytes")
        self._memory = mmap.mmap(self.descriptor, size, prot=mmap.PROT_READ)
