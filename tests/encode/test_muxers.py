"""Copied streams that FFmpeg's muxers would get wrong if they were left to it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamrestore.encode import CannotCopy, copy_file
from streamrestore.encode.streams import add_copy
from streamrestore.encode.tags import _MAC_LANGUAGES
from streamrestore.settings import EncodeSettings
from tests.encode.helpers import packet_hashes, read_source, read_times, restore
from tests.reliability.clips import Recipe, make_clip

PICTURES = Recipe("h264", tuple(range(40)), Fraction(1, 25), Fraction(25))


def clip(path: Path, codec: str = "h264", **more: object) -> Path:
    """A small video."""
    make_clip(path, Recipe(codec, PICTURES.times, PICTURES.time_base, PICTURES.rate, **more))  # type: ignore[arg-type]
    return path


def test_languages_in_quicktime(tmp_path: Path) -> None:
    """None gets lost, by whichever code it is known there."""
    languages = ["eng", "fra", "ron", "ces", "slk", "spa", *_MAC_LANGUAGES]
    with av.open(str(tmp_path / "out.mov"), "w") as out:
        for language in languages:
            with av.open("null", "w", format="null") as scratch:
                stream = scratch.add_stream("pcm_s16le", rate=8000, layout="mono")
                stream.metadata["language"] = language
                add_copy(out, stream)
        out.start_encoding()
        for stream in out.streams:
            packet = av.Packet(bytes(64))
            packet.pts = packet.dts = 0
            packet.stream = stream
            out.mux(packet)

    with av.open(str(tmp_path / "out.mov")) as new:
        found = [stream.language for stream in new.streams]
    assert found == [_MAC_LANGUAGES.get(language, language) for language in languages]


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
