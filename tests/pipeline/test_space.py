"""How much room a job needs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.encode import VideoHead
from streamrestore.encode.codecs import CODECS
from streamrestore.errors import OutputError
from streamrestore.frames import ColorInfo, PixelFormat
from streamrestore.pipeline.space import check_space, needed_bytes, video_bytes

HEAD = VideoHead(
    1920, 1080, PixelFormat("yuv", 8, 1, 1), ColorInfo(), 0, Fraction(1), Fraction(25), Fraction(1, 25),
    Fraction(0),
)  # fmt: skip
HOUR = 25 * 3600


@pytest.mark.parametrize(
    ("codec", "crf", "gigabytes"),
    [
        ("h264", None, 4.7),
        ("h264", 12.0, 9.3),
        ("h264", 24.0, 2.3),
        ("hevc", None, 3.3),
        ("av1", None, 2.6),
        ("vp9", None, 3.5),
        ("ffv1", None, 70.0),
    ],
)
def test_an_hour(codec: str, crf: float | None, gigabytes: float) -> None:
    """An hour of 1080p at 25 pictures per second."""
    assert video_bytes(HEAD, CODECS[codec], crf, HOUR) / 1e9 == pytest.approx(gigabytes, rel=0.02)


def test_lossless_goes_by_the_samples() -> None:
    """4:4:4 with 10 bits has two and a half times the bits of 4:2:0 with 8."""
    deep = replace(HEAD, format=PixelFormat("yuv", 10))
    ratio = video_bytes(deep, CODECS["ffv1"], None, 100) / video_bytes(HEAD, CODECS["ffv1"], None, 100)
    assert ratio == pytest.approx(2.5)


@given(st.integers(1, 10**6), st.data())
def test_segments_and_the_whole(frames: int, data: st.DataObject) -> None:
    """Both are on the disk at the end; what is done needs no more room."""
    done = data.draw(st.integers(0, frames))
    others = data.draw(st.integers(0, 10**9))
    codec = CODECS["h264"]
    whole = video_bytes(HEAD, codec, None, frames)

    needed = needed_bytes(HEAD, codec, None, frames, done=done, others=others)

    assert whole + others <= needed <= 2 * whole + others
    assert needed_bytes(HEAD, codec, None, frames) == 2 * whole


def test_disk(tmp_path: Path) -> None:
    """What cannot fit is refused, with figures; what can is not."""
    check_space(tmp_path, 1)
    with pytest.raises(
        OutputError, match=r"about 1000000000\.0 GB are needed there, .* are free; free some, or name"
    ):
        check_space(tmp_path, 10**18)
    with pytest.raises(OutputError, match="does not exist"):
        check_space(tmp_path / "no", 1)
