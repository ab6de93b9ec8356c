r"""Noise: white Gaussian for the benchmarks, and a camera's (METHOD section 6).

    awgn:    I = J + sigma n                                              n ~ N(0, 1), not clipped
    clipped: the same, clipped and rounded to 8 bit: what a video holds
    camera:  display -> linear -> raw (white balance undone) -> x + sqrt(shot x + read) n -> back, clipped

The camera form follows Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019), with a
Gaussian of signal-dependent variance for the Poisson part, optional Bayer mosaic and optional row banding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from torch import Tensor

from ._arrays import Array, check_clip, clip01, decode_gamma, encode_gamma, to_arrays, to_tensor

Kind = Literal["awgn", "clipped", "camera"]

_KINDS: tuple[Kind, Kind, Kind] = ("awgn", "clipped", "camera")


@dataclass(frozen=True, slots=True)
class NoiseParams:
    """One clip's noise."""

    kind: Kind
    """Which of the three models."""
    sigma: float
    """Standard deviation on the 8-bit scale, 0 to 55 (awgn and clipped)."""
    shot: float
    """Variance per unit of linear raw signal (camera)."""
    read: float
    """Variance of the read noise in linear raw units squared (camera)."""
    balance: tuple[float, float, float]
    """White balance gains for R, G, B, at least 1 (camera)."""
    bayer: bool
    """True: noise passes a Bayer mosaic and OpenCV's bilinear demosaicing (camera)."""
    banding: float
    """Standard deviation of a row's common offset, as a share of the read noise's (camera)."""


def draw(rng: np.random.Generator, kind: Kind | None = None) -> NoiseParams:
    """Draw one clip's noise; without `kind`, 0.55 awgn, 0.15 clipped, 0.3 camera."""
    if kind is None:
        kind = _KINDS[int(rng.choice(3, p=(0.55, 0.15, 0.3)))]
    shot = float(np.exp(rng.uniform(np.log(1e-4), np.log(0.025))))
    read = float(np.exp(2.18 * np.log(shot) + 1.2 + rng.normal(0.0, 0.26)))  # Brooks et al., eq. 5
    return NoiseParams(
        kind=kind,
        sigma=float(rng.uniform(0.0, 55.0)),
        shot=shot,
        read=read,
        balance=(float(rng.uniform(1.2, 2.4)), 1.0, float(rng.uniform(1.2, 2.2))),
        bayer=bool(rng.random() < 0.4),
        banding=float(rng.uniform(0.1, 0.7)) if rng.random() < 0.3 else 0.0,
    )


def scale(params: NoiseParams, factor: float) -> NoiseParams:
    """The same noise with `factor` times its standard deviation; 0 is the identity for awgn."""
    variance = factor * factor
    return replace(
        params, sigma=params.sigma * factor, shot=params.shot * variance, read=params.read * variance
    )


def apply(
    clean: Tensor, params: NoiseParams, rng: np.random.Generator, *, times: Sequence[float] = (0.0,)
) -> tuple[Tensor, float]:
    """Add noise, new in each frame.

    Args:
        clean: (T, 3, H, W) float32, display-coded RGB in [0, 1].
        params: the clip's noise.
        rng: source of the noise.
        times: T times in seconds; only their number matters.

    Returns:
        The noisy clip, (T, 3, H, W), clipped to [0, 1] except for `awgn`; and the severity: sigma on the
        8-bit scale, measured over the clip for `camera`.
    """
    check_clip(clean, len(times))
    if params.kind == "camera":
        arrays = to_arrays(clean)
        frames = [_camera(frame, params, rng) for frame in arrays]
        squares = [float(np.mean((noisy - frame) ** 2)) for noisy, frame in zip(frames, arrays, strict=True)]
        return to_tensor(frames), 255.0 * float(np.sqrt(np.mean(squares)))
    frames = [_white(frame, params, rng) for frame in to_arrays(clean)]
    return to_tensor(frames), params.sigma


def _white(frame: Array, params: NoiseParams, rng: np.random.Generator) -> Array:
    noisy = rng.standard_normal(frame.shape, np.float32)
    noisy *= np.float32(params.sigma / 255.0)
    noisy += frame
    if params.kind == "clipped":
        noisy = np.rint(clip01(noisy) * 255.0) / np.float32(255.0)
    return noisy


def _camera(frame: Array, params: NoiseParams, rng: np.random.Generator) -> Array:
    gains = np.asarray(params.balance, np.float32)
    raw = decode_gamma(frame) / gains  # (H, W, 3), linear
    if params.bayer and min(frame.shape[:2]) >= 4:
        noisy = _mosaic(raw, params, rng)
    else:
        noisy = _shoot(raw, params, rng)
    return clip01(encode_gamma(noisy * gains))


def _shoot(raw: Array, params: NoiseParams, rng: np.random.Generator) -> Array:
    """Poisson-Gaussian noise on (H, W) or (H, W, 3) linear raw values, with row banding."""
    noise = rng.standard_normal(raw.shape, np.float32)
    noise *= np.sqrt(raw * np.float32(params.shot) + np.float32(params.read))
    if params.banding > 0.0:
        rows = rng.standard_normal((raw.shape[0],) + (1,) * (raw.ndim - 1), np.float32)
        noise += rows * np.float32(params.banding * np.sqrt(params.read))
    return raw + noise


def _mosaic(raw: Array, params: NoiseParams, rng: np.random.Generator) -> Array:
    """Noise on an RGGB mosaic; only the noise is interpolated, so that no sharpness is lost with it."""
    plane = np.empty(raw.shape[:2], np.float32)
    for y, x, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        plane[y::2, x::2] = raw[y::2, x::2, channel]
    noise = _shoot(plane, params, rng) - plane
    # demosaicing wants integers: 16 bit around the middle, 6 sigma of the brightest pixel wide
    span = 6.0 * float(np.sqrt(params.shot + params.read) * (1.0 + params.banding)) + 1e-6
    coded = np.clip(noise * np.float32(32767.0 / span) + np.float32(32768.0), 0.0, 65535.0).astype(np.uint16)
    rgb = cv2.demosaicing(coded, cv2.COLOR_BayerRGGB2RGB).astype(np.float32)
    noisy: Array = raw + (rgb - np.float32(32768.0)) * np.float32(span / 32767.0)
    return noisy
