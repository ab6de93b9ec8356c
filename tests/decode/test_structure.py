"""Breaks in the middle of a file that its own headers show; what is whole shows none."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from streamrestore.decode import open_source
from streamrestore.decode.structure import WHOLE, inspect
from tests.reliability.anatomy import FIELDS, boxes
from tests.reliability.clips import Recipe, make_clip

FORMATS = {"mp4": "mov,mp4", "mkv": "matroska,webm", "webm": "matroska,webm", "avi": "avi", "ts": "mpegts"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}


def clip(path: Path, codec: str, **more: object) -> bytearray:
    """A video of two seconds; its bytes."""
    make_clip(path, Recipe(codec, tuple(range(50)), Fraction(1, 25), Fraction(25), **more))  # type: ignore[arg-type]
    return bytearray(path.read_bytes())


def with_number(data: bytearray, what: str, value: Callable[[int], int], which: int = -1) -> bytearray:
    """The bytes with another size or count in one place."""
    box = "mkv" if data[:4] == b"\x1a\x45\xdf\xa3" else "avi" if data[:4] == b"RIFF" else "mp4"
    fields = [field for field in FIELDS[box](bytes(data)) if field.what == what]
    field = fields[which]
    stop = field.offset + field.width
    old = int.from_bytes(data[field.offset : stop], field.order)
    data[field.offset : stop] = value(old).to_bytes(field.width, field.order)
    return data


def zeroed(data: bytearray, begin: int, length: int) -> bytearray:
    """The bytes without some of them."""
    data[begin : begin + length] = bytes(length)
    return data


class TestWhole:
    """Files of which nothing is missing."""

    @pytest.mark.parametrize(
        ("name", "codec", "more"),
        [
            ("fragments.mp4", "h264", {"audio": ("aac",), "options": FRAGMENTED}),
            ("texts.mp4", "h264", {"audio": ("aac",), "subtitles": "mov_text", "chapters": True}),
            ("full.mkv", "hevc", {"audio": ("flac", "aac"), "subtitles": "ass", "attachment": True}),
            ("live.mkv", "h264", {"audio": ("aac",), "options": {"live": "1"}}),
            ("short-clusters.mkv", "mpeg4", {"options": {"cluster_time_limit": "200"}}),
            ("texts.webm", "vp9", {"audio": ("libopus",), "subtitles": "webvtt", "chapters": True}),
            ("sound.avi", "mpeg4", {"audio": ("pcm_s16le", "libmp3lame")}),
            ("late.ts", "mpeg2", {"audio": ("mp2", "aac")}),
        ],
    )
    def test_nothing_shows(self, tmp_path: Path, name: str, codec: str, more: dict[str, object]) -> None:
        """Whatever FFmpeg writes."""
        clip(tmp_path / name, codec, **more)
        assert inspect(tmp_path / name, FORMATS[name.rpartition(".")[2]]) == WHOLE


class TestBroken:
    """Damage that FFmpeg reads past without a word."""

    def broken(self, path: Path, data: bytes) -> None:
        """The structure shows it, and the source counts it."""
        path.write_bytes(data)
        assert inspect(path, FORMATS[path.suffix[1:]]).broken is not None
        with open_source(path) as source:
            for _ in source:
                pass
            assert source.status.losses["unreadable data"]

    @pytest.mark.parametrize("part", [0, 60])
    def test_a_fragment_that_is_gone(self, tmp_path: Path, part: int) -> None:
        """Its header, or what is in it."""
        path = tmp_path / "a.mp4"
        data = clip(path, "h264", options=FRAGMENTED)
        begin = [field.offset for field in boxes(bytes(data)) if field.what == "size of moof"][2]
        self.broken(path, zeroed(data, begin + part, 40))

    @pytest.mark.parametrize(
        ("what", "value"),
        [
            ("size of 1F43B675", lambda old: old // 2 | 0x4000),
            ("size of 1F43B675", lambda old: old + 50),
            ("size of 9B", lambda old: old + 6),
            ("size of AE", lambda old: old + 3),
            ("size of E1", lambda old: old + 3),
        ],
    )
    def test_matroska(self, tmp_path: Path, what: str, value: Callable[[int], int]) -> None:
        """A cluster, a block's duration, a track, a track's sound of another size than it says."""
        path = tmp_path / "a.mkv"
        options = {"cluster_time_limit": "500"}
        data = clip(path, "h264", audio=("aac",), subtitles="subrip", options=options)
        self.broken(path, with_number(data, what, value, 0))

    def test_a_short_segment(self, tmp_path: Path) -> None:
        """Matroska that says it ends in the middle."""
        path = tmp_path / "a.mkv"
        data = clip(path, "h264")
        half = 1 << 56 | len(data) // 2
        self.broken(path, with_number(data, "size of 18538067", lambda _: half))

    def test_chunks(self, tmp_path: Path) -> None:
        """AVI with a frame of an absurd size."""
        path = tmp_path / "a.avi"
        self.broken(path, with_number(clip(path, "mpeg4"), "size of 00dc", lambda _: 0x7FFFFFFF, 20))

    def test_packets(self, tmp_path: Path) -> None:
        """A transport stream with zeros in it."""
        path = tmp_path / "a.ts"
        data = clip(path, "mpeg2")
        self.broken(path, zeroed(data, len(data) // 3, 2000))
