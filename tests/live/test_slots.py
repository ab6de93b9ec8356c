"""Pictures in shared memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.errors import SessionError
from streamrestore.frames import PixelFormat
from streamrestore.live import slots
from streamrestore.live.slots import SlotReader, SlotWriter, picture_bytes
from tests.cli.process import ENVIRONMENT

GRAY = PixelFormat("gray")
FORMATS = [GRAY, PixelFormat("yuv", 8, 1, 1), PixelFormat("yuv", 10, 1, 0), PixelFormat("rgb", 12)]
COUNT = 3


def planes(format: PixelFormat, width: int, height: int, seed: int) -> list[np.ndarray[Any, Any]]:
    """A picture that no other seed has."""
    random = np.random.default_rng(seed)
    sizes = format.plane_sizes(width, height)
    return [random.integers(0, format.peak + 1, size).astype(format.dtype) for size in sizes]


@pytest.fixture
def pair():
    """Both sides, in one process."""
    reader = SlotReader()
    writer = SlotWriter(os.dup(reader.descriptor), COUNT)
    yield writer, reader
    writer.close()
    reader.close()


@pytest.mark.parametrize("format", FORMATS)
def test_every_sample_arrives(pair, format: PixelFormat) -> None:
    """Of any depth and subsampling, odd sizes included, also from views with padding."""
    writer, reader = pair
    written = planes(format, 33, 17, 1)
    padded = [np.pad(plane, ((0, 1), (0, 7)))[:-1, :-7] for plane in written]

    place = writer.put(padded)

    for before, after in zip(written, reader.read(place, format, 33, 17), strict=True):
        np.testing.assert_array_equal(before, after)
        assert after.flags.owndata


@given(st.lists(st.tuples(st.sampled_from(["put", "read"]), st.integers(1, 70)), max_size=40))
def test_any_order(steps: list[tuple[str, int]]) -> None:
    """Whatever is written and given back, in whatever sizes: each picture is read as it was written.

    There is no slot exactly when all of the present size are out.
    """
    reader = SlotReader()
    writer = SlotWriter(os.dup(reader.descriptor), COUNT)
    out: list[tuple[int, int, int]] = []
    largest = first = 0
    for seed, (step, width) in enumerate(steps):
        if step == "put":
            size = -(-picture_bytes(GRAY, width * 100, 16) // slots.PAGE) * slots.PAGE
            if size > largest:
                first, largest = first + largest * COUNT, size
            place = writer.put(planes(GRAY, width * 100, 16, seed))
            assert (place is None) == (sum(each[0] >= first for each in out) == COUNT)
            if place is not None:
                out.append((place, width, seed))
        elif out:
            place, width, seed = out.pop(0)
            (plane,) = reader.read(place, GRAY, width * 100, 16)
            np.testing.assert_array_equal(plane, planes(GRAY, width * 100, 16, seed)[0])
            writer.free(place)
    writer.close()
    reader.close()


def test_no_slot_is_no_error(pair) -> None:
    """Whoever does not get one drops the picture; one that comes back is used."""
    writer, _ = pair
    picture = planes(GRAY, 20, 20, 1)
    places = [writer.put(picture) for _ in range(COUNT)]

    assert len(set(places)) == COUNT
    assert writer.put(picture) is None
    writer.free(places[1])
    assert writer.put(picture) == places[1]


def test_a_place_that_is_none(pair) -> None:
    """A broken process cannot have the service read elsewhere."""
    writer, reader = pair
    writer.put(planes(GRAY, 20, 20, 1))

    with pytest.raises(SessionError, match="beyond"):
        reader.read(1 << 40, GRAY, 20, 20)


def test_too_large(pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of a source has a limit."""
    writer, _ = pair
    monkeypatch.setattr(slots, "LARGEST", 1 << 20)

    with pytest.raises(SessionError, match="do not fit"):
        writer.put(planes(GRAY, 1000, 1000, 1))


WRITES_FOR_EVER = """
import sys
import numpy as np
from streamrestore.live.slots import SlotWriter

writer = SlotWriter(int(sys.argv[1]), 2)
for number in range(1 << 30):
    place = writer.put([np.full((600, 800), number % 256, np.uint8)])
    sys.stdout.write(f"{place}\\n")
    sys.stdout.flush()
    writer.free(int(sys.stdin.readline()))
"""


def test_the_writer_dies_while_it_writes() -> None:
    """What it has told of is whole, and can still be read; nothing is left of the memory anywhere."""
    reader = SlotReader()
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES_FOR_EVER, str(reader.descriptor)],
        pass_fds=[reader.descriptor],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(200):
        place = int(process.stdout.readline())
        if number == 199:
            break
        (plane,) = reader.read(place, GRAY, 800, 600)
        assert (plane == number % 256).all()
        process.stdin.write(f"{place}\n")
        process.stdin.flush()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()

    (plane,) = reader.read(place, GRAY, 800, 600)

    assert (plane == 199).all()
    reader.close()
