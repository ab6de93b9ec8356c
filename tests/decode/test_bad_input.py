"""Inputs that cannot be used: one typed error, with what, where and what to do."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamrestore.decode import open_source
from streamrestore.errors import InputError, InputNotFound, InputUnreadable, NoVideo, UnsupportedVideo
from tests.media import truncate, write_pictures, write_tone, write_video


def missing(path: Path) -> None:
    """Nothing there."""


def empty(path: Path) -> None:
    """No bytes."""
    path.touch()


def text(path: Path) -> None:
    """Not a video."""
    path.write_text("Dear diary, it rained all day.\n" * 50)


def noise(path: Path) -> None:
    """Random bytes."""
    path.write_bytes(np.random.default_rng(3).bytes(20_000))


def header_only(path: Path) -> None:
    """An index, but no pictures: what lies behind it was never copied."""
    write_video(path, frames=5, container_options={"movflags": "+faststart"})
    truncate(path, path.read_bytes().index(b"mdat") + 4)


def without_index(path: Path) -> None:
    """A recording that was broken off before its index was written."""
    write_video(path, frames=30)
    truncate(path, 0.6)


def folder(path: Path) -> None:
    """A folder with a video's name."""
    path.mkdir()


def pipe(path: Path) -> None:
    """A pipe that nobody writes to: opening it would wait for ever."""
    os.mkfifo(path)


def server(path: Path) -> None:
    """A socket's name."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def sound(path: Path) -> None:
    """Sound without pictures."""
    write_tone(path)


def cover_art(path: Path) -> None:
    """Sound, and a picture of who made it."""
    write_pictures(path.parent, "cover%d.png", [1])
    with av.open(str(path.parent / "cover1.png")) as picture, av.open(str(path), "w") as out:
        cover = out.add_stream_from_template(picture.streams.video[0])
        cover.disposition = av.stream.Disposition.attached_pic
        tone = out.add_stream("aac", rate=48000, layout="mono")
        for packet in picture.demux(video=0):
            if packet.size:
                packet.stream, packet.pts, packet.dts = cover, 0, 0
                out.mux(packet)
        for begin in range(0, 9600, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, begin, Fraction(1, 48000)
            out.mux(tone.encode(frame))
        out.mux(tone.encode(None))


def unknown_codec(path: Path) -> None:
    """A video in a code that nobody knows."""
    write_video(path, frames=3)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9"))


CASES: list[tuple[Callable[[Path], None], type[InputError], str]] = [
    (missing, InputNotFound, "no such file"),
    (empty, InputUnreadable, "the file is empty"),
    (text, InputUnreadable, "check that it is a video"),
    (noise, InputUnreadable, "check that it is a video"),
    (header_only, InputUnreadable, "check that the? ?.* is complete"),
    (without_index, InputUnreadable, "broken off before its index"),
    (folder, InputError, "name a file in it"),
    (pipe, InputUnreadable, "a pipe or a device"),
    (server, InputUnreadable, "a pipe or a device"),
    (sound, NoVideo, "only audio"),
    (cover_art, NoVideo, "only cover art"),
    (unknown_codec, UnsupportedVideo, "no decoder for its video"),
]


@pytest.mark.parametrize(("make", "error", "word"), CASES, ids=[make.__name__ for make, _, _ in CASES])
def test_refused(tmp_path: Path, make: Callable[[Path], None], error: type[InputError], word: str) -> None:
    """The error has the right type, names the file, fits on one line, and says what to do."""
    path = tmp_path / "clip.mp4"
    make(path)

    with pytest.raises(error, match=word) as refused:
        open_source(path)

    message = str(refused.value)
    assert type(refused.value) is error
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert ";" in message
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read is refused before FFmpeg sees it."""
    write_video(tmp_path / "a.mp4", frames=1)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything

    with pytest.raises(InputUnreadable, match="permissions"):
        open_source(tmp_path / "a.mp4")


def test_folder_without_permission(tmp_path: Path) -> None:
    """What the system says about a name is passed on."""
    with pytest.raises(InputUnreadable, match="name too long"):
        open_source(tmp_path / ("a" * 300))
    write_video(tmp_path / "a.mp4", frames=1)
    with pytest.raises(InputUnreadable, match="Not a directory"):
        open_source(tmp_path / "a.mp4" / "b.mp4")


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        "a:b.mp4",
        "100%.mp4",
        "%d.mp4",
        "ünïcødé ☂.mp4",
        "-i.mp4",
        "a?b#c.mp4",
        b"\xff\xfe.mp4",
    ],
)
def test_odd_names(tmp_path: Path, name: str | bytes) -> None:
    """A file may have any name."""
    path = tmp_path / os.fsdecode(name)
    write_video(tmp_path / "plain.mp4", frames=2)
    (tmp_path / "plain.mp4").rename(path)

    with open_source(path) as source:
        assert sum(len(batch) for batch in source) == 2
    assert source.info.name.isprintable()


def test_two_videos_and_cover_art(tmp_path: Path) -> None:
    """Of several video streams, the one with moving pictures is taken."""
    write_video(tmp_path / "film.mp4", frames=6)
    write_pictures(tmp_path, "cover%d.png", [1])
    both = tmp_path / "both.mp4"
    with (
        av.open(str(tmp_path / "cover1.png")) as picture,
        av.open(str(tmp_path / "film.mp4")) as film,
        av.open(str(both), "w") as out,
    ):
        cover = out.add_stream_from_template(picture.streams.video[0])
        cover.disposition = av.stream.Disposition.attached_pic
        video = out.add_stream_from_template(film.streams.video[0])
        for stream, container in ((cover, picture), (video, film)):
            for packet in container.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    packet.pts, packet.dts = packet.pts or 0, packet.dts if packet.dts is not None else 0
                    out.mux(packet)

    with open_source(both) as source:
        frames = sum(len(batch) for batch in source)

    assert (frames, source.info.video.codec, len(source.info.streams)) == (6, "h264", 2)
    assert not source.status.losses
