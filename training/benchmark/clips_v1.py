"""Weather on clips, version 1. Frozen on 2026-11-21; never trained on.

Written apart from the training's generator, so that a network is not tested on its own maker's habits:

- *rain*: drops fall through a volume before the camera, at a speed that follows from their size (Atlas et
  al., 1973), streaks are as long as they fall during the exposure; near ones are long, wide and blurred, far
  ones fine and many, the farthest a veil (Garg & Nayar, 2007). New in each frame.
- *haze*: J t + A (1 - t), t = exp(-beta d), over a ground plane under the horizon of the first picture, where
  bright things are taken to be far; banks of fog drift with the wind, and all of it swings slowly.
- *raindrop*: water on the pane as a height field, refracted by its slope, out of focus. Drops stay; one or
  two slide, stick and slip, and leave small drops behind.
- *noise*: white Gaussian, or photons counted behind a Bayer mosaic in linear light. New in each frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

VERSION = "clips-v1"

Weather = Literal["rain", "haze", "raindrop", "noise"]
WEATHERS: tuple[Weather, ...] = get_args(Weather)

Picture = npt.NDArray[np.uint8]
Clip = list[Picture]
Floats = npt.NDArray[np.float32]
Step = Callable[[Floats, float], tuple[Any, float]]  # picture in [0, 1], seconds -> degraded, severity


def degrade_clip(frames: Sequence[Picture], weather: Weather, index: int, fps: float) -> tuple[Clip, float]:
    """Let weather come over a clip.

    Args:
        frames: T pictures (H, W, 3) RGB of one scene.
        weather: one of `WEATHERS`.
        index: of the clip in its sorted folder; the seed is [2, index, index of the weather].
        fps: frames per second, in which things move.

    Returns:
        T degraded pictures, rounded to 8 bit, and the mean severity of the clip: rain, mean opacity of the
        streaks; haze, 1 - mean transmission; raindrop, share of the picture under drops; noise, standard
        deviation on the 8-bit scale.
    """
    if weather not in WEATHERS or not frames or fps <= 0:
        raise ValueError(f"{weather = } of {', '.join(WEATHERS)}, {len(frames)} frames at {fps = }")
    rng = np.random.default_rng([2, index, WEATHERS.index(weather)])
    make = {"rain": _rain, "haze": _haze, "raindrop": _raindrop, "noise": _noise}[weather]
    step = make(frames[0].astype(np.float32) / np.float32(255), rng)
    degraded, severity = [], 0.0
    for number, frame in enumerate(frames):
        picture, strength = step(frame.astype(np.float32) / np.float32(255), number / fps)
        degraded.append(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8))
        severity += strength / len(frames)
    return degraded, severity


def _rain(first: Floats, rng: np.random.Generator) -> Step:
    height, width = first.shape[:2]
    focal, exposure = height * rng.uniform(0.9, 1.15), 1 / np.exp(rng.uniform(np.log(30), np.log(70)))  # s
    density = np.exp(rng.uniform(np.log(9), np.log(15)))  # drops that show, per cubic metre
    opacity, level = rng.uniform(0.85, 1.1), np.float32(rng.uniform(0.54, 0.66) + 0.5 * first.mean())
    wind, gust, period = np.clip(rng.normal(0, 0.16), -0.5, 0.5), rng.uniform(0, 0.06), rng.uniform(2, 5)
    veil = np.float32(rng.uniform(0.12, 0.25)) * np.linspace(1, 0.35, height, dtype=np.float32)[:, None, None]

    def step(frame: Floats, time: float) -> tuple[Any, float]:
        depth = np.zeros((height, width), np.float32)  # optical
        for near, far in pairwise(np.geomspace(0.8, 12, 8)):  # metres
            volume = 1.2 * height * width / focal**2 * (far**3 - near**3) / 3
            count = rng.poisson(density * volume)
            z = np.cbrt(rng.uniform(near**3, far**3, count))
            size = 0.9 + rng.gamma(3.0, 0.35, count)  # mm
            length = (9.65 - 10.3 * np.exp(-0.6 * size)) * exposure * focal / z
            peak = opacity * size / 2 * np.minimum(1, 1.8 / z) ** 0.8 * np.minimum(1, z / 1.6)
            x, y = rng.uniform(0, width, count), rng.uniform(-0.2 * height, height, count)
            lean = wind + gust * np.sin(2 * np.pi * time / period) + rng.normal(0, 0.02, count)
            sigma, scale = float(np.clip(2.6 / near, 0.65, 2.4)), min(height, width) / 480
            lines = _lines(np.stack((x, y, lean, length, peak)), (height, width))
            lines = cv2.GaussianBlur(lines, (0, 0), sigma * max(scale, 0.6))
            depth += lines * np.float32(np.sqrt(2 * np.pi) * sigma * scale)
        alpha = 1 - np.exp(-depth)[..., None]
        around = cv2.resize(frame, (8, 8), interpolation=cv2.INTER_AREA)
        around = np.clip(cv2.resize(around, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
        light = 0.65 * level + 0.35 * around  # a drop shows the sky and what is around
        hazy = frame + veil * (0.9 * level - frame)
        return hazy + alpha * (light - hazy), float(alpha.mean())

    return step


def _lines(lines: npt.NDArray[np.float64], size: tuple[int, int]) -> Floats:
    """Lines (x, y of the upper end, lean, length, weight per pixel of length) with soft ends, as (H, W)."""
    height, width = size
    parts = np.ceil(lines[3] / 0.7).astype(int) + 1
    x, y, lean, length, peak, end, n = np.repeat(np.vstack((lines, np.cumsum(parts), parts)), parts, axis=1)
    u = (np.arange(len(x)) - end + 0.5) / n + 1  # 0 to 1 along each line
    weight = peak * length * np.minimum(1, 5 * np.minimum(u, 1 - u)) / n
    x = np.clip(x + lean * u * length, -1, width) + 1  # one pixel of margin takes what is outside
    y = np.clip(y + u * length, -1, height) + 1
    column, row = np.minimum(x.astype(int), width), np.minimum(y.astype(int), height)
    total = np.zeros((height + 2) * (width + 2))
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        share = np.abs(1 - right - (x - column)) * np.abs(1 - down - (y - row))
        total += np.bincount((row + down) * (width + 2) + column + right, weight * share, len(total))
    return total.reshape(height + 2, width + 2)[1:-1, 1:-1].astype(np.float32)


def _haze(first: Floats, rng: np.random.Generator) -> Step:
    height, width = first.shape[:2]
    scale, linear, nearest = min(height, width) / 480, bool(rng.random() < 0.5), rng.uniform(0.08, 0.2)
    beta = rng.uniform(1.2, 2.0) * (0.65 if linear else 1)  # linear light weighs fog more
    swing, period, uneven = rng.uniform(0.03, 0.1), rng.uniform(5, 10), rng.uniform(0.1, 0.3)
    level = rng.uniform(0.6, 0.76) + 0.3 * float(first.mean())  # a short exposure's fog is darker, too
    airlight = (level + rng.normal(0, 0.012, 3)).clip(0, 1).astype(np.float32)
    wind, waves = rng.normal(0, 0.03, 2), np.column_stack((rng.normal(0, 5, (5, 2)), rng.uniform(0, 6.28, 5)))
    ground = _ground(first, nearest)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(max(height, width))

    def step(frame: Floats, time: float) -> tuple[Any, float]:
        grey, window = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (2 * round(16 * scale) + 3,) * 2
        mean, square = cv2.blur(grey, window), cv2.blur(grey * grey, window)
        slope = (square - mean**2) / (square - mean**2 + 0.003)  # guided filter (He et al., 2010)
        bright = cv2.blur(slope, window) * grey + cv2.blur(mean - slope * mean, window)
        x, y = columns + wind[0] * time, rows + wind[1] * time
        fog = np.add.reduce([np.sin(along * x + down * y + phase) for along, down, phase in waves]) / 2
        density = beta * (1 + swing * np.sin(2 * np.pi * time / period)) * (1 + uneven * fog)
        t = np.exp(-density * ground * (0.75 + 0.4 * bright)).astype(np.float32)[..., None]
        if linear:
            return _encode(_decode(frame) * t + _decode(airlight) * (1 - t)), 1 - float(t.mean())
        return frame * t + airlight * (1 - t), 1 - float(t.mean())

    return step


def _ground(picture: Floats, nearest: float) -> Floats:
    """Distance (H, 1) of the ground, 1 from the horizon upwards, which is near where a bright sky ends."""
    profile = picture.mean(axis=(1, 2), dtype=np.float64)
    height = len(profile)
    share = np.arange(1, height) / height
    above = np.cumsum(profile)[:-1] / np.arange(1, height)  # mean of the rows above each border
    below = np.cumsum(profile[::-1])[-2::-1] / np.arange(height - 1, 0, -1)
    border = int(np.argmax((above - below) * np.sqrt(share * (1 - share)) * (share < 0.65)))
    sky = float(np.clip((above[border] - below[border]) / 0.15, 0, 1))  # 0: none, the camera looks down
    horizon = sky * (share[border] + 0.08) - (1 - sky) * 0.25  # hills and trees stand above it
    down = np.logaddexp(0, 50 * (np.linspace(0, 1, height) - horizon)) / 50 / (1 - horizon)  # without a kink
    return np.asarray(nearest / (nearest + (1 - nearest) * down), np.float32)[:, None]


def _raindrop(first: Floats, rng: np.random.Generator) -> Step:
    height, width = first.shape[:2]
    scale, steep = min(height, width) / 480, np.tan(rng.uniform(0.6, 0.95))  # slope at a drop's edge
    view = np.float32(rng.uniform(0.22, 0.45) * min(height, width) / steep)  # pixels aside at slope 1
    gain, rim, sky = rng.uniform(0.95, 1.15), rng.uniform(0.2, 0.6), np.float32(rng.uniform(0.7, 0.95))
    side = 1 + int(np.ceil(focus := max(rng.uniform(1.5, 5) * scale, 0.6)))
    disc = np.clip(focus + 0.5 - np.hypot(*np.mgrid[-side : side + 1, -side : side + 1]), 0, 1)
    pane = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(100, 220) * width / height / 1.5)):
        radius = scale * float(np.clip(rng.lognormal(2.2, 0.6), 2.5, 34))
        _cap(pane, rng.uniform(0, width), rng.uniform(0, height), radius, steep, rng)
    low = (0.1 * width, 0, 9 * scale, 12 * scale)  # place, radius and speed of drops that slide
    high = (0.9 * width, 0.6 * height, 16 * scale, 45 * scale)
    slides = [(*rng.uniform(low, high), seed) for seed in rng.integers(2**31, size=rng.integers(1, 3))]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)

    def step(frame: Floats, time: float) -> tuple[Any, float]:
        water = pane.copy()
        for x, y, radius, speed, seed in slides:
            own = np.random.default_rng(seed)
            stick = own.uniform(0.8, 2.0)  # seconds from one slip to the next
            head = y + speed * (time + 0.9 * stick / (2 * np.pi) * np.sin(2 * np.pi * time / stick))
            _cap(water, x, head, radius, steep, np.random.default_rng(seed))
            for place in y + 1.3 * radius * np.arange(-5, 60):  # what it leaves stays where it was left
                left, small = x + own.normal(0, 0.15) * radius, own.uniform(0.15, 0.35) * radius
                if place < head - radius:
                    _cap(water, left, place, small, steep, own)
        cover = cv2.GaussianBlur((water > 0).astype(np.float32), (0, 0), 0.7)
        water = cv2.GaussianBlur(water, (0, 0), max(scale, 0.5))
        across, along = (cv2.Sobel(water, -1, *axes, scale=1 / 8) for axes in ((1, 0), (0, 1)))
        wide = cv2.GaussianBlur(frame, (0, 0), 2.5 * max(scale, 0.4))
        x, y = columns + view * across, rows + view * along
        seen = cv2.remap(wide, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        # The wide view is upside down: the lower part of a drop shows the sky.
        upper, lower = (np.clip(sign * along / steep, 0, 1)[..., None] for sign in (1, -1))
        seen = np.clip(gain * seen * (1 - rim * upper), 0, 1)
        seen += 0.9 * np.sqrt(lower) * (sky - seen)
        drops = np.dstack((seen * cover[..., None], cover)).astype(np.float32)
        drops = cv2.filter2D(drops, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT)
        return frame * (1 - drops[..., 3:]) + drops[..., :3], float(cover.mean())

    return step


def _cap(water: Floats, x: float, y: float, radius: float, steep: float, rng: np.random.Generator) -> None:
    """Set a drop on the pane: a spherical cap with a somewhat irregular outline, drawn downwards."""
    tall, a, b, c, d = rng.uniform((1, 0, 0, 0, 0), (1.3, 0.12, 0.07, 6.28, 6.28))
    left, top = max(int(x - 1.3 * radius), 0), max(int(y - 1.7 * radius), 0)
    patch = water[top : max(int(y + 1.7 * radius) + 2, 0), left : max(int(x + 1.3 * radius) + 2, 0)]
    rows, columns = np.mgrid[: patch.shape[0], : patch.shape[1]]
    dx, dy = (columns + left - x) / radius, (rows + top - y) / (radius * tall)
    angle = np.arctan2(dy, dx)
    square = (dx * dx + dy * dy) / (1 + a * np.sin(2 * angle + c) + b * np.sin(3 * angle + d)) ** 2
    ball = 1 + 1 / steep**2  # square of the sphere's radius, in units of the drop's
    cap = radius * (np.sqrt(np.maximum(ball - square, 0)) - np.sqrt(ball - 1))
    np.maximum(patch, np.where(square < 1, cap, 0), out=patch, casting="same_kind")


def _noise(first: Floats, rng: np.random.Generator) -> Step:
    sigma, white, read = rng.uniform(15, 40), bool(rng.random() < 0.5), rng.uniform(2, 6)  # electrons
    gains = np.array([rng.uniform(1.4, 2.2), 1.0, rng.uniform(1.4, 2.2)], np.float32)  # white balance
    # So many photons n that shot / n + dark / n^2, the variance of the coded picture, is as drawn.
    light = np.maximum(_decode(first), 0.002)
    bend = np.where(light < 0.0031, 12.92, 0.4396 * light**-0.5833)  # slope of the sRGB curve
    shot, dark = float((bend**2 * light * gains).mean()), float((bend**2 * gains**2).mean()) * read**2
    # Twice the variance, since interpolation, and clipping at black, take their part.
    photons = 2 * dark / (np.sqrt(shot**2 + 8 * dark * (sigma / 255) ** 2) - shot)
    mosaic = np.zeros_like(first)
    mosaic[::2, ::2, 0] = mosaic[::2, 1::2, 1] = mosaic[1::2, ::2, 1] = mosaic[1::2, 1::2, 2] = 1
    plus = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32)  # bilinear, green
    square = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32)  # and red, blue

    def step(frame: Floats, _: float) -> tuple[Any, float]:
        if white:
            return frame + rng.standard_normal(frame.shape, np.float32) * np.float32(sigma / 255), sigma
        raw = _decode(frame) / gains
        counted = rng.poisson(raw * photons) + rng.normal(0, read, raw.shape)
        grain = (counted / photons - raw).astype(np.float32) * mosaic
        # Only the noise passes the mosaic, so that its interpolation takes no sharpness from the scene.
        for channel, kernel in enumerate((square, plus, square)):
            share = cv2.filter2D(mosaic[..., channel], -1, kernel)
            grain[..., channel] = cv2.filter2D(grain[..., channel], -1, kernel) / share
        noisy = _encode(np.clip((raw + grain) * gains, 0, 1))
        return noisy, float(255 * np.sqrt(np.mean((noisy - frame) ** 2)))

    return step


def _decode(coded: Floats) -> Floats:
    """The sRGB curve, [0, 1] -> linear light."""
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _encode(light: Floats) -> Floats:
    """Linear light [0, 1] -> the sRGB curve."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)
