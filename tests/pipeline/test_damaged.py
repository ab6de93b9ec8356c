"""Damaged files whose sound, or whose packets as they are, cannot be written: what decodes comes out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamrestore.decode import open_source
from streamrestore.engine import Restorer
from streamrestore.pipeline.job import restore_file
from streamrestore.settings import JobSettings, read_settings
from tests.media import flip_bytes, read_planes
from tests.reliability.clips import Recipe, make_clip

PICTURES = Recipe("h264", tuple(range(50)), Fraction(1, 25), Fraction(25))


def clip(path: Path, codec: str, *sound: str) -> None:
    """A video of two seconds."""
    make_clip(path, Recipe(codec, PICTURES.times, PICTURES.time_base, PICTURES.rate, audio=sound))


def settings(**encode: object) -> JobSettings:
    """Nothing is restored."""
    return read_settings(JobSettings, {"restore": {"branch": "none"}, "encode": encode})


@pytest.mark.parametrize("encode", [{"force_encode": True}, {}], ids=["encoded", "copied"])
def test_sound_that_cannot_be_written(tmp_path: Path, restorer: Restorer, encode: dict[str, object]) -> None:
    """A packet of it that the muxer refuses is left out and counted; all pictures are there."""
    source, target = tmp_path / "in.ts", tmp_path / "out.mkv"
    clip(source, "mpeg2", "aac")
    flip_bytes(source, 40, seed=5)

    report = restore_file(str(source), target, settings(**encode), restorer=restorer)

    assert report.losses["refused packet of another stream"] == 1
    assert report.copied == (not encode)
    assert report.frames == 50 == len(read_planes(target).planes)
    with av.open(str(target)) as made:
        assert sum(1 for packet in made.demux(audio=0) if packet.size) > 80


@pytest.mark.parametrize("encode", [{"force_encode": True}, {}], ids=["encoded", "copied"])
def test_streams_that_appear_late(tmp_path: Path, restorer: Restorer, encode: dict[str, object]) -> None:
    """Damage makes up streams on the way: they are of no interest."""
    source, target = tmp_path / "in.ts", tmp_path / "out.ts"
    clip(source, "mpeg2", "mp2")
    flip_bytes(source, 150, seed=2)

    report = restore_file(str(source), target, settings(**encode), restorer=restorer)

    assert report.has_losses
    with av.open(str(target)) as made:
        assert [stream.type for stream in made.streams] == ["video", "audio"]
        assert sum(1 for packet in made.demux(audio=0) if packet.size) > 50


def test_a_copy_that_does_not_play(tmp_path: Path, restorer: Restorer) -> None:
    """A damaged video that nobody could decode in its new container is encoded."""
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    clip(source, "av1")
    with av.open(str(source)) as container:
        begin, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size and p.pos is not None][30]
    data = bytearray(source.read_bytes())
    data[begin : begin + size] = b"\xff" * size
    source.write_bytes(data)
    with open_source(source) as opened:
        pictures = sum(len(batch) for batch in opened)
    assert 0 < pictures < 50

    report = restore_file(str(source), target, settings(), restorer=restorer)

    assert not report.copied
    assert report.has_losses
    assert report.frames == pictures == len(read_planes(target).planes)
