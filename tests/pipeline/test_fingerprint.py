"""Digests of inputs and plans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streamrestore.errors import InputUnreadable
from streamrestore.pipeline.fingerprint import hash_input, hash_plan
from streamrestore.weather import Decision, Weather, WeatherEstimate
from streamrestore.windows import Clip

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, 1000, MIB, 2 * MIB + 1, 5 * MIB])
def test_input(tmp_path: Path, size: int) -> None:
    """Name and date do not matter; size, head, middle and tail do."""
    data = bytes(range(256)) * (size // 256 + 1)
    path = tmp_path / "a"
    path.write_bytes(data[:size])
    digest = hash_input([path])

    (tmp_path / "b").write_bytes(data[:size])
    assert hash_input([tmp_path / "b"]) == digest
    places = {0, size // 2, size - 1} if size else ()
    for other in [data[: size + 1], *(data[:n] + b"\xff" + data[n + 1 : size] for n in places)]:
        path.write_bytes(other)
        assert (hash_input([path]) == digest) == (other == data[:size])


def test_pictures(tmp_path: Path) -> None:
    """Of several files, each one counts, and their order."""
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_bytes(path.name.encode())
    assert len({hash_input(paths), hash_input(paths[::-1]), hash_input(paths[:1])}) == 3


def test_input_that_has_gone(tmp_path: Path) -> None:
    """An error of ours, with the name."""
    with pytest.raises(InputUnreadable, match=r"gone\.mp4: No such file"):
        hash_input([tmp_path / "gone.mp4"])
    with pytest.raises(InputUnreadable, match="directory"):
        hash_input([tmp_path])


def test_plan() -> None:
    """What is done with which pictures counts, not how sure the router was."""
    clips = [Clip(0, 50, 0.0, 2.0, "cut"), Clip(50, 100, 2.0, 4.0, "end")]
    rain, none = Decision((Weather.RAIN,), 1.0, "classified"), Decision()
    digest = hash_plan(clips, [rain, none])

    sure = replace(rain, estimate=WeatherEstimate({Weather.RAIN: 0.9}), reason="forced")
    assert hash_plan(clips, [sure, none]) == digest
    others = [
        (clips, [none, rain]),
        (clips, [replace(rain, strength=0.5), none]),
        ([replace(clips[0], reason="length"), clips[1]], [rain, none]),
        ([clips[0], replace(clips[1], stop=99)], [rain, none]),
    ]
    assert digest not in {hash_plan(*other) for other in others}
