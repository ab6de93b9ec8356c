"""What travels beside the video: other streams, their tags, chapters, attachments."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from streamrestore.encode import copy_file
from streamrestore.encode.containers import CONTAINERS
from streamrestore.encode.passthrough import plan_passthrough
from streamrestore.encode.streams import open_source
from streamrestore.encode.tags import _PLAIN
from streamrestore.errors import InputUnreadable
from streamrestore.frames import ColorInfo, PixelFormat
from streamrestore.seams import SinkReport, SourceInfo, StreamInfo
from streamrestore.settings import EncodeSettings
from tests.encode.helpers import (
    SUBTITLES,
    add_streams,
    make_cover,
    packet_hashes,
    read_source,
    read_times,
    restore,
)
from tests.media import flip_bytes, read_planes, write_tone, write_video


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rich.mkv (everything that matroska holds) and rich.mp4."""
    folder = tmp_path_factory.mktemp("rich")
    write_video(folder / "base.mkv", frames=12, pattern="moving", codec="libx264", audio=True)
    write_video(folder / "base.mp4", frames=12, pattern="moving", audio=True)
    (folder / "s.srt").write_text(SUBTITLES)
    write_tone(folder / "aac.m4a", seconds=1, rate=44100)
    write_tone(folder / "opus.mka", seconds=1, codec="libopus")
    write_tone(folder / "pcm.wav", seconds=1, codec="pcm_s16le")
    write_tone(folder / "lossless.flac", seconds=1, codec="flac")
    add_streams(
        folder / "base.mkv", folder / "rich.mkv", subtitles=folder / "s.srt", cover=make_cover(),
        audio=(folder / "aac.m4a", folder / "opus.mka", folder / "pcm.wav", folder / "lossless.flac"),
        attachment=b"font" * 100, chapters=True,
    )  # fmt: skip
    add_streams(
        folder / "base.mp4", folder / "rich.mp4", cover=make_cover(),
        audio=(folder / "aac.m4a",), chapters=True,
    )  # fmt: skip
    return folder


def send(source: Path, target: Path, how: str) -> SinkReport:
    """Through the sink, or copied."""
    if how == "encoded":
        return restore(source, target, remark="restored by a test")
    info = read_source(source)[0]
    settings = EncodeSettings(drop_unsupported=True)
    return copy_file(source, target, info, settings, remark="restored by a test")


def decoded_audio(path: Path, which: int) -> np.ndarray:
    """All samples of one audio stream."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[which]
        return np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)


@pytest.mark.parametrize("how", ["encoded", "copied"])
def test_matroska_keeps_everything(rich: Path, tmp_path: Path, how: str) -> None:
    """Audio, subtitles, a font, the cover, chapters, languages, dispositions, the title."""
    source, target = rich / "rich.mkv", tmp_path / "out.mkv"

    report = send(source, target, how)

    assert report.dropped == ()
    with av.open(str(source)) as old, av.open(str(target)) as new:
        assert [s.type for s in new.streams] == [s.type for s in old.streams]
        for a, b in zip(old.streams, new.streams, strict=True):
            assert (a.language, a.disposition) == (b.language, b.disposition)
            assert a.metadata.get("title") == b.metadata.get("title")
        assert [(c["start"], c["end"], c["metadata"]) for c in new.chapters()] == [
            (c["start"], c["end"], c["metadata"]) for c in old.chapters()
        ]
        assert new.metadata["title"] == "A title"
        assert new.metadata["COMMENT"] == "from a test | restored by a test"
        assert new.streams[7].data == old.streams[7].data == b"font" * 100  # type: ignore[attr-defined]
    for which in range(5):
        assert packet_hashes(target, "audio", which) == packet_hashes(source, "audio", which)
        np.testing.assert_array_equal(decoded_audio(target, which), decoded_audio(source, which))
    assert packet_hashes(target, "subtitle") == packet_hashes(source, "subtitle")
    assert (
        packet_hashes(target, "video", 1)
        == packet_hashes(source, "video", 1)
        == [*packet_hashes(rich / "rich.mp4", "video", 1)]
    )
    assert report.copied[7] == report.copied[8] == 1


@pytest.mark.parametrize("how", ["encoded", "copied"])
def test_mp4_keeps_everything(rich: Path, tmp_path: Path, how: str) -> None:
    """Two languages, the cover, chapters, tags; the chapters' own track is made anew."""
    source, target = rich / "rich.mp4", tmp_path / "out.mp4"

    report = send(source, target, how)

    assert report.dropped == ()
    with av.open(str(source)) as old, av.open(str(target)) as new:
        assert [s.type for s in new.streams] == [s.type for s in old.streams]
        for a, b in zip(old.streams, new.streams, strict=True):
            assert (a.language, a.disposition) == (b.language, b.disposition)
        assert [c["metadata"]["title"] for c in new.chapters()] == ["One", "Two"]
        assert new.metadata["comment"] == "from a test | restored by a test"
        assert new.metadata["title"] == "A title"
    for which in range(2):
        assert packet_hashes(target, "audio", which) == packet_hashes(source, "audio", which)
        np.testing.assert_array_equal(decoded_audio(target, which), decoded_audio(source, which))
    assert packet_hashes(target, "video", 1) == packet_hashes(source, "video", 1)


@pytest.mark.parametrize(
    ("extension", "dropped"),
    [
        (".mp4", ["subtitle stream 6 (subrip, fra)", "attachment stream 7"]),
        (".mov", ["opus", "flac", "subrip", "attachment", "holds no cover art"]),
        (".avi", ["opus", "subrip", "attachment", "cover art"]),
        (".ts", ["pcm_s16le", "flac", "subrip", "attachment", "cover art"]),
        (".webm", ["aac", "aac", "pcm_s16le", "flac", "subrip", "attachment", "cover art"]),
    ],
)
def test_what_a_container_cannot_hold_is_reported(
    rich: Path, tmp_path: Path, extension: str, dropped: list[str]
) -> None:
    """Each stream that is left out has a line with its reason, and no other is missing."""
    report = restore(rich / "rich.mkv", tmp_path / f"out{extension}", remark="restored by a test")

    assert len(report.dropped) == len(dropped)
    for word, line in zip(dropped, report.dropped, strict=True):
        assert word in line
    with av.open(str(tmp_path / f"out{extension}")) as new:
        kinds = [stream.type for stream in new.streams]
    assert kinds.count("audio") == 5 - sum("audio stream" in line for line in report.dropped)


def test_language_of_quicktime(rich: Path, tmp_path: Path) -> None:
    """It knows German by the older code."""
    restore(rich / "rich.mkv", tmp_path / "out.mov")
    with av.open(str(tmp_path / "out.mov")) as new:
        assert new.streams.audio[1].language == "ger"


def test_aac_of_transport_streams_reaches_mp4(tmp_path: Path) -> None:
    """Its headers become the stream's: mp4 has none in the packets, and the sound is the same."""
    source, target = tmp_path / "in.ts", tmp_path / "out.mp4"
    write_video(source, frames=12, pattern="moving", audio=True)

    report = restore(source, target)

    assert report.dropped == ()
    with av.open(str(target)) as new:
        packets = [bytes(packet) for packet in new.demux(audio=0) if packet.size]
    with av.open(str(source)) as old:
        assert packets == [bytes(packet)[7:] for packet in old.demux(audio=0) if packet.size]
    old_samples, new_samples = decoded_audio(source, 0), decoded_audio(target, 0)
    assert new_samples.shape[1] > 0
    np.testing.assert_array_equal(new_samples, old_samples[:, old_samples.shape[1] - new_samples.shape[1] :])


def test_cover_becomes_an_attachment_of_matroska(rich: Path, tmp_path: Path) -> None:
    """And stays the cover, with its bytes."""
    restore(rich / "rich.mp4", tmp_path / "out.mkv")

    with av.open(str(tmp_path / "out.mkv")) as new:
        assert [s.disposition for s in new.streams if s.type == "video"][1] == Disposition.attached_pic
    assert packet_hashes(tmp_path / "out.mkv", "video", 1) == packet_hashes(rich / "rich.mp4", "video", 1)


def make_covered(base: Path, path: Path, tags: dict[str, str]) -> None:
    """Matroska with a cover and tags of the file."""
    with av.open(str(base)) as old, av.open(str(path), "w") as new:
        new.metadata.update({"title": "A title", **tags})
        copies = [new.add_stream_from_template(stream, opaque=True) for stream in old.streams]
        new.add_attachment("cover.jpg", "image/jpeg", make_cover())
        for packet in old.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                new.mux(packet)


@pytest.mark.parametrize("how", ["encoded", "copied"])
def test_mp4_keeps_the_cover_and_tells_what_it_does_not_hold_beside_it(
    rich: Path, tmp_path: Path, how: str
) -> None:
    """QuickTime keys, in which metadata beyond the plain are kept, and cover art exclude each other."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make_covered(rich / "base.mkv", source, {"camera": "Seven"})

    report = send(source, target, how)

    assert report.dropped == ()
    assert packet_hashes(target, "video", 1) == packet_hashes(source, "video", 1)
    assert "metadata (CAMERA): mp4 does not hold it beside cover art" in report.notes
    with av.open(str(target)) as container:
        assert container.metadata["title"] == "A title"


def test_a_time_code_of_the_whole_file_goes_with_a_cover(rich: Path, tmp_path: Path) -> None:
    """It is among what mp4 keeps in the plain way, in a track of its own."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make_covered(rich / "base.mkv", source, {"timecode": "01:02:03:04"})

    report = send(source, target, "encoded")

    assert packet_hashes(target, "video", 1) == packet_hashes(source, "video", 1)
    assert not [note for note in report.notes if "metadata" in note]
    with av.open(str(target)) as container:
        assert container.streams.video[0].metadata["timecode"] == "01:02:03:04"


@pytest.mark.parametrize("extension", [".mov", ".mp4", ".mkv"])
def test_time_code_is_kept(tmp_path: Path, extension: str) -> None:
    """It is a tag of the video; mov and mp4 make its track anew."""
    source, target = tmp_path / "in.mov", tmp_path / f"out{extension}"
    write_video(source, frames=3, metadata={"timecode": "01:02:03:04"})

    report = restore(source, target)

    assert report.dropped == ()
    with av.open(str(target)) as container:
        tags = {key.lower(): value for key, value in container.streams.video[0].metadata.items()}
    assert tags["timecode"] == "01:02:03:04"


def test_lost_time_code_is_reported(tmp_path: Path) -> None:
    """Avi has no place for it."""
    write_video(tmp_path / "in.mov", frames=3, metadata={"timecode": "01:02:03:04"})
    (line,) = restore(tmp_path / "in.mov", tmp_path / "out.avi").dropped
    assert line.startswith("data stream 1")


def test_metadata_in_any_encoding(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, as old cameras write them, come through as they are."""
    source = tmp_path / "in.avi"
    write_video(source, frames=3, metadata={"title": "Titel_"})
    source.write_bytes(source.read_bytes().replace(b"Titel_", b"Titel\xe4"))

    info, _ = read_source_in(source)
    copy_file(source, tmp_path / "out.avi", info, EncodeSettings())

    assert b"Titel\xe4" in (tmp_path / "out.avi").read_bytes()


def read_source_in(path: Path) -> tuple[SourceInfo, None]:
    """An info that needs no decoder."""
    with open_source(path) as container:
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1, 25)
        described = StreamInfo(0, "video", "ffv1", base, None, None)
        return SourceInfo(
            str(path), "avi", (described,), described, 64, 48, PixelFormat("yuv", 8, 1, 1), "yuv420p",
            ColorInfo(), base, stream.average_rate,
        ), None  # fmt: skip


def test_second_video_is_copied(tmp_path: Path) -> None:
    """A second camera travels as it is, and the order of streams stays."""
    write_video(tmp_path / "a.mkv", frames=6, pattern="moving", codec="libx264")
    write_video(tmp_path / "b.mkv", frames=6, pattern="moving", codec="libx264", seed=7)
    add_streams(tmp_path / "a.mkv", tmp_path / "both.mkv", audio=(tmp_path / "b.mkv",))
    info, _ = read_source(tmp_path / "both.mkv")

    report = restore(tmp_path / "both.mkv", tmp_path / "out.mkv", codec="ffv1")

    assert info.video.index == 0
    assert report.copied == {1: 6}
    with av.open(str(tmp_path / "out.mkv")) as new:
        assert [s.codec_context.name for s in new.streams.video] == ["ffv1", "h264"]


def test_audio_longer_than_the_video_is_kept(tmp_path: Path) -> None:
    """Sound after the last picture is not cut off."""
    write_video(tmp_path / "in.mp4", frames=5, pattern="moving", audio={"seconds": 3})

    restore(tmp_path / "in.mp4", tmp_path / "out.mp4")

    assert packet_hashes(tmp_path / "out.mp4") == packet_hashes(tmp_path / "in.mp4")
    assert read_times(tmp_path / "out.mp4").audio[-1] > 2.9


def test_sound_is_interleaved_with_the_pictures(tmp_path: Path) -> None:
    """No stream comes in one lump: players need not seek."""
    write_video(tmp_path / "in.mp4", frames=100, pattern="flat", audio=True)

    restore(tmp_path / "in.mp4", tmp_path / "out.mkv")

    with av.open(str(tmp_path / "out.mkv")) as new:
        kinds = "".join(packet.stream.type[0] for packet in new.demux() if packet.size)
    assert max(len(run) for run in kinds.split("v")) < 12
    assert max(len(run) for run in kinds.split("a")) < 12


def test_damaged_sound_is_copied_as_far_as_it_reads(tmp_path: Path) -> None:
    """Damage in the source does not end the run."""
    source = tmp_path / "in.ts"
    write_video(source, frames=50, pattern="moving", audio=True)
    info, _ = read_source(source)
    flip_bytes(source, 60)

    report = copy_file(source, tmp_path / "out.ts", info, EncodeSettings())

    assert report.bytes > 0
    assert len(read_planes(tmp_path / "out.ts").planes) > 10


def test_joined_recordings_go_on(tmp_path: Path) -> None:
    """A clock that falls back in the sound is taken as going on, not squeezed into one moment."""
    write_video(tmp_path / "one.ts", frames=25, pattern="flat", audio=True)
    joined = tmp_path / "joined.ts"
    joined.write_bytes((tmp_path / "one.ts").read_bytes() * 2)
    with open_source(joined) as source:
        plan = plan_passthrough(source, CONTAINERS[".mkv"], read_source(tmp_path / "one.ts")[0], leave=[0])
        assert plan.copied == (1,)

    report = copy_file(joined, tmp_path / "out.mp4", read_source(tmp_path / "one.ts")[0], EncodeSettings())

    times = read_times(tmp_path / "out.mp4")
    steps = [b - a for a, b in zip(times.audio, times.audio[1:], strict=False)]
    assert max(steps) < 0.1
    assert times.audio[-1] - times.audio[0] > 1.9
    assert any("did not increase" in note for note in report.notes)


def test_late_subtitles_are_tried(rich: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose first packet comes late is looked for: its header alone would be taken by ts."""
    monkeypatch.setattr("streamrestore.encode.passthrough._PROBE_PACKETS", 3)
    (tmp_path / "late.srt").write_text("1\n00:00:00,450 --> 00:00:00,470\nrain\n\n")
    add_streams(rich / "base.mkv", tmp_path / "late.mkv", subtitles=tmp_path / "late.srt")
    info, _ = read_source(tmp_path / "late.mkv")

    with open_source(tmp_path / "late.mkv") as source:
        plan = plan_passthrough(source, CONTAINERS[".ts"], info)

    assert plan.copied == (0, 1)
    assert plan.dropped == ("subtitle stream 2 (subrip, fra): in ts nobody could read it",)


@pytest.mark.parametrize("extension", [".mp4", ".mov"])
def test_plain_metadata_stays_plain(tmp_path: Path, extension: str) -> None:
    """What all players know is written as they know it, unless there is more than that."""
    values = dict.fromkeys(_PLAIN[extension[1:]], "1") | {
        "creation_time": "2020-01-02T03:04:05.000000Z", "location": "+27.5916+086.7500/", "date": "2020",
    }  # fmt: skip
    write_video(tmp_path / "plain.mkv", frames=3, codec="libx264", metadata=values)
    write_video(tmp_path / "camera.mkv", frames=3, codec="libx264", metadata=values | {"camera": "Seven"})

    for name in ("plain", "camera"):
        target = tmp_path / f"{name}{extension}"
        report = restore(tmp_path / f"{name}.mkv", target)
        assert not any("metadata" in note for note in report.notes)
        with av.open(str(target)) as container:
            assert values.items() <= container.metadata.items()
            assert container.metadata.get("camera", container.metadata.get("CAMERA")) in (None, "Seven")
        assert (b"mdta" in target.read_bytes()) == (name == "camera")


def test_name_of_a_stream(tmp_path: Path) -> None:
    """What is a title elsewhere reads as a name from mp4, and is a title again."""
    write_video(tmp_path / "a.mp4", frames=3)
    with av.open(str(tmp_path / "a.mp4")) as first, av.open(str(tmp_path / "b.mp4"), "w") as out:
        copy = out.add_stream_from_template(first.streams.video[0], opaque=True)
        copy.metadata["title"] = "Left eye"
        for packet in first.demux():
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    restore(tmp_path / "b.mp4", tmp_path / "c.mp4")
    restore(tmp_path / "c.mp4", tmp_path / "d.mkv")
    with av.open(str(tmp_path / "c.mp4")) as mp4, av.open(str(tmp_path / "d.mkv")) as mkv:
        assert mp4.streams[0].metadata["name"] == "Left eye"
        assert mkv.streams[0].metadata["title"] == "Left eye"


def test_vanished_source(tmp_path: Path) -> None:
    """An error of ours, not FFmpeg's."""
    with pytest.raises(InputUnreadable, match="other streams"):
        open_source(tmp_path / "gone.mp4")
