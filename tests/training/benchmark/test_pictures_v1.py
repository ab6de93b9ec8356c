"""Tests of training/benchmark/pictures_v1.py."""

from collections import Counter

import numpy as np
import pytest

from training.benchmark.clips_v1 import WEATHERS
from training.benchmark.pictures_v1 import FRAMES, GROUPS, RouterClip, awgn, pan, router_clips

from .scenes import Picture, make_frames


def make_pictures(count: int = 3) -> list[Picture]:
    """Different still pictures of different sizes."""
    return [make_frames((40 + 10 * i, 60), 1)[0] for i in range(count)]


@pytest.fixture(scope="module")
def clips() -> list[RouterClip]:
    """A full turn of groups and pairs."""
    return list(router_clips(make_pictures(), 36, seed=1))


class TestRouterClips:
    """Clips with known weather."""

    def test_shares_are_equal(self, clips: list[RouterClip]) -> None:
        """Of 36 clips each group has 6, and each pair of weathers occurs once."""
        assert Counter(clip.group for clip in clips) == dict.fromkeys(GROUPS, 6)
        assert len({clip.labels for clip in clips if clip.group == "mixed"}) == 6

    def test_labels_say_what_is_there(self, clips: list[RouterClip]) -> None:
        """Severity is above 0 for the labels and 0 for the rest; only clean clips have none."""
        for clip in clips:
            assert set(clip.severity) == set(WEATHERS)
            assert {name for name, value in clip.severity.items() if value > 0} == set(clip.labels)
            assert (clip.group == "clean") == (not clip.labels)

    def test_frames(self, clips: list[RouterClip]) -> None:
        """Each clip has a few pictures of one size, a tenth smaller than the picture, from all pictures."""
        for clip in clips:
            assert len(clip.frames) == FRAMES
            assert len({frame.shape for frame in clip.frames}) == 1
            assert clip.frames[0].dtype == np.uint8
        assert {clip.frames[0].shape for clip in clips} == {(36, 54, 3), (45, 54, 3), (54, 54, 3)}

    def test_repeats(self, clips: list[RouterClip]) -> None:
        """The seed decides everything, however many clips are taken."""
        again = list(router_clips(make_pictures(), 6, seed=1))
        other = list(router_clips(make_pictures(), 6, seed=2))

        assert all(np.array_equal(a.frames, b.frames) for a, b in zip(again, clips, strict=False))
        assert not all(
            a.frames[0].shape == b.frames[0].shape and np.array_equal(a.frames, b.frames)
            for a, b in zip(again, other, strict=True)
        )


class TestPan:
    """The camera."""

    def test_some_stand_still_and_most_move(self) -> None:
        """About a quarter of the cameras stand still; the others move by little from frame to frame."""
        picture = np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)
        still = 0
        for seed in range(40):
            frames = pan(picture, np.random.default_rng(seed))
            still += np.array_equal(frames[0], frames[-1])

        assert 4 <= still <= 18

    def test_scale_is_native(self) -> None:
        """A camera that stands still shows the picture's own pixels."""
        picture = np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)
        clips = [pan(picture, np.random.default_rng(seed)) for seed in range(40)]
        frame = next(frames[0] for frames in clips if np.array_equal(frames[0], frames[-1]))
        windows = [picture[y : y + 90, x : x + 108] for y in range(11) for x in range(13)]

        assert any(np.array_equal(frame, window) for window in windows)


class TestAwgn:
    """White noise on pictures."""

    def test_is_the_protocols(self) -> None:
        """METHOD section 5: default_rng([0, i]), added in floating point, neither clipped nor rounded."""
        picture = make_pictures(1)[0]
        expected = picture / 255 + np.random.default_rng([0, 5]).standard_normal(picture.shape) * 50 / 255
        noisy = awgn(picture, 50, 5)

        assert noisy.dtype == np.float32
        assert np.allclose(noisy, expected, atol=1e-6)
        assert noisy.min() < 0 < 1 < noisy.max()

    def test_first_values(self) -> None:
        """The first numbers of picture 0, written down."""
        noisy = awgn(np.zeros((2, 2, 3), np.uint8), 255, 0)

        assert noisy.ravel()[:3] == pytest.approx((0.1257, -0.1321, 0.6404), abs=1e-4)
