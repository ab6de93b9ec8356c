"""One file, start to end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamrestore.engine import Restorer
from streamrestore.errors import (
    DamagedInput,
    InputError,
    InputNotFound,
    InputUnreadable,
    Interrupted,
    NoVideo,
    OutputError,
    OutputExists,
    StreamRestoreError,
    UnsupportedOutput,
    UnsupportedVideo,
    UsageError,
)
from streamrestore.frames import Frame, FrameBatch
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.making import split_batch
from streamrestore.pipeline.report import JobReport, Progress
from streamrestore.settings import JobSettings, read_settings, settings_hash
from tests.decode.test_names import QuietHandler
from tests.media import Planes, random_planes, read_planes, truncate, write_pictures, write_tone, write_video
from tests.restore.test_branch import FORMATS, Grey, make_batch
from tests.restorers import CLEAN_LEVEL, HAZE_LEVEL, RAIN_LEVEL

FFV1 = {"codec": "ffv1"}


def run(
    source: Path | str,
    target: Path,
    restorer: Restorer,
    *,
    strict: bool = False,
    encode: dict[str, Any] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    **restore: Any,
) -> JobReport:
    """Restore one file into another."""
    values = {"restore": {"branch": "rain", **restore}, "encode": encode or {}, "strict": strict}
    settings = read_settings(JobSettings, values)
    return restore_file(str(source), target, settings, restorer=restorer, on_progress=on_progress, stop=stop)


def lossy(path: Path, frames: int = 60, **more: Any) -> None:
    """A usual camera's file: H.264 with B-frames and a key frame every twelve."""
    options = {"preset": "ultrafast", "g": "12", "bf": "2", "crf": "30"}
    write_video(path, frames=frames, codec="libx264", options=options, **more)


def audio_packets(path: Path) -> list[bytes]:
    """Payloads of the sound."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def decodable(path: Path) -> list[int | None]:
    """Times of the pictures up to the first error."""
    found: list[int | None] = []
    with av.open(str(path)) as container, contextlib.suppress(av.error.InvalidDataError):
        found.extend(frame.pts for frame in container.decode(video=0))
    return found


def scene(level: float, seed: int, count: int, size: tuple[int, int] = (48, 32)) -> list[Planes]:
    """Pictures of one texture and a brightness, a little different each time."""
    random = np.random.default_rng(seed)
    base = np.kron(random.integers(-60, 60, (4, 6)), np.ones((8, 8), int)) * (level > 0)
    pictures = []
    for index in range(count):
        luma = np.clip(16 + 219 * level + base * 0.4 + index % 2, 0, 255).astype(np.uint8)
        chroma = np.full((size[1] // 2, size[0] // 2), 128, np.uint8)
        pictures.append([luma, chroma, chroma.copy()])
    return pictures


def exact(a: Planes, b: Planes) -> bool:
    """Sample for sample."""
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


class TestRestored:
    """A file that is restored."""

    @pytest.mark.parametrize("extension", [".mp4", ".mkv", ".mov"])
    def test_frames_times_and_sound(self, tmp_path: Path, restorer: Restorer, extension: str) -> None:
        """As many pictures, shown at the same times, and every packet of the sound; tags as they were."""
        source, target = tmp_path / f"in{extension}", tmp_path / f"out{extension}"
        times = [0, 3, 6, 8, 15, 16, 20, 30, 31, 40]
        tags = {"matrix": 1, "range": 1, "primaries": 1, "transfer": 1}
        lossy(
            source, len(times), times=times, time_base=Fraction(1, 100), audio={"seconds": Fraction(1, 2)},
            **tags,
        )  # fmt: skip

        report = run(source, target, restorer)

        before, after = read_planes(source), read_planes(target)
        assert len(after.planes) == report.frames == report.frames_restored == len(times)
        assert after.seconds == pytest.approx(before.seconds, abs=float(after.time_base))
        assert after.tags == before.tags == (1, 1, 1, 1)
        assert audio_packets(target) == audio_packets(source)
        assert not exact(before.planes[0], after.planes[0])
        outcomes = [(s.kind, s.outcome) for s in report.streams]
        assert outcomes == [("video", "restored"), ("audio", "copied")]
        assert not report.has_losses

    def test_nothing_seen_nothing_changed(self, tmp_path: Path, restorer: Restorer) -> None:
        """Through the network and back without a shift: if it sees no damage every sample is kept."""
        restorer._networks["weather"] = Grey(0.0)  # type: ignore[assignment]
        source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
        made = write_video(source, pix_fmt="yuv420p10le", size=(38, 22), frames=9)

        report = run(source, target, restorer, encode=FFV1)

        after = read_planes(target)
        assert report.frames_restored == 9
        assert all(exact(a, b) for a, b in zip(made, after.planes, strict=True))

    @pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "yuv444p"])
    @pytest.mark.parametrize("rotation", [90, 180, 270])
    def test_portrait(self, tmp_path: Path, restorer: Restorer, pix_fmt: str, rotation: int) -> None:
        """A video that is stored sideways is restored upright, and stays stored as it was."""
        upright = [random_planes(pix_fmt, (32, 64), seed, "smooth") for seed in range(2)]
        stored = [[np.rot90(p, -rotation // 90).copy() for p in picture] for picture in upright]
        write_video(tmp_path / "a.mkv", planes=stored, pix_fmt=pix_fmt, rotation=rotation)
        write_video(tmp_path / "b.mkv", planes=upright, pix_fmt=pix_fmt)

        report = run(tmp_path / "a.mkv", tmp_path / "a2.mkv", restorer, encode=FFV1)
        run(tmp_path / "b.mkv", tmp_path / "b2.mkv", restorer, encode=FFV1)

        sideways, straight = read_planes(tmp_path / "a2.mkv"), read_planes(tmp_path / "b2.mkv")
        assert sideways.rotation % 360 == rotation
        assert (report.width, report.height) == (32, 64)
        for a, b, given in zip(sideways.planes, straight.planes, upright, strict=True):
            for x, y, old in zip(a, b, given, strict=True):
                turned = np.rot90(x, rotation // 90).astype(int)
                assert np.abs(turned - y).max() <= 1
                assert np.abs(turned - old).max() > 4

    def test_each_clip_its_own(self, tmp_path: Path, restorer: Restorer) -> None:
        """Clear, then rain, then haze: what is clear keeps its samples, the rest is restored by name."""
        source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
        video = scene(CLEAN_LEVEL, 1, 40) + scene(RAIN_LEVEL, 2, 40) + scene(HAZE_LEVEL, 3, 40)
        write_video(source, planes=video)
        seen: list[Progress] = []

        report = run(source, target, restorer, encode=FFV1, branch="auto", on_progress=seen.append)

        after = read_planes(target).planes
        branches = {}
        for clip in report.clips:
            assert clip.reason == ("clean" if clip.branch == "none" else "classified")
            for index in range(clip.start_frame, clip.stop_frame):
                branches[index] = clip.branch
                assert exact(video[index], after[index]) == (clip.branch == "none")
        assert [branches[i] for i in (0, 20, 39, 41, 60, 79, 81, 100, 119)] == (
            ["none"] * 3 + ["rain"] * 3 + ["haze"] * 3
        )
        assert report.frames_restored == sum(branch != "none" for branch in branches.values())
        phases = list(dict.fromkeys(p.phase for p in seen))
        assert phases == ["plan", "restore", "finish"]
        assert (seen[-1].frames, seen[-1].total) == (120, 120)

    def test_report_and_remark(self, tmp_path: Path, restorer: Restorer) -> None:
        """The report says what was done with what; the file, too, for footage may be evidence."""
        source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
        lossy(source, 5)
        settings = read_settings(JobSettings, {"restore": {"branch": "rain"}})

        report = restore_file(str(source), target, settings, restorer=restorer)

        assert report.settings_hash == settings_hash(settings)
        assert (report.input, report.output) == (str(source), str(target))
        assert report.duration_seconds == pytest.approx(0.2, abs=0.01)
        assert set(report.stage_seconds) == {"decode", "restore", "encode"}
        assert (report.device, report.precision, report.codec) == ("cpu", "fp32", "h264")
        with av.open(str(target)) as container:
            assert settings_hash(settings) in container.metadata["comment"]

    def test_what_became_of_each_stream(self, tmp_path: Path, restorer: Restorer) -> None:
        """Restored, copied, or made anew of what it says."""
        write_video(tmp_path / "a.mov", frames=3, audio=True, metadata={"timecode": "01:02:03:04"})

        streams = run(tmp_path / "a.mov", tmp_path / "b.mkv", restorer).streams

        assert [(s.kind, s.outcome, s.why) for s in streams] == [
            ("video", "restored", ""), ("audio", "copied", ""), ("data", "converted", ""),
        ]  # fmt: skip
        assert streams[1].packets > 0

    def test_numbered_pictures(self, tmp_path: Path, restorer: Restorer) -> None:
        """They become a video."""
        write_pictures(tmp_path, "%03d.png", range(1, 6))

        report = run(str(tmp_path / "%03d.png"), tmp_path / "out.mkv", restorer, encode=FFV1)

        assert report.frames == len(read_planes(tmp_path / "out.mkv").planes) == 5

    def test_results_do_not_depend_on_batches(
        self, tmp_path: Path, restorer: Restorer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However the frames come, the file is the same."""
        source = tmp_path / "in.mkv"
        write_video(source, frames=13)
        files = []
        for size in (1, 4, 32):
            monkeypatch.setattr("streamrestore.pipeline.making.BATCH", size)
            run(source, tmp_path / f"{size}.mkv", restorer, encode=FFV1)
            files.append(read_planes(tmp_path / f"{size}.mkv").planes)

        for other in files[1:]:
            assert all(exact(a, b) for a, b in zip(files[0], other, strict=True))


def directory(path: Path) -> None:
    """A folder with a video's name."""
    path.mkdir()


BAD: list[tuple[Callable[[Path], Any], type[InputError]]] = [
    (lambda _: None, InputNotFound),
    (directory, InputError),
    (lambda path: path.write_text("It rained all day.\n" * 99), InputUnreadable),
    (lambda path: path.write_bytes(b""), InputUnreadable),
    (lambda path: (write_video(path, frames=20), truncate(path, 0.5)), InputUnreadable),
    (write_tone, NoVideo),
]


class TestBadInput:
    """One clear line, the right type, and nothing left behind."""

    @pytest.mark.parametrize(
        ("make", "error"), BAD, ids=["missing", "folder", "text", "empty", "no index", "sound"]
    )
    @pytest.mark.parametrize("branch", ["rain", "auto", "none"])
    def test_unusable(
        self, tmp_path: Path, restorer: Restorer, make: Any, error: type[InputError], branch: str
    ) -> None:
        """Found out before the output is touched."""
        (tmp_path / "out").mkdir()
        source = tmp_path / "in.mp4"
        make(source)

        with pytest.raises(error, match=r"in\.mp4") as refused:
            run(source, tmp_path / "out" / "x.mp4", restorer, branch=branch)

        assert type(refused.value) is error
        assert "\n" not in str(refused.value)
        assert list((tmp_path / "out").iterdir()) == []

    @pytest.mark.parametrize("extension", [".mp4", ".mkv", ".ts"])
    @pytest.mark.parametrize("branch", ["rain", "none"])
    def test_truncated(self, tmp_path: Path, restorer: Restorer, extension: str, branch: str) -> None:
        """What decodes comes out, playable, and the report says that something is missing."""
        source, target = tmp_path / f"in{extension}", tmp_path / f"out{extension}"
        lossy(source, container_options={"movflags": "+faststart"} if extension == ".mp4" else None)
        truncate(source, 0.6)

        report = run(source, target, restorer, branch=branch)

        assert report.has_losses
        assert all(count > 0 for count in report.losses.values())
        assert 10 < report.frames < 60
        if branch == "rain":
            assert len(read_planes(target).planes) == report.frames == report.frames_restored
        else:  # copied as it is: its end may be as broken as it was
            assert report.copied
            assert len(decodable(target)) >= report.frames - 4

    @pytest.mark.parametrize("extension", [".mp4", ".mkv", ".ts"])
    def test_strict(self, tmp_path: Path, restorer: Restorer, extension: str) -> None:
        """With --strict damaged input is refused, and leaves nothing; whole input is not refused."""
        source, target = tmp_path / f"in{extension}", tmp_path / f"out{extension}"
        lossy(source, container_options={"movflags": "+faststart"} if extension == ".mp4" else None)
        assert not run(source, target, restorer, strict=True).losses
        target.unlink()
        truncate(source, 0.6)

        with pytest.raises(DamagedInput, match="without --strict, what decodes is restored"):
            run(source, target, restorer, strict=True)

        assert [path.name for path in tmp_path.iterdir()] == [source.name]

    def test_too_small(self, tmp_path: Path, restorer: Restorer) -> None:
        """Pictures that no network takes are told at the start; they can be copied."""
        source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
        write_video(source, size=(8, 12), frames=3)

        with pytest.raises(UnsupportedVideo, match=r"in\.mkv: its pictures are 8x12; 16x16 to"):
            run(source, target, restorer)
        assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
        assert run(source, target, restorer, branch="none").copied


class TestBadOutput:
    """Told before any work is done."""

    @pytest.mark.parametrize(
        ("name", "encode", "error"),
        [
            ("in.mkv", {"overwrite": True}, OutputError),
            ("there.mkv", {}, OutputExists),
            ("out.xyz", {}, UsageError),
            ("out.webm", {"codec": "ffv1"}, UnsupportedOutput),
            ("out.webm", {"codec": "auto"}, UnsupportedOutput),
            ("nowhere/out.mkv", {}, OutputError),
        ],
    )
    @pytest.mark.parametrize("prefix", ["", "file:"])
    def test_refused(
        self, tmp_path: Path, restorer: Restorer, name: str, encode: Any, error: type[Exception], prefix: str
    ) -> None:
        """Not a frame was decoded for it, and nothing was written."""
        source = tmp_path / "in.mkv"
        write_video(source, frames=3, audio=True)  # webm does not hold AAC
        (tmp_path / "there.mkv").write_bytes(b"precious")
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        seen: list[Progress] = []

        with pytest.raises(error) as refused:
            run(f"{prefix}{source}", tmp_path / name, restorer, encode=encode, on_progress=seen.append)

        assert isinstance(refused.value, StreamRestoreError)
        assert seen == []
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before

    @pytest.mark.parametrize(
        ("restore", "words"),
        [
            ({"branch": "noise", "gates": [1, 1]}, "2 gates were given"),
            ({"branch": "auto", "gates": [1, 1]}, "2 gates were given"),
            ({"branch": "rain", "gates": [1, 1, 1]}, "noise branch only"),
        ],
    )
    def test_settings_that_no_network_takes(
        self, tmp_path: Path, restorer: Restorer, restore: Any, words: str
    ) -> None:
        """Not an hour later, at the first noisy clip."""
        write_video(tmp_path / "in.mkv", frames=2)
        seen: list[Progress] = []

        with pytest.raises(UsageError, match=words):
            run(tmp_path / "in.mkv", tmp_path / "out.mkv", restorer, on_progress=seen.append, **restore)

        assert seen == []


@pytest.mark.network
def test_an_address_with_sound(tmp_path: Path, restorer: Restorer) -> None:
    """It is read once, for its pictures: the sound is not lost without a word."""
    write_video(tmp_path / "in.mkv", frames=3, codec="libx264", audio=True)
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        spec = f"http://127.0.0.1:{server.server_address[1]}/in.mkv"
        try:
            with pytest.raises(
                UnsupportedOutput, match=r"audio stream 1 \(aac\); download it first, or give --drop-"
            ):
                run(spec, tmp_path / "out.mkv", restorer)
            report = run(spec, tmp_path / "out.mkv", restorer, encode={"drop_unsupported": True})
        finally:
            server.shutdown()
    assert [stream.outcome for stream in report.streams] == ["restored", "dropped"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.mkv"]


class TestStop:
    """The user has enough."""

    @pytest.mark.parametrize("phase", ["plan", "restore", "copy"])
    def test_nothing_is_left(self, tmp_path: Path, restorer: Restorer, phase: str) -> None:
        """In whichever phase: one line, and no file."""
        source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
        write_video(source, frames=60)
        seen: list[str] = []

        with pytest.raises(Interrupted, match=r"in\.mkv: stopped; nothing was written"):
            run(
                source, target, restorer, branch="none" if phase == "copy" else "rain",
                on_progress=lambda progress: seen.append(progress.phase), stop=lambda: phase in seen,
            )  # fmt: skip

        assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def with_indices(batch: FrameBatch, first: int) -> FrameBatch:
    """The same frames with other indices."""
    frames = tuple(Frame(f.planes, f.pts, index=first + n) for n, f in enumerate(batch.frames))
    return FrameBatch(
        frames, batch.width, batch.height, batch.format, batch.time_base, batch.color, batch.rotation
    )


@pytest.mark.parametrize(
    ("first", "parts"),
    [
        (0, [(0, 5)]),
        (3, [(0, 2), (1, 3)]),
        (4, [(0, 1), (1, 3), (2, 1)]),
        (8, [(2, 5)]),
        (5, [(1, 3), (2, 2)]),
    ],
)
def test_split_batch(first: int, parts: list[tuple[int, int]]) -> None:
    """Parts lie in one clip each, in order; together they are the batch."""
    batch = with_indices(make_batch(FORMATS["gray"], (16, 16), frames=5), first)

    found = list(split_batch(batch, [0, 5, 8]))

    assert [(number, len(part)) for number, part in found] == parts
    assert [f for _, part in found for f in part.frames] == list(batch.frames)


class TestColourCodings:
    def test_not_a_matrix(self, tmp_path: Path, restorer: Restorer) -> None:
        """Colour that no matrix leads to is refused before anything is written, but may be copied."""
        source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
        write_video(source, frames=3, pix_fmt="yuv444p", codec="ffv1", matrix=8)

        with pytest.raises(UnsupportedVideo, match="YCgCo"):
            run(source, target, restorer, branch="rain")
        assert not target.exists()
        assert run(source, target, restorer, branch="none").copied
