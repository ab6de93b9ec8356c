"""Tests of training/benchmark/clips_v1.py."""

import ast
from pathlib import Path

import numpy as np
import pytest

from training.benchmark import clips_v1
from training.benchmark.clips_v1 import WEATHERS, Weather, degrade_clip

from .scenes import correlation, make_frames, residuals


class TestFrozen:
    """What was published can be measured again."""

    @pytest.mark.parametrize(
        ("weather", "mean", "spread", "severity"),
        [
            ("rain", 11.05, 10.14, 0.1304),
            ("haze", 37.60, 29.04, 0.4329),
            ("raindrop", 1.95, 21.47, 0.3005),
            ("noise", -1.90, 20.17, 20.2588),
        ],
    )
    def test_output_is_version_1(self, weather: Weather, mean: float, spread: float, severity: float) -> None:
        """Mean, standard deviation and severity are the frozen version's (OpenCV may round differently)."""
        clean = make_frames(moving=True)
        degraded, found = degrade_clip(clean, weather, 7, 25.0)
        error = np.stack(degraded).astype(float) - np.stack(clean)

        assert clips_v1.VERSION == "clips-v1"
        assert error.mean() == pytest.approx(mean, abs=0.1)
        assert error.std() == pytest.approx(spread, abs=0.1)
        assert found == pytest.approx(severity, rel=0.01)

    def test_does_not_know_the_training_generator(self) -> None:
        """A network is not tested on its own maker's habits, nor do figures move with the training."""
        tree = ast.parse(Path(clips_v1.__file__).read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

        assert not [name for name in imported if name and name.startswith("training")]


class TestContract:
    """What holds for every weather."""

    @pytest.mark.parametrize("weather", WEATHERS)
    @pytest.mark.parametrize(("size", "frames"), [((16, 16), 1), ((33, 47), 2), ((120, 68), 1)])
    def test_sizes(self, weather: Weather, size: tuple[int, int], frames: int) -> None:
        """Any size and number of frames comes back as uint8 of the same shape, damaged."""
        clean = make_frames(size, frames)
        degraded, severity = degrade_clip(clean, weather, 0, 25.0)

        assert [(frame.shape, frame.dtype) for frame in degraded] == [((*size, 3), np.uint8)] * frames
        assert severity > 0
        assert any((a != b).any() for a, b in zip(degraded, clean, strict=True))

    @pytest.mark.parametrize("weather", WEATHERS)
    def test_repeats(self, weather: Weather) -> None:
        """The same index gives the same clip, another one another; the input is left as it was."""
        clean = make_frames(frames=2)
        before = np.stack(clean)
        first, again, other = (np.stack(degrade_clip(clean, weather, i, 25.0)[0]) for i in (3, 3, 4))

        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
        assert np.array_equal(before, np.stack(clean))

    @pytest.mark.parametrize("weather", WEATHERS)
    def test_beginning_does_not_depend_on_the_end(self, weather: Weather) -> None:
        """A clip that is cut short has the same first frames."""
        clean = make_frames(frames=3, moving=True)

        assert np.array_equal(
            degrade_clip(clean[:2], weather, 1, 25.0)[0], degrade_clip(clean, weather, 1, 25.0)[0][:2]
        )

    @pytest.mark.parametrize("weather", WEATHERS)
    def test_strength(self, weather: Weather) -> None:
        """The input PSNR lies where the benchmark means to be, for a range of seeds."""
        clean = make_frames((120, 160), 1)
        figures = []
        for index in range(8):
            error = residuals(degrade_clip(clean, weather, index, 25.0)[0], clean)
            figures.append(float(10 * np.log10(255**2 / np.mean(error**2))))

        assert 11 < np.median(figures) < 28
        assert min(figures) > 8

    def test_weather_must_be_known(self) -> None:
        """Anything but the four weathers is refused, and so is a clip without frames."""
        with pytest.raises(ValueError, match="snow"):
            degrade_clip(make_frames(), "snow", 0, 25.0)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="0 frames"):
            degrade_clip([], "rain", 0, 25.0)


class TestTime:
    """How weather moves."""

    def test_streaks_are_new_in_each_frame(self) -> None:
        """Neighbouring frames share no streaks."""
        clean = make_frames((200, 200), 4)
        streaks = residuals(degrade_clip(clean, "rain", 2, 25.0)[0], clean)
        streaks -= np.median(streaks, axis=0)  # the veil and how the light differs stay

        assert abs(correlation(streaks[0], streaks[1])) < 0.4
        assert np.abs(streaks[1] - streaks[0]).mean() > 1

    def test_noise_is_new_in_each_frame(self) -> None:
        """Noise of two frames is uncorrelated, white and from a sensor alike."""
        for index in range(4):
            clean = make_frames((100, 100), 2)
            noise = residuals(degrade_clip(clean, "noise", index, 25.0)[0], clean)

            assert abs(correlation(noise[0], noise[1])) < 0.1

    def test_drops_stay_and_one_slides(self) -> None:
        """Over two seconds nearly all of the glass looks the same, and something has moved."""
        clean = make_frames((200, 260), 2)
        first, last = residuals(degrade_clip(clean, "raindrop", 1, 0.5)[0], clean)

        assert (np.abs(last - first) < 1).mean() > 0.85
        assert (np.abs(last - first) > 8).any()
        assert correlation(first, last) > 0.7

    def test_haze_drifts_slowly(self) -> None:
        """From frame to frame haze changes by less than a code, over seconds by more."""
        clean = make_frames((90, 120), 50)
        haze = residuals(degrade_clip(clean, "haze", 0, 25.0)[0], clean)

        assert np.abs(haze[1] - haze[0]).mean() < 1
        assert np.abs(haze[49] - haze[0]).mean() > 1
        assert correlation(haze[0], haze[49]) > 0.8


class TestLooks:
    """What each weather does to a picture."""

    def test_streaks_fall(self) -> None:
        """Streaks are alike along the vertical much farther than across."""
        clean = [np.full((200, 200, 3), 60, np.uint8)] * 2
        streaks = residuals(degrade_clip(clean, "rain", 0, 25.0)[0], clean)
        streaks = streaks[0] - streaks[1]

        assert (
            correlation(streaks[:-5], streaks[5:]) > 1.5 * correlation(streaks[:, :-5], streaks[:, 5:]) + 0.05
        )

    def test_haze_veils_what_is_far(self) -> None:
        """The dark band at the horizon loses more contrast than the ground before the camera."""
        clean = make_frames((120, 160), 1)
        hazy = degrade_clip(clean, "haze", 0, 25.0)[0][0].astype(float)
        far, near = hazy[50:60].std() / clean[0][50:60].std(), hazy[-15:].std() / clean[0][-15:].std()

        assert far < 0.9 * near

    def test_severity_counts_what_is_covered(self) -> None:
        """Raindrop severity is the share of pixels that drops changed, roughly."""
        clean = make_frames((240, 320), 1)
        degraded, severity = degrade_clip(clean, "raindrop", 5, 25.0)
        changed = (np.abs(residuals(degraded, clean)) > 1).mean()

        assert 0.05 < severity < 0.6
        assert changed == pytest.approx(severity, abs=0.3)

    def test_noise_severity_is_its_standard_deviation(self) -> None:
        """On middle grey, where nothing is clipped, severity is the measured sigma."""
        clean = [np.full((80, 80, 3), 120, np.uint8)]
        for index in range(6):
            degraded, severity = degrade_clip(clean, "noise", index, 25.0)
            error = degraded[0].astype(float) - clean[0]

            assert error.std() == pytest.approx(severity, rel=0.08)
            assert 10 < severity < 60
