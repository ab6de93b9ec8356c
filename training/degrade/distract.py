"""What the router must not claim: snow, blur, night glare, codec damage, graphics (METHOD section 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from torch import Tensor

from . import codec
from ._arrays import (
    Array,
    blur,
    check_clip,
    clip01,
    decode_gamma,
    encode_gamma,
    from_8bit,
    to_8bit,
    to_arrays,
    to_tensor,
)

Kind = Literal["snow", "blur", "glare", "codec", "graphics"]
KINDS: tuple[Kind, ...] = ("snow", "blur", "glare", "codec", "graphics")


@dataclass(frozen=True, slots=True)
class DistractParams:
    """One clip's distraction."""

    kind: Kind
    """What happens to the picture."""
    amount: float
    """How strong, 0 (barely) to 1 (hides the picture)."""
    seed: int
    """Seed of everything that stays put over the clip."""


def draw(rng: np.random.Generator, kind: Kind | None = None) -> DistractParams:
    """Draw one clip's distraction; without `kind`, any of the five."""
    chosen = KINDS[int(rng.integers(len(KINDS)))] if kind is None else kind
    return DistractParams(chosen, float(rng.uniform(0.2, 1.0)), int(rng.integers(2**31)))


def apply(
    clean: Tensor, params: DistractParams, rng: np.random.Generator, *, times: Sequence[float] = (0.0,)
) -> tuple[Tensor, float]:
    """Distract a clip.

    Args:
        clean: (T, 3, H, W) float32, display-coded RGB in [0, 1].
        params: the clip's distraction.
        rng: source of what changes from frame to frame.
        times: T times in seconds; flakes fall with them.

    Returns:
        The clip, (T, 3, H, W) in [0, 1], and the severity: `params.amount`.
    """
    check_clip(clean, len(times))
    static = np.random.default_rng(params.seed)
    if params.kind == "codec":
        drawn = codec.draw(static, still=len(times) == 1, strong=True)
        return codec.apply(clean, drawn, rng, times=times)[0], params.amount
    worker = _WORKERS[params.kind]
    frames = []
    for frame, time in zip(to_arrays(clean), times, strict=True):
        frames.append(clip01(worker(frame, params, np.random.default_rng(params.seed), float(time))))
    return to_tensor(frames), params.amount


def _snow(frame: Array, params: DistractParams, rng: np.random.Generator, time: float) -> Array:
    """Flakes of three depths that drift slowly down, near ones larger and out of focus."""
    height, width = frame.shape[:2]
    wind = rng.normal(0.0, 30.0)
    light = np.zeros((height, width), np.float32)
    for depth in range(3):
        near = 0.5**depth
        radius = rng.uniform(1.5, 5.0) * near
        count = int(rng.poisson(params.amount * height * width * 0.02 / (1.0 + radius) ** 2 * (1 + depth)))
        x = (rng.uniform(0, width + 20, count) + wind * near * time) % (width + 20) - 10
        y = (rng.uniform(0, height + 20, count) + 120.0 * near * time) % (height + 20) - 10
        size = np.maximum(radius * rng.uniform(0.6, 1.3, count), 0.5)
        plane = np.zeros((height, width), np.float32)
        for cx, cy, r in zip(x, y, size, strict=True):
            centre = (round(cx * 16), round(cy * 16))
            cv2.circle(plane, centre, round(float(r) * 16), float(rng.uniform(0.5, 1.0)), -1, cv2.LINE_8, 4)
        light = np.maximum(light, blur(plane, 0.4 + 0.35 * radius))
    veil = np.float32(0.25 * params.amount)
    white = np.float32(rng.uniform(0.85, 1.0))
    frame = frame * (1.0 - veil) + veil * np.float32(0.8)
    return frame + (white - frame) * np.clip(light, 0.0, 1.0)[..., None] * np.float32(0.9)


def _blur(frame: Array, params: DistractParams, rng: np.random.Generator, time: float) -> Array:
    """Defocus or camera shake of up to a twelfth of the picture."""
    del time
    reach = max(2.0, params.amount * max(frame.shape[:2]) / 14.0)
    if rng.random() < 0.5:
        return blur(frame, 0.4 * reach)
    size = 2 * int(np.ceil(reach)) + 1
    kernel = np.zeros((size, size), np.float32)
    angle = rng.uniform(0.0, np.pi)
    end = (reach * np.cos(angle), reach * np.sin(angle))
    middle = size // 2
    first, last = ((round(16 * (middle + s * end[0])), round(16 * (middle + s * end[1]))) for s in (-1, 1))
    cv2.line(kernel, first, last, 1.0, 1, cv2.LINE_AA, 4)
    kernel = blur(kernel, 0.5)
    return np.asarray(
        cv2.filter2D(frame, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT), np.float32
    )


def _glare(frame: Array, params: DistractParams, rng: np.random.Generator, time: float) -> Array:
    """Night: little light, lamps with bloom and rays."""
    del time
    height, width = frame.shape[:2]
    dark = np.float32(rng.uniform(0.03, 0.3))
    cast = np.asarray((1.0, rng.uniform(0.7, 1.0), rng.uniform(0.5, 1.3)), np.float32)
    linear = decode_gamma(frame) * dark * cast
    lamps = np.zeros((height, width, 3), np.float32)
    for _ in range(int(rng.integers(1, 3 + int(6 * params.amount)))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        r = rng.uniform(0.008, 0.035) * max(height, width)
        tone = (1.0, float(rng.uniform(0.7, 1.0)), float(rng.uniform(0.3, 1.0)))
        centre = (round(x * 16), round(y * 16))
        cv2.circle(lamps, centre, max(round(float(r) * 16), 8), tone, -1, cv2.LINE_8, 4)
    bloom = blur(lamps, 0.006 * max(height, width)) * np.float32(3.0)
    for sigma, weight in ((0.015, 1.0), (0.05, 1.5), (0.15, 2.0)):
        bloom += np.float32(weight * params.amount) * blur(lamps, sigma * max(height, width))
    if rng.random() < 0.6:  # rays of a dirty lens
        reach = max(3, int(0.15 * params.amount * max(height, width)))
        kernel = np.exp(-np.abs(np.linspace(-4.0, 4.0, 2 * reach + 1, dtype=np.float32)))
        kernel *= np.float32(rng.uniform(0.3, 1.5)) / kernel.sum()
        bloom += cv2.sepFilter2D(lamps, -1, kernel, np.ones(1, np.float32), borderType=cv2.BORDER_REFLECT)
        bloom += cv2.sepFilter2D(lamps, -1, np.ones(1, np.float32), kernel, borderType=cv2.BORDER_REFLECT)
    return encode_gamma(linear + bloom)


def _graphics(frame: Array, params: DistractParams, rng: np.random.Generator, time: float) -> Array:
    """Flat boxes, lines and text; from half amount on, nothing of the picture is left."""
    del time
    height, width = frame.shape[:2]
    if params.amount > 0.5:
        canvas = np.empty_like(frame)
        canvas[:] = rng.uniform(0.0, 1.0, 3)
        if rng.random() < 0.4:
            canvas *= np.linspace(rng.uniform(0.3, 1.0), 1.0, height, dtype=np.float32)[:, None, None]
    else:
        canvas = frame.copy()
    board = to_8bit(canvas)  # OpenCV writes text on 8 bit only
    for _ in range(int(rng.integers(2, 12))):
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        shape = rng.random()
        if shape < 0.4:
            end = (x + int(rng.integers(2, 2 + width // 2)), y + int(rng.integers(2, 2 + height // 3)))
            cv2.rectangle(board, (x, y), end, colour, -1 if rng.random() < 0.7 else 2)
        elif shape < 0.55:
            end = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            cv2.line(board, (x, y), end, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
        else:
            text = "".join(chr(c) for c in rng.integers(48, 123, int(rng.integers(3, 18))))
            size = float(rng.uniform(0.3, 1.2)) * max(height, width) / 320.0 + 0.2
            cv2.putText(board, text, (x // 2, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
    return from_8bit(board)


_WORKERS: dict[str, Callable[[Array, DistractParams, np.random.Generator, float], Array]] = {
    "snow": _snow,
    "blur": _blur,
    "glare": _glare,
    "graphics": _graphics,
}
