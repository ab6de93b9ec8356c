"""Figures of clips against values that are known."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from training.temporal import flicker, motions, warping_error

Clip = npt.NDArray[np.uint8]


def still(level: int = 100, frames: int = 5) -> Clip:
    """A grey clip, (T, 32, 40, 3)."""
    return np.full((frames, 32, 40, 3), level, np.uint8)


def moving(step: tuple[int, int], frames: int = 5) -> Clip:
    """A soft pattern that a camera passes by `step` pixels (x, y) in each frame, (T, 96, 128, 3)."""
    coarse = np.random.default_rng(0).uniform(60, 200, (60, 70, 3)).astype(np.float32)
    wide = cv2.resize(coarse, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    tops = [(60 + step[1] * t, 60 + step[0] * t) for t in range(frames)]
    return np.stack([wide[y : y + 96, x : x + 128] for y, x in tops])


def noise(clip: Clip, sigma: float) -> Clip:
    """White noise on a clip."""
    grain = np.random.default_rng(1).normal(0, sigma, clip.shape)
    return np.rint(clip + grain).clip(0, 255).astype(np.uint8)


class TestFlicker:
    """Mean absolute change of the error."""

    def test_what_stays_does_not_count(self) -> None:
        """Nothing, and an error that is the same in each frame, whatever moves."""
        clean = moving((3, 1))

        assert flicker(clean, clean) == 0
        assert flicker(clean - 20, clean) == 0

    def test_by_hand(self) -> None:
        """Errors of 0, 10, 0, 10, 0 codes change by 10 in each step."""
        clip = still()
        clip[1::2] += 10

        assert flicker(clip, still()) == pytest.approx(10 / 255)

    def test_a_part_of_the_picture(self) -> None:
        """A quarter of the pixels that fall by 20 codes once in four steps: 20 / 4 / 4."""
        clip = still()
        clip[2:, :16, :20] -= 20

        assert flicker(clip, still()) == pytest.approx(20 / 16 / 255)

    def test_white_noise(self) -> None:
        """Of two independent normal errors the mean absolute difference is 2 sigma / sqrt(pi)."""
        clean = moving((2, 0))

        assert flicker(noise(clean, 5), clean) == pytest.approx(2 * 5 / np.sqrt(np.pi) / 255, rel=0.02)


class TestWarpingError:
    """Mean squared change along the motion."""

    @pytest.mark.parametrize("step", [(0, 0), (3, 0), (-2, 1)])
    def test_motion_is_not_an_error(self, step: tuple[int, int]) -> None:
        """A scene that only moves has next to none, where the same without motion has much."""
        clean = moving(step)

        error = warping_error(clean, motions(clean))

        assert error < 2e-6
        if step != (0, 0):
            assert warping_error(clean, motions(np.repeat(clean[:1], 5, axis=0))) > 1000 * error

    def test_motion_is_found(self) -> None:
        """Of a camera that passes by 3 pixels: where each point was, and that most are seen."""
        for motion in motions(moving((3, 0))):
            x = motion.place[..., 0] - np.arange(128)
            assert np.median(x) == pytest.approx(3, abs=0.05)
            assert motion.seen.mean() > 0.8
            assert not motion.seen[:, -2:].any()  # came from outside the picture

    def test_white_noise(self) -> None:
        """Adds 2 sigma^2 where nothing moves, whose excess over the clean clip's is the figure."""
        clean = moving((0, 0))
        moves = motions(clean)

        excess = warping_error(noise(clean, 6), moves) - warping_error(clean, moves)

        assert excess == pytest.approx(2 * (6 / 255) ** 2, rel=0.03)

    def test_a_change_of_mind(self) -> None:
        """One step by 10 codes in four: 10^2 / 4."""
        clean = moving((2, 1))
        clip = clean.copy()
        clip[3:] += 10

        assert warping_error(clip, motions(clean)) == pytest.approx((10 / 255) ** 2 / 4, rel=0.02)

    def test_what_was_hidden_is_left_out(self) -> None:
        """A square moves over a ground that stands: what it uncovers was not seen before."""
        ground, square = moving((0, 0))[0], moving((0, 0))[0][:32, :32] // 2
        clip = np.stack([ground.copy() for _ in range(3)])
        for t, frame in enumerate(clip):
            frame[32:64, 32 + 6 * t : 64 + 6 * t] = square

        motion = motions(clip)[0]

        assert motion.seen[34:62, 32:37].mean() < 0.3
        assert motion.seen[34:62, 84:110].mean() > 0.9
