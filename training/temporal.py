"""How steady a clip is, against the clean clip. Pictures in, numbers out.

Two figures, since they see different things: `flicker` what an error does at one place of the picture,
`warping_error` what a point of the scene does as it moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from training.data import Clip

Floats = npt.NDArray[np.float32]


def flicker(clip: Clip, clean: Clip) -> float:
    """Mean of |e_t - e_(t-1)| over t, pixels and channels, where e = clip - clean, with values in [0, 1].

    What moves in the scene moves in both clips, so what is left is what one adds: streaks and grain that are
    new in each picture, or a branch that changes its mind. An error that stays where it is does not count.
    Given as a share: that of a restored clip over that of its input.

    Args:
        clip, clean: (T, H, W, 3), T > 1.
    """
    errors = (a.astype(np.int16) - b for a, b in zip(clip, clean, strict=True))
    return float(np.mean([np.abs(e - before).mean() for before, e in pairwise(errors)])) / 255


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """From one picture back to the one before.

    Attributes:
        place: where each pixel was, (H, W, 2) float32, x and y.
        seen: whether it can be seen in both, (H, W).
    """

    place: Floats
    seen: npt.NDArray[np.bool_]


def motions(clean: Clip) -> list[Motion]:
    """T - 1 motions of a clean clip, by dense inverse search (Kroeger et al., ECCV 2016).

    A pixel is seen in both pictures if the way back and forth ends where it began, and is not at a border of
    the motion: the two inequalities of Ruder et al., "Artistic style transfer for videos" (GCPR 2016).
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in clean]
    return [_motion(search.calc(b, a, None), search.calc(a, b, None)) for a, b in pairwise(greys)]


def warping_error(clip: Clip, motions: Sequence[Motion]) -> float:
    """Mean over t of the squared change along the motion, over what is seen, with values in [0, 1].

    E_warp of Lai et al., "Learning blind video temporal consistency" (ECCV 2018), with the motion of the
    clean clip. Given as the excess over the clean clip's own, which interpolation and light cause; that of a
    hazy input is below 0, as haze hides what changes.

    Args:
        clip: (T, H, W, 3), T > 1.
        motions: the clean clip's T - 1.
    """
    errors = []
    for (before, picture), motion in zip(pairwise(clip), motions, strict=True):
        moved = cv2.remap(before.astype(np.float32), motion.place, None, cv2.INTER_LINEAR)
        errors.append(float(np.mean((picture - moved)[motion.seen] ** 2)) if motion.seen.any() else 0.0)
    return float(np.mean(errors)) / 255**2


def _motion(back: Floats, forth: Floats) -> Motion:
    """Flows (H, W, 2) from a picture to the one before, and from that to it."""
    height, width = back.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = columns + back[..., 0], rows + back[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    returned = cv2.remap(forth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    missed, way = _square(back + returned), _square(back) + _square(returned)
    steep = _square(np.gradient(back, axis=0)) + _square(np.gradient(back, axis=1))
    seen = inside & (missed <= 0.01 * way + 0.5) & (steep <= 0.01 * _square(back) + 0.002)
    return Motion(np.dstack((x, y)), seen)


def _square(vectors: npt.ArrayLike) -> Floats:
    """Squared lengths of vectors (H, W, 2), (H, W)."""
    return np.asarray(np.square(vectors).sum(axis=-1), np.float32)
