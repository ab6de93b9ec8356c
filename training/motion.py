"""What a camera that moves sees of a still picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

STILL = 0.4
"""Share of cameras that do not move, as those on walls and poles."""
SPEEDS = (0.3, 12.0)
"""Pixels from one frame to the next."""
ZOOM = 0.006
"""Of the frame's size, from one frame to the next: standard deviation."""


@dataclass(frozen=True, slots=True)
class Motion:
    """From one frame to the next.

    Attributes:
        right, down: pixels that the scene moves.
        zoom: factor by which it grows.
    """

    right: float = 0.0
    down: float = 0.0
    zoom: float = 1.0

    def before(self, picture: npt.NDArray[Any], frames: int) -> npt.NDArray[Any]:
        """The picture (H, W, ...) as it was some frames ago; what comes in at a border is a reflection."""
        if frames == 0 or self == Motion():
            return picture
        height, width = picture.shape[:2]
        scale = self.zoom**frames
        right = self.right * frames + (1 - scale) * (width - 1) / 2
        down = self.down * frames + (1 - scale) * (height - 1) / 2
        to_now = np.array([[scale, 0, right], [0, scale, down]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(picture, to_now, (width, height), None, flags, cv2.BORDER_REFLECT_101)
        return np.asarray(moved, dtype=picture.dtype)


def draw_motion(rng: np.random.Generator) -> Motion:
    """Still, or in any direction at any speed."""
    if rng.random() < STILL:
        return Motion()
    speed, angle = np.exp(rng.uniform(*np.log(SPEEDS))), rng.uniform(0, 2 * np.pi)
    zoom = float(np.exp(rng.normal(0.0, ZOOM)))
    return Motion(float(speed * np.cos(angle)), float(speed * np.sin(angle)), zoom)
