"""Clips of a file, and the window of a stream."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.decode import open_source
from streamrestore.errors import UsageError
from streamrestore.frames import Frame, FrameBatch, PixelFormat
from streamrestore.settings import WindowSettings
from streamrestore.windows import (
    CONFIRM,
    CausalWindow,
    Clip,
    ClipCutter,
    CutDetector,
    Signature,
    change,
    clips_of,
    likeness,
    signature,
)
from tests.media import random_planes, write_video

AIM = 2.0


def scene(number: int, contrast: float = 1.0) -> Signature:
    """A picture of its own kind: smooth, with codes from dark to bright."""
    random = np.random.default_rng(number)
    coarse = random.random((5, 8), dtype=np.float32)
    picture = np.kron(coarse, np.ones((4, 4), np.float32))[:18, :32]
    return (0.5 + (picture - 0.5) * contrast).astype(np.float32)


def noisy(picture: Signature, sigma: float, seed: int) -> Signature:
    """The picture with what is left of noise in a signature."""
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 1).astype(np.float32)


def cuts_in(pictures: list[Signature], threshold: float = 0.12) -> list[int]:
    """Indices of the first pictures of new scenes."""
    detector = CutDetector(threshold)
    return [index - CONFIRM for index, picture in enumerate(pictures) if detector.add(picture)]


def clips_in(
    times: list[float], pictures: list[Signature], kinds: list[int] | None = None, first: int = 0
) -> list[Clip]:
    """The clips of a video given by times and signatures."""
    cutter = ClipCutter()
    clips: list[Clip] = []
    for n, (seconds, picture) in enumerate(zip(times, pictures, strict=True)):
        clips += cutter.add(first + n, seconds, picture, kind=kinds[n] if kinds else None)
    return clips + cutter.finish()


class TestSignature:
    """The small luma picture."""

    @pytest.mark.parametrize(
        ("model", "depth"), [("yuv", 8), ("yuv", 10), ("gray", 16), ("rgb", 8), ("rgb", 12)]
    )
    @pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
    def test_scale_does_not_depend_on_depth(self, model: str, depth: int, level: float) -> None:
        """A grey picture has the same signature in every format."""
        layout = PixelFormat(model, depth)  # type: ignore[arg-type]
        code = round(level * layout.peak)
        planes = tuple(np.full((50, 70), code, layout.dtype) for _ in range(3))

        small = signature(Frame(planes, 0), layout)

        assert small.shape == (18, 32)
        assert small.dtype == np.float32
        assert np.allclose(small, level, atol=0.003)

    @given(width=st.integers(1, 400), height=st.integers(1, 300))
    def test_any_size(self, width: int, height: int) -> None:
        """Any size gives at most 18 x 32 blocks that follow the picture from left to right."""
        plane = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width))

        small = signature(Frame((plane,), 0), PixelFormat("gray"))

        assert small.shape == (min(18, height), min(32, width))
        assert (np.diff(small, axis=1) >= 0).all()
        assert 0 <= small.min() <= small.max() <= 1

    def test_noise_is_reduced(self) -> None:
        """Strong noise changes a signature by a fraction of itself."""
        random = np.random.default_rng(1)
        layout = PixelFormat("gray")
        first, second = (
            signature(
                Frame((np.clip(random.normal(128, 50, (720, 1280)), 0, 255).astype(np.uint8),), 0), layout
            )
            for _ in range(2)
        )

        assert change(first, second) < 0.04

    def test_tensors(self) -> None:
        """Planes on a GPU are tensors; their signature is the same."""
        torch = pytest.importorskip("torch")
        plane = np.random.default_rng(1).integers(0, 256, (90, 160)).astype(np.uint8)
        layout = PixelFormat("gray")

        assert np.array_equal(
            signature(Frame((torch.from_numpy(plane),), 0), layout), signature(Frame((plane,), 0), layout)
        )


class TestCuts:
    """Where a scene ends."""

    def test_a_cut_is_found_where_it_is(self) -> None:
        """Between two scenes that stand still."""
        assert cuts_in([scene(1)] * 10 + [scene(2)] * 10 + [scene(3)] * 10) == [10, 20]

    @pytest.mark.parametrize("length", [1, 2, 3])
    def test_a_flash_is_none(self, length: int) -> None:
        """Lightning, up to three pictures long, does not end a scene; nor does its end."""
        white = np.full((18, 32), 0.97, np.float32)

        assert cuts_in(([scene(1)] * 9 + [white] * length) * 4 + [scene(1)] * 9) == []

    def test_light_that_is_switched_on_is_none(self) -> None:
        """Brighter and with more contrast, but the same scene."""
        dark = (scene(1) * 0.3).astype(np.float32)

        assert change(dark, scene(1)) > 0.12
        assert cuts_in([dark] * 10 + [scene(1)] * 10) == []

    @pytest.mark.parametrize("sigma", [0.01, 0.03, 0.06])
    def test_noise_is_none_and_hides_none(self, sigma: float) -> None:
        """Noise and rain change every picture; a cut among them is still found."""
        pictures = [noisy(scene(1 + n // 25), sigma, n) for n in range(50)]

        assert cuts_in(pictures) == [25]

    def test_a_moving_camera_is_none(self) -> None:
        """A fast pan changes every picture by more than the threshold."""
        wide = np.random.default_rng(5).random((18, 600), dtype=np.float32)
        pictures = [np.ascontiguousarray(wide[:, n * 3 : n * 3 + 32]) for n in range(60)]

        assert change(pictures[0], pictures[1]) > 0.12
        assert cuts_in([pictures[0]] * 10 + pictures) == []

    def test_pale_scenes(self) -> None:
        """In haze and at night cuts change little; they are found all the same."""
        pale = [scene(1, 0.2)] * 10 + [scene(2, 0.2)] * 10

        assert change(pale[0], pale[-1]) < 0.12
        assert cuts_in(pale) == [10]

    def test_likeness_of_flat_pictures(self) -> None:
        """Nothing can be said of them."""
        flat = np.full((18, 32), 0.5, np.float32)

        assert likeness(flat, scene(1)) == 0
        assert likeness(scene(1), scene(1)) == pytest.approx(1)

    def test_other_shapes_differ(self) -> None:
        """Pictures of different shapes are as different as can be."""
        assert change(scene(1), scene(1)[:10]) == 1
        assert likeness(scene(1), scene(1)[:10]) == 0


@st.composite
def videos(draw: st.DrawFn) -> tuple[list[float], list[Signature], list[int]]:
    """Times that increase, with gaps and changes of rate; scenes, flashes, noise; changes of size."""
    times, pictures, kinds = [draw(st.floats(-2, 2))], [], [0]
    step = 0.04
    look = 1
    for n in range(draw(st.integers(0, 260))):
        event = draw(st.sampled_from(["none"] * 40 + ["cut", "gap", "flash", "rate", "kind"]))
        step = draw(st.sampled_from([0.01, 0.04, 0.5])) if event == "rate" else step
        look += event == "cut"
        times.append(times[-1] + step * (40 if event == "gap" else 1))
        pictures.append(scene(99) if event == "flash" else noisy(scene(look), 0.01, n))
        kinds.append(kinds[-1] + (event == "kind"))
    return times, [*pictures, scene(look)], kinds


class TestClips:
    """From pictures to clips."""

    @given(video=videos(), first=st.integers(0, 1000))
    def test_clips_partition_the_video(
        self, video: tuple[list[float], list[Signature], list[int]], first: int
    ) -> None:
        """Every picture is in one clip, in order; none is empty, too long, or of two kinds."""
        times, pictures, kinds = video

        clips = clips_in(times, pictures, kinds, first)

        assert clips[0].start == first
        assert clips[-1].stop == first + len(times)
        assert all(one.stop == two.start for one, two in pairwise(clips))
        for clip in clips:
            inside = range(clip.start - first, clip.stop - first)
            assert len(inside) == len(clip) > 0
            assert clip.start_seconds == times[inside[0]]
            assert clip.stop_seconds >= times[inside[-1]]
            assert times[inside[-1]] - times[inside[0]] <= 1.5 * AIM
            assert len({kinds[n] for n in inside}) == 1
        assert clips[-1].reason == "end"

    @given(video=videos())
    def test_clips_come_in_time(self, video: tuple[list[float], list[Signature], list[int]]) -> None:
        """Nothing is held back for more than five clips' time."""
        cutter, pending = ClipCutter(), []
        for n, (seconds, picture) in enumerate(zip(video[0], video[1], strict=True)):
            pending.append(seconds)
            for clip in cutter.add(n, seconds, picture):
                del pending[: len(clip)]
            assert seconds - pending[0] <= 5 * AIM or len(pending) <= 2 * CONFIRM

    @pytest.mark.parametrize(
        ("seconds", "lengths"),
        [(0.04, 1), (1.0, 1), (2.9, 1), (3.1, 2), (5.0, 2), (5.2, 3), (7.9, 4), (60.0, 30)],
    )
    def test_a_scene_is_divided_evenly(self, seconds: float, lengths: int) -> None:
        """A scene becomes clips of one length: no small rest."""
        count = round(seconds * 25)
        clips = clips_in([n / 25 for n in range(count)], [scene(1)] * count)

        assert len(clips) == lengths
        assert max(map(len, clips)) - min(map(len, clips)) <= 1
        assert sum(clip.seconds for clip in clips[:-1]) == pytest.approx(clips[-1].start_seconds)
        assert clips[-1].stop_seconds == pytest.approx(seconds, abs=0.05)

    def test_reasons(self) -> None:
        """Each clip says why it ends."""
        times = [n / 25 for n in range(30)] + [5 + n / 25 for n in range(30)]
        pictures = [scene(1)] * 15 + [scene(2)] * 30 + [scene(3)] * 15
        kinds = [0] * 52 + [1] * 8

        clips = clips_in(times, pictures, kinds)

        assert [(clip.start, clip.stop, clip.reason) for clip in clips] == [
            (0, 15, "cut"),
            (15, 30, "gap"),
            (30, 45, "cut"),
            (45, 52, "change"),
            (52, 60, "end"),
        ]
        assert clips[0].stop_seconds == pytest.approx(0.6)
        assert clips[1].stop_seconds == pytest.approx(1.2)

    def test_variable_rate_is_no_gap(self) -> None:
        """A camera that halves its rate at night keeps its clip."""
        times = [n / 30 for n in range(30)] + [1 + n / 12 for n in range(12)]

        assert [clip.reason for clip in clips_in(times, [scene(1)] * 42)] == ["end"]

    def test_rare_pictures(self) -> None:
        """One picture in ten seconds: each is a clip of its own, and none is a gap."""
        clips = clips_in([10.0 * n for n in range(20)], [scene(1)] * 20)

        assert [len(clip) for clip in clips] == [1] * 20
        assert "gap" not in {clip.reason for clip in clips}

    def test_nothing(self) -> None:
        """No pictures, no clips."""
        assert ClipCutter().finish() == []
        assert list(clips_of([])) == []

    def test_order_is_checked(self) -> None:
        """Pictures that go back in time are a mistake of the caller."""
        cutter = ClipCutter()
        cutter.add(0, 1.0, scene(1))
        with pytest.raises(UsageError, match="in order"):
            cutter.add(1, 1.0, scene(1))

    @given(cuts=st.lists(st.integers(1, 12), max_size=12))
    def test_batches_do_not_matter(self, cuts: list[int]) -> None:
        """However frames come in batches, the clips are the same."""
        layout = PixelFormat("gray")
        frames = [
            Frame(tuple(random_planes("gray", (40, 30), seed=n // 21, pattern="moving")), n, 1, n)
            for n in range(60)
        ]

        def batches(sizes: list[int]) -> list[FrameBatch]:
            result, rest = [], list(frames)
            for size in [*sizes, 60]:
                if rest[:size]:
                    result.append(FrameBatch(tuple(rest[:size]), 40, 30, layout, Fraction(1, 10)))
                del rest[:size]
            return result

        assert list(clips_of(batches(cuts))) == list(clips_of(batches([])))

    def test_settings_count(self) -> None:
        """Length, threshold and gap are the settings'."""
        cutter = ClipCutter(WindowSettings(clip_seconds=0.5, cut_threshold=0.9, gap_frames=50.0))
        times = [n / 25 for n in range(25)] + [2 + n / 25 for n in range(25)]
        clips = []
        for n, seconds in enumerate(times):
            clips += cutter.add(n, seconds, scene(1 + n // 40, 0.2))
        clips += cutter.finish()

        assert {clip.reason for clip in clips} == {"length", "end"}
        assert [len(clip) for clip in clips] == [13, 12, 13, 12]

    def test_of_a_real_file(self, tmp_path: Path) -> None:
        """Two scenes in a file, one after the other."""
        planes = [
            random_planes("yuv420p", (96, 64), seed=40 * (n // 30) + n, pattern="smooth") for n in range(60)
        ]
        write_video(tmp_path / "a.mp4", planes=planes)

        with open_source(tmp_path / "a.mp4") as source:
            clips = list(clips_of(source, WindowSettings(cut_threshold=0.05)))

        assert [(clip.start, clip.stop) for clip in clips] == [(0, 30), (30, 60)]
        assert clips[-1].stop_seconds == pytest.approx(2.4)


class TestCausalWindow:
    """The last seconds of a stream."""

    def test_it_is_evaluated_every_few_pictures(self) -> None:
        """At the first picture, and then at every fifth."""
        window: CausalWindow[int] = CausalWindow(seconds=1.0, every=5)
        results = [window.add(n / 10, scene(1), n) for n in range(16)]

        assert [n for n, result in enumerate(results) if result is not None] == [0, 5, 10, 15]
        assert results[0] == [0]
        assert results[15] == list(range(6, 16))

    def test_a_cut_empties_it(self) -> None:
        """A new scene is judged by its own pictures, as soon as it is known to be one."""
        window: CausalWindow[int] = CausalWindow(seconds=10.0, every=100)
        results = [window.add(n / 10, scene(1 + n // 20), n) for n in range(40)]

        assert results[20 + CONFIRM] == [20, 21, 22, 23]

    def test_a_gap_empties_it(self) -> None:
        """After a lost connection nothing of the past counts, forwards or backwards."""
        window: CausalWindow[int] = CausalWindow(seconds=100.0, every=100)
        for n in range(10):
            window.add(n / 10, scene(1), n)

        assert window.add(30.0, scene(1), 10) == [10]
        assert window.add(5.0, scene(1), 11) == [11]

    @given(steps=st.lists(st.floats(0.001, 0.05), max_size=80), every=st.integers(1, 7))
    def test_it_holds_the_last_seconds(self, steps: list[float], every: int) -> None:
        """Never more than its length, always the newest, in order."""
        window: CausalWindow[float] = CausalWindow(seconds=0.5, every=every)
        now = 0.0
        for step in steps:
            now += step
            items = window.add(now, scene(1), now)
            if items is not None:
                assert items[-1] == now
                assert items == sorted(items)
                assert now - items[0] < 0.5

    def test_options_are_checked(self) -> None:
        """A window without length is a mistake."""
        with pytest.raises(UsageError):
            CausalWindow(seconds=0)
        with pytest.raises(UsageError):
            CausalWindow(every=0)
