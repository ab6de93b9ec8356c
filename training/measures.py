"""How pictures are measured, once for everything that prints a figure. NumPy arrays in, numbers out."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]


def to_8bit(picture: Floats) -> npt.NDArray[np.float64]:
    """Clip to [0, 1] and round to multiples of 1/255."""
    return np.rint(np.clip(picture.astype(np.float64), 0, 1) * 255) / 255


def psnr(a: Floats, b: Floats) -> float:
    """10 log10(1 / mean squared error), over all pixels and channels of values in [0, 1], in dB."""
    error = float(np.mean((np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2))
    return 10 * math.log10(1 / error) if error else math.inf


def y_full(picture: Floats) -> npt.NDArray[np.float64]:
    """0.299 R + 0.587 G + 0.114 B, (H, W) in [0, 1]."""
    return _dot(picture, (0.299, 0.587, 0.114))


def y_studio(picture: Floats) -> npt.NDArray[np.float64]:
    """BT.601 luma in 16..235 over 255, as papers on rain report it; higher PSNR than `y_full`."""
    return (16 + _dot(picture, (65.481, 128.553, 24.966))) / 255


def ssim(a: Floats, b: Floats) -> float:
    """Structural similarity: Gaussian window 11x11, sigma 1.5, K = (0.01, 0.03), valid region.

    Mean over RGB channels of pictures (H, W, 3) in [0, 1] (Wang et al., IEEE TIP 13(4), 2004).
    """
    c1, c2 = 0.01**2, 0.03**2
    window = cv2.getGaussianKernel(11, 1.5)

    def smooth(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(cv2.sepFilter2D(x, -1, window, window)[5:-5, 5:-5], np.float64)

    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    mean_x, mean_y = smooth(x), smooth(y)
    var_x, var_y = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2
    cov = smooth(x * y) - mean_x * mean_y
    score = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    score /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return float(score.mean())


def align_brightness(picture: Floats, target: Floats) -> npt.NDArray[np.float64]:
    """A picture with each channel's mean scaled to the target's (raindrop pairs differ in exposure)."""
    gain = np.mean(target, axis=(0, 1)) / np.maximum(np.mean(picture, axis=(0, 1)), 1e-6)
    return np.asarray(np.clip(np.asarray(picture, np.float64) * gain, 0, 1))


def _dot(picture: Floats, weights: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    return np.asarray(np.asarray(picture, np.float64) @ np.array(weights))
