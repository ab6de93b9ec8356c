"""PSNR and SSIM."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamrestore.render.quality import psnr, ssim


def pair(shape, peak=255, seed=0):
    """A picture and one with noise."""
    random = np.random.default_rng(seed)
    kind = np.uint8 if peak < 256 else np.uint16
    first = random.integers(0, peak + 1, shape)
    second = np.clip(first + random.normal(0, peak / 20, shape), 0, peak)
    return first.astype(kind), np.rint(second).astype(kind)


def plain_ssim(first, second, peak):
    """By the definition, window by window, in double precision."""
    places = np.arange(11) - 5
    line = np.exp(-(places**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    values = []
    for top in range(first.shape[0] - 10):
        for left in range(first.shape[1] - 10):
            a, b = (p[top : top + 11, left : left + 11].astype(float) for p in (first, second))
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
            cov = (window * (a - ma) * (b - mb)).sum()
            values.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return np.mean(values)


@pytest.mark.parametrize("peak", [255, 1023])
@pytest.mark.parametrize("shape", [(11, 11), (12, 30), (19, 23), (35, 13)])
def test_ssim_is_that_of_the_paper(shape, peak):
    """The quick way gives what the definition gives, at any size and depth."""
    first, second = pair(shape, peak)
    assert ssim(first, second, peak) == pytest.approx(plain_ssim(first, second, peak), abs=1e-5)


def test_ssim_of_flat_pictures():
    """No structure: what differs is the brightness only."""
    dark, bright = np.full((20, 20), 60, np.uint8), np.full((20, 20), 90, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 60 * 90 + c1) / (60**2 + 90**2 + c1)
    assert ssim(dark, bright, 255) == pytest.approx(expected, abs=1e-3)
    assert ssim(dark, dark, 255) == pytest.approx(1, abs=1e-6)


def test_ssim_of_tiny_pictures():
    """There is no window in them."""
    assert math.isnan(ssim(*pair((10, 40)), 255))


@pytest.mark.parametrize("peak", [255, 65535])
def test_psnr_weighs_samples(peak):
    """All samples count alike, so that luma counts four times as much as one chroma plane."""
    kind = np.uint8 if peak == 255 else np.uint16
    zeros = [np.zeros(shape, kind) for shape in ((8, 8), (4, 4), (4, 4))]
    other = [zeros[0], zeros[1] + kind(peak), zeros[2]]
    assert psnr(zeros, other, peak) == pytest.approx(10 * math.log10(96 / 16))
    assert psnr(zeros, zeros, peak) == math.inf
