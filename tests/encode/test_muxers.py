"""Copied streams that FFmpeg's muxers would get wrong if they were left to it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamrestore.encode import CannotCopy, copy_file
from streamrestore.encode.tags import _MAC_LANGUAGES
from streamrestore.settings import EncodeSettings
from tests.encode.helpers import packet_hashes, read_source, read_times, restore
from tests.reliability.clips import Recipe, make_clip

PICTURES = Recipe("h264", tuple(range(40)), Fraction(1, 25), Fraction(25))


def clip(path: Path, codec: str = "h264", **more: object) -> Path:
    """A small video."""
    make_clip(path, Recipe(codec, PICTURES.times, PICTURES.time_base, PICTURES.rate, **more))  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("language", ["eng", "fra", "ron", "ces", "slk", *_MAC_LANGUAGES])
def test_languages_in_quicktime(tmp_path: Path, language: str) -> None:
    """None gets lost, by whichever code it is known there."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mov"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        stream.metadata["language"] = language
        video = out.add_stream("mpeg4", rate=25)
        video.width, video.height = 32, 32
        out.mux(video.encode(av.VideoFrame(32, 32, "yuv420p")))
        out.mux(video.encode(None))
        sound = av.AudioFrame(format="s16", layout="mono", samples=64)
        sound.sample_rate = 8000
        out.mux(stream.encode(sound))

    copy_file(source, target, read_source(source)[0], EncodeSettings())

    with av.open(str(target)) as new:
        assert new.streams.audio[0].language == _MAC_LANGUAGES.get(language, language)


def test_ac3_from_avi_to_avi(tmp_path: Path) -> None:
    """It keeps its times: avi says something else about its packets than its muxer makes of it."""
    source, target = clip(tmp_path / "in.avi", "mpeg4", audio=("ac3",)), tmp_path / "out.avi"

    restore(source, target)

    assert packet_hashes(target) == packet_hashes(source)
    assert read_times(target).audio == read_times(source).audio


@pytest.mark.parametrize("extension", [".mp4", ".mov"])
def test_pauses_between_texts_are_written_once(tmp_path: Path, extension: str) -> None:
    """The muxers add them, so those of the source are not copied."""
    source, target = clip(tmp_path / "in.mp4", subtitles="mov_text"), tmp_path / f"out{extension}"

    restore(source, target)

    assert packet_hashes(target, "subtitle") == packet_hashes(source, "subtitle")


@pytest.mark.parametrize(("extension", "fits"), [(".mkv", False), (".mp4", False), (".avi", True)])
def test_mpeg4_in_transport_streams(tmp_path: Path, extension: str, fits: bool) -> None:
    """It is copied only if its header is in the packets: nobody could decode it otherwise."""
    source, target = clip(tmp_path / f"in{extension}", "mpeg4"), tmp_path / "out.ts"
    info = read_source(source)[0]
    if not fits:
        with pytest.raises(CannotCopy, match="no place for the header"):
            copy_file(source, target, info, EncodeSettings())
        return

    copy_file(source, target, info, EncodeSettings())

    assert len(read_times(target).video) == 40
