"""Clean clips for the tests, made from numbers alone."""

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def make_frames(size: tuple[int, int] = (96, 128), frames: int = 3, *, moving: bool = False) -> list[Picture]:
    """A bright sky over a dark, patterned ground, (H, W, 3) each; `moving` shifts it 2 pixels per frame."""
    height, width = size
    clip = []
    for time in range(frames):
        y, x = np.mgrid[0:height, 0:width].astype(float)
        x += 2.0 * time * moving
        ground = 0.3 + 0.12 * np.sign(np.sin(x / 5) * np.sin(y / 4)) + 0.05 * np.sin(x / 17)
        sky = 0.75 - 0.2 * y / height
        grey = np.where(y < 0.4 * height, sky, ground)[..., None]
        clip.append(np.rint(255 * grey * np.array([0.95, 1.0, 1.05])).clip(0, 255).astype(np.uint8))
    return clip


def residuals(degraded: list[Picture], clean: list[Picture]) -> npt.NDArray[np.float64]:
    """Degraded - clean, (T, H, W), mean over the channels, on the 8-bit scale."""
    return np.stack([a.astype(float) - b for a, b in zip(degraded, clean, strict=True)]).mean(axis=-1)


def correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Of two pictures."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
