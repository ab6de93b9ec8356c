r"""Raindrops on the glass in front of the lens (METHOD section 6).

Each drop is a thin spherical cap that refracts. At offset p from its middle c (radius r) it shows the place

    c - (p / r) * view * (1 + bulge * |p / r|^2),

a shrunken, flipped view of a wide field. Drops add up in one field F = sum (1 - |p / r|^2)^2, so that near
ones merge; alpha = smoothstep of F over a threshold; the view is the F-weighted mean of the drops' views.
The camera is focused far: drop colour and alpha are blurred together before blending,

    I = J (1 - alpha) + alpha * shade * J(view).

Most drops stay for the whole clip; sliding ones stick and slip and leave small drops behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from torch import Tensor

from ._arrays import Array, blur, check_clip, clip01, smooth_field, to_arrays, to_tensor
from ._pane import THRESHOLD, optics, scatter_drops, slide


@dataclass(frozen=True, slots=True)
class RaindropParams:
    """One clip's drops."""

    coverage: float
    """Aimed share of the picture under drops, 0 to 1 (overlaps make the true share smaller)."""
    radius: float
    """Median drop radius in pixels."""
    spread: float
    """Sigma of the log-normal radius distribution."""
    view: float
    """Half width of the field seen through a drop, as a share of the picture's longer side."""
    bulge: float
    """Growth of the refraction towards the rim, 0 to 1."""
    defocus: float
    """Sigma of the blur of drops in pixels."""
    fine: float
    """Share of the coverage in fine droplets of a quarter of the radius, 0 to 1."""
    rim: float
    """Darkening at the rim, 0 to 1."""
    spot: float
    """Brightness of the bright spot, display-coded, 0 to 1."""
    light: float
    """Direction of the bright spot in degrees from straight up."""
    gain: float
    """Brightness of the view relative to the scene, near 1."""
    wobble: float
    """Irregularity of outlines: shift as a share of the median radius."""
    sliding: float
    """Share of drops that slide."""
    speed: float
    """Mean speed of sliding drops in pixels per second."""
    seed: int
    """Seed of everything that stays put over the clip."""


def draw(rng: np.random.Generator) -> RaindropParams:
    """Draw one clip's drops."""
    radius = float(np.exp(rng.uniform(np.log(2.5), np.log(36.0))))
    return RaindropParams(
        coverage=float(np.exp(rng.uniform(np.log(0.03), np.log(0.45)))),
        radius=radius,
        spread=float(rng.uniform(0.15, 0.65)),
        view=float(rng.uniform(0.12, 0.5)),
        bulge=float(rng.uniform(0.0, 0.6)),
        defocus=float(np.exp(rng.uniform(np.log(0.6), np.log(max(1.0, 0.35 * radius))))),
        fine=float(rng.uniform(0.0, 0.5)) if rng.random() < 0.5 else 0.0,
        rim=float(rng.uniform(0.0, 0.6)),
        spot=float(rng.uniform(0.0, 0.5)) if rng.random() < 0.6 else 0.0,
        light=float(rng.normal(0.0, 40.0)),
        gain=float(rng.uniform(0.8, 1.2)),
        wobble=float(rng.uniform(0.0, 0.35)),
        sliding=float(rng.uniform(0.0, 0.25)) if rng.random() < 0.5 else 0.0,
        speed=float(np.exp(rng.uniform(np.log(5.0), np.log(150.0)))),
        seed=int(rng.integers(2**31)),
    )


def scale(params: RaindropParams, factor: float) -> RaindropParams:
    """The same glass with `factor` times the coverage; 0 is the identity."""
    return replace(params, coverage=params.coverage * factor)


def apply(
    clean: Tensor, params: RaindropParams, rng: np.random.Generator, *, times: Sequence[float] = (0.0,)
) -> tuple[Tensor, float]:
    """Look at a clip through a wet pane; drops stay in place, the scene moves behind them.

    Args:
        clean: (T, 3, H, W) float32, display-coded RGB in [0, 1].
        params: the clip's drops; `params.seed` alone decides where they are.
        rng: unused, kept for the common contract.
        times: T times in seconds; sliding drops follow them.

    Returns:
        The clip behind drops, (T, 3, H, W) in [0, 1], and the severity: share of the picture covered (mean of
        alpha over the clip), 0 to 1.
    """
    del rng
    check_clip(clean, len(times))
    arrays = to_arrays(clean)
    size = (arrays[0].shape[0], arrays[0].shape[1])
    static = np.random.default_rng(params.seed)
    pane = scatter_drops(params, size, static)
    if pane.x.size == 0:
        return to_tensor(arrays), 0.0
    phases = static.uniform(0.0, 1.0, pane.x.size)
    warp = smooth_field(static, size, _cells(params, size), 2) * np.float32(params.wobble * params.radius)
    frames, covered = [], 0.0
    layer: tuple[Array, Array, Array, Array] | None = None
    for frame, time in zip(arrays, times, strict=True):
        if layer is None or params.sliding > 0.0:
            drops = slide(pane, params, phases, float(time), size)
            layer = optics(drops, params, size, warp)
        out, share = _look(frame, layer, params)
        frames.append(out)
        covered += share / len(times)
    return to_tensor(frames), covered


def _cells(params: RaindropParams, size: tuple[int, int]) -> int:
    return int(np.clip(max(size) / (1.5 * params.radius), 2, 48))


def _look(
    frame: Array, layer: tuple[Array, Array, Array, Array], params: RaindropParams
) -> tuple[Array, float]:
    """Blend the refracted view over the frame; also the share covered."""
    field, spots, x, y = layer
    soft = np.float32(0.3 * THRESHOLD)
    ramp = np.clip((field - np.float32(THRESHOLD)) / soft + 0.5, 0.0, 1.0)
    alpha = ramp * ramp * (3.0 - 2.0 * ramp)
    depth = np.clip((field - np.float32(THRESHOLD)) * np.float32(2.0), 0.0, 1.0)  # 0 rim, 1 inside
    shade = np.float32(params.gain) * (1.0 - np.float32(params.rim) * (1.0 - depth) ** 2)
    height, width = field.shape
    shrink = int(np.clip(max(height, width) * params.view / (2.0 * params.radius), 1, min(8, height, width)))
    small = cv2.resize(
        frame, (max(width // shrink, 1), max(height // shrink, 1)), interpolation=cv2.INTER_AREA
    )
    to_x, to_y = np.float32(small.shape[1] / width), np.float32(small.shape[0] / height)
    seen = np.asarray(
        cv2.remap(small, x * to_x, y * to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32
    )
    seen = seen * shade[..., None] + (np.float32(params.spot) * spots)[..., None]
    drop = np.dstack((seen * alpha[..., None], alpha))  # (H, W, 4), premultiplied
    drop = blur(np.ascontiguousarray(drop), params.defocus)
    alpha = drop[..., 3:]
    return clip01(frame * (1.0 - alpha) + drop[..., :3]), float(alpha.mean())
