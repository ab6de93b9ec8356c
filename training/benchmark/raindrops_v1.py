"""Synthesised raindrops on glass, version 1. Frozen on 2026-11-21; never trained on.

Written apart from the training's generator, so that a network is not tested on its own maker's
habits. A drop is a cap of fluid that shows a wide, upside-down, blurred view (Porav et al., "I can
see clearly now", 2019; Qian et al., "Attentive GAN for raindrop removal", 2018); its edge is soft
since the camera is focused far away.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

VERSION = "raindrops-v1"

Floats = npt.NDArray[np.float32]


def degrade(picture: npt.NDArray[np.uint8], index: int) -> tuple[npt.NDArray[np.uint8], float]:
    """Put drops on the glass in front of a picture.

    Args:
        picture: (H, W, 3) RGB.
        index: of the picture in its sorted folder; the seed is [1, index].

    Returns:
        The degraded picture (H, W, 3), rounded to 8 bit, and the share of it that drops cover.
    """
    rng = np.random.default_rng([1, index])
    clean = picture.astype(np.float32) / 255
    height, width = clean.shape[:2]
    scale = min(height, width) / 512
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    cover = np.zeros((height, width), np.float32)
    map_x, map_y, shade = columns.copy(), rows.copy(), np.ones_like(cover)

    for _ in range(int(rng.integers(25, 90))):
        radius = scale * float(np.clip(rng.lognormal(2.5, 0.5), 4, 48))
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        dx, dy = columns - cx, (rows - cy) / rng.uniform(1.0, 1.35)  # gravity draws drops long
        angle = np.arctan2(dy, dx)
        outline = radius * (
            1
            + 0.10 * np.sin(2 * angle + rng.uniform(0, 6.3))
            + 0.06 * np.sin(3 * angle + rng.uniform(0, 6.3))
        )
        d = np.sqrt(dx * dx + dy * dy) / outline
        inside = d < 1
        if not inside.any():
            continue
        bend = rng.uniform(0.25, 0.45) * min(height, width) / radius  # how wide a field it shows
        steep = 1 + 0.6 * d[inside] ** 2  # the cap bends more towards its edge
        map_x[inside] = cx - dx[inside] * bend * steep
        map_y[inside] = cy - dy[inside] * bend * steep
        light = rng.uniform(0.75, 1.15) * (1 - rng.uniform(0.2, 0.6) * d[inside] ** 4)
        spot_x, spot_y = rng.uniform(-0.4, 0.4), rng.uniform(-0.6, -0.2)
        spot = (dx[inside] / radius - spot_x) ** 2 + (dy[inside] / radius - spot_y) ** 2
        shade[inside] = light + rng.uniform(0, 0.5) * np.exp(-spot / 0.02)
        cover[inside] = 1

    wide = cv2.GaussianBlur(clean, (0, 0), 3.0 * scale)
    view = cv2.remap(wide, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    view = np.clip(view * shade[..., None], 0, 1)
    focus = float(rng.uniform(1.0, 3.5)) * scale
    soft = cv2.GaussianBlur(cover, (0, 0), focus)
    view = cv2.GaussianBlur(view * cover[..., None], (0, 0), focus) / np.maximum(soft, 1e-3)[..., None]
    alpha = np.clip(1.15 * soft, 0, 1)[..., None]
    degraded = (1 - alpha) * clean + alpha * np.clip(view, 0, 1)
    return np.rint(degraded * 255).clip(0, 255).astype(np.uint8), float(cover.mean())
