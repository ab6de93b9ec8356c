"""``--size-like-input``: as large as the input, whatever encodes it, in however many parts."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.encode.bitrate import Aim, level_of
from streamrestore.engine import Restorer
from streamrestore.errors import UsageError
from streamrestore.pipeline import making
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.plan import plan_file
from streamrestore.pipeline.report import JobReport
from streamrestore.pipeline.sizes import clip_bytes, next_rate
from streamrestore.settings import JobSettings, read_settings
from tests.media import Planes, random_planes, read_planes, write_pictures, write_video

CUTS = {"clip_seconds": 1.0, "segment_seconds": 2.0}


def drive(frames: int, size: tuple[int, int] = (192, 128), seed: int = 1, noise: int = 12) -> list[Planes]:
    """A textured ground that moves past, faster and faster, seen by a sensor with a little noise."""
    random = np.random.default_rng(seed)
    width, height = size
    ground = np.kron(random.integers(30, 220, (height // 4 + 1, width + 80)), np.ones((4, 4), int))
    pictures = []
    for index in range(frames):
        x = int(index * (1 + index / 60))
        luma = ground[:height, x : x + width] + random.integers(-noise, noise + 1, (height, width))
        chroma = np.full((height // 2, width // 2), 128, np.uint8)
        pictures.append([np.clip(luma, 0, 255).astype(np.uint8), chroma, chroma])
    return pictures


def video_bytes(path: Path) -> int:
    """Bytes of the packets of the video."""
    with av.open(str(path)) as container:
        return sum(packet.size for packet in container.demux(video=0))


def settings_of(**more: Any) -> JobSettings:
    """Every picture encoded anew, none changed."""
    encode = {"size_like_input": True, "force_encode": True, **more.pop("encode", {})}
    return read_settings(
        JobSettings, {"restore": {"branch": "none"}, "encode": encode, "windows": CUTS, **more}
    )


def run(source: Path | str, target: Path, restorer: Restorer | None, **more: Any) -> JobReport:
    """Encode a file to its own size."""
    return restore_file(str(source), target, settings_of(**more), restorer=restorer)


class TestSize:
    @pytest.mark.parametrize(
        ("name", "codec", "preset", "crf"),
        [
            ("out.mp4", "h264", "veryfast", 18),
            ("out.ts", "h264", "veryfast", 28),
            ("out.mkv", "hevc", "ultrafast", 24),
            ("out.mp4", "av1", "12", 24),
            ("out.webm", "auto", "5", 24),
        ],
    )
    def test_within_a_tenth(
        self, tmp_path: Path, restorer: Restorer, name: str, codec: str, preset: str, crf: int
    ) -> None:
        """For good and for bad input, whatever the codec."""
        source, target = tmp_path / "in.mp4", tmp_path / name
        write_video(source, planes=drive(150), codec="libx264", options={"crf": str(crf), "preset": "fast"})

        report = run(source, target, restorer, encode={"codec": codec, "preset": preset})

        assert report.frames == len(read_planes(target).planes) == 150
        assert not any("than in the input" in note for note in report.notes)
        assert video_bytes(target) == pytest.approx(video_bytes(source), rel=0.1)

    def test_missed_at_first(
        self, tmp_path: Path, restorer: Restorer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What an encoder gets wrong in one go is made again."""
        source = tmp_path / "in.mp4"
        write_video(source, planes=drive(50), codec="libx264", options={"crf": "18", "preset": "fast"})
        encode = {"codec": "av1", "preset": "12"}

        run(source, tmp_path / "good.mp4", restorer, encode=encode)
        monkeypatch.setattr(making, "ATTEMPTS", 1)
        run(source, tmp_path / "bad.mp4", restorer, encode=encode)

        wanted = pytest.approx(video_bytes(source), rel=0.1)
        assert video_bytes(tmp_path / "good.mp4") == wanted != video_bytes(tmp_path / "bad.mp4")

    def test_that_cannot_be_met(self, tmp_path: Path, restorer: Restorer) -> None:
        """Raw pictures are larger than any codec makes them: that is told."""
        write_video(tmp_path / "in.nut", planes=drive(10))

        report = run(tmp_path / "in.nut", tmp_path / "out.mkv", restorer, encode={"preset": "ultrafast"})

        assert any("smaller than in the input; its encoder came no nearer" in note for note in report.notes)

    def test_each_part_its_own(self, tmp_path: Path, restorer: Restorer) -> None:
        """Where the input spends its bits, the output does; both parts are of one video."""
        source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
        flat = [random_planes("yuv420p", (192, 128), seed, "smooth") for seed in range(75)]
        write_video(source, planes=[*drive(75, noise=40), *flat], codec="libx264", options={"crf": "10"})

        run(source, target, restorer, encode={"preset": "veryfast"})

        for path in (source, target):
            with av.open(str(path)) as container:
                sizes = [(packet.pts or 0, packet.size) for packet in container.demux(video=0) if packet.size]
            first = sum(size for time, size in sizes if time < 3000)
            assert first > 20 * (video_bytes(path) - first)
        assert video_bytes(target) == pytest.approx(video_bytes(source), rel=0.1)

    @pytest.mark.parametrize(("codec", "preset"), [("h264", "veryfast"), ("hevc", "ultrafast")])
    def test_variable_rate(self, tmp_path: Path, restorer: Restorer, codec: str, preset: str) -> None:
        """Some encoders go by the time of pictures, others by their number."""
        source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
        times = [index * (1 if index < 75 else 4) for index in range(150)]
        write_video(
            source, planes=drive(150), times=[t + (75 * -3 if t >= 300 else 0) for t in times],
            time_base=Fraction(1, 50), codec="libx264", options={"crf": "26", "preset": "fast"},
        )  # fmt: skip

        run(source, target, restorer, encode={"codec": codec, "preset": preset})

        assert video_bytes(target) == pytest.approx(video_bytes(source), rel=0.1)

    def test_a_part(self, tmp_path: Path, restorer: Restorer) -> None:
        """Of a part of the input, what that takes."""
        source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
        flat = [random_planes("yuv420p", (192, 128), seed, "flat") for seed in range(50)]
        write_video(
            source, planes=[*flat, *drive(100)], codec="libx264", options={"crf": "26", "bf": "0", "g": "25"}
        )

        run(source, target, restorer, start=2.0, encode={"preset": "veryfast"})

        with av.open(str(source)) as container:
            base = container.streams.video[0].time_base
            wanted = sum(p.size for p in container.demux(video=0) if p.size and (p.pts or 0) * base >= 2)
        assert video_bytes(target) == pytest.approx(wanted, rel=0.1)


def test_bytes_of_clips(tmp_path: Path, restorer: Restorer) -> None:
    """Together they are the video's; each is what its pictures take."""
    planes = [*drive(50, noise=40), *(random_planes("yuv420p", (192, 128), 5, "flat") for _ in range(50))]
    write_video(tmp_path / "in.mkv", planes=planes, codec="libx264", options={"g": "25", "bf": "0"})
    plan = plan_file(str(tmp_path / "in.mkv"), settings_of(), restorer=restorer)

    sizes = clip_bytes(tmp_path / "in.mkv", plan)

    with av.open(str(tmp_path / "in.mkv")) as container:
        packets = [packet.size for packet in container.demux(video=0) if packet.size]
    assert list(sizes) == [sum(packets[clip.start : clip.stop]) for clip in plan.windows]


@given(st.integers(1000, 10**8), st.floats(0.35, 1.9), st.integers(10_000, 10**8), st.integers(10_000, 10**8))
def test_next_rate(rate: int, power: float, made: int, wanted: int) -> None:
    """An encoder whose sizes are a power of its rates meets the size in the third try."""

    def encode(asked: int) -> int:
        return round(made * (asked / rate) ** power)

    tried = [(rate, encode(rate))]
    for _ in range(2):
        tried.append((next_rate(tried, wanted), 0))
        tried[-1] = tried[-1][0], max(1, encode(tried[-1][0]))

    assert abs(tried[-1][1] - wanted) <= 0.02 * wanted or tried[-1][0] < 1000


class TestRefused:
    @pytest.mark.parametrize(
        ("encode", "said"),
        [
            ({"crf": 20}, "--size-like-input and --crf 20 both say how large the output gets; give one"),
            ({"codec": "ffv1"}, "--size-like-input: ffv1 is lossless"),
        ],
    )
    def test_with_others(self, tmp_path: Path, restorer: Restorer, encode: Any, said: str) -> None:
        """One line, before any work."""
        write_video(tmp_path / "in.mkv", frames=3)

        with pytest.raises(UsageError, match=said):
            run(tmp_path / "in.mkv", tmp_path / "out.mkv", restorer, encode=encode)

        assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]

    def test_pictures(self, tmp_path: Path, restorer: Restorer) -> None:
        """Stills have no size as a video."""
        write_pictures(tmp_path, "%03d.png", range(3))

        with pytest.raises(UsageError, match="takes a video file"):
            run(str(tmp_path / "%03d.png"), tmp_path / "out.mkv", restorer)


class TestAim:
    def test_takes_the_place_of_a_quality(self) -> None:
        """No encoder hears both."""
        options = Aim(800_000, 10.0, "4.1").over({"crf": "18", "x264-params": "asm=avx2"}, "h264")

        assert options == {"b": "800000", "x264-params": "asm=avx2:ratetol=0.1", "level": "4.1"}

    @pytest.mark.parametrize(("codec", "seconds"), [("h264", 8.0), ("vp9", 8.0), ("hevc", 4.0), ("av1", 4.0)])
    def test_how_encoders_count_seconds(self, codec: str, seconds: float) -> None:
        """By the time of pictures, or by their number."""
        aim = Aim.at(1_000_000, codec, frames=100, seconds=8.0, rate=Fraction(25))

        assert (aim.seconds, aim.rate) == (seconds, 8_000_000 / seconds)

    @pytest.mark.parametrize(("encoder", "codec"), [("libx264", "h264"), ("libx265", "hevc")])
    @pytest.mark.parametrize("level", ["3.1", "4", "5.1"])
    def test_level(self, encoder: str, codec: str, level: str) -> None:
        """It is read where the encoder writes it."""
        with av.open("null", "w", format="matroska") as out:
            option = (
                {"x265-params": f"log-level=error:level-idc={level}"} if codec == "hevc" else {"level": level}
            )
            stream = out.add_stream(encoder, rate=25, options=option)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            stream.codec_context.open()
            assert level_of(bytes(stream.codec_context.extradata or b""), codec) == level

    def test_no_level(self) -> None:
        """Other codecs, and streams that carry their parameters along."""
        assert level_of(b"", "h264") == level_of(b"\x0a\x0b", "av1") == ""
