"""Between tensors and the arrays OpenCV works on, and smooth random fields."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float32]

GAMMA = 2.2  # display-coded value = linear ** (1 / GAMMA); the power law stands in for the sRGB curve


def check_clip(clean: Tensor, times: int) -> None:
    """Refuse anything but a (T, 3, H, W) float32 clip with one time per frame."""
    if clean.ndim != 4 or clean.shape[1] != 3 or clean.dtype != torch.float32:
        raise ValueError(f"a clip is (T, 3, H, W) float32, not {tuple(clean.shape)} {clean.dtype}")
    if clean.shape[0] != times:
        raise ValueError(f"{clean.shape[0]} frames but {times} times")


def to_arrays(clip: Tensor) -> list[Array]:
    """(T, 3, H, W) tensor -> T contiguous (H, W, 3) arrays."""
    return [np.ascontiguousarray(frame.permute(1, 2, 0).numpy()) for frame in clip]


def to_tensor(frames: list[Array]) -> Tensor:
    """T arrays (H, W, 3) -> contiguous (T, 3, H, W) tensor."""
    if len(frames) == 1:
        return torch.from_numpy(np.ascontiguousarray(frames[0].transpose(2, 0, 1)))[None]
    return torch.from_numpy(np.ascontiguousarray(np.stack(frames).transpose(0, 3, 1, 2)))


def clip01(x: Array) -> Array:
    """Clip to [0, 1] in place."""
    return np.clip(x, 0.0, 1.0, out=x)


def decode_gamma(x: Array) -> Array:
    """Display-coded [0, 1] -> linear light [0, 1]."""
    return np.asarray(cv2.pow(x, GAMMA), np.float32)


def encode_gamma(x: Array) -> Array:
    """Linear light -> display-coded; negative light becomes 0."""
    return np.asarray(cv2.pow(np.maximum(x, np.float32(0.0)), 1.0 / GAMMA), np.float32)


def grey(x: Array) -> Array:
    """(H, W, 3) RGB -> (H, W) grey, weights 0.299, 0.587, 0.114."""
    return np.asarray(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), np.float32)


def smooth_field(rng: np.random.Generator, size: tuple[int, int], cells: int, channels: int = 1) -> Array:
    """A smooth random field in [-1, 1]: noise on a coarse grid, enlarged by cubic interpolation.

    Args:
        rng: source of randomness; always draws (cells, cells, channels) numbers, whatever the size.
        size: (H, W) in pixels.
        cells: number of grid points along each side; more cells, finer structure.
        channels: number of independent fields.

    Returns:
        (H, W) for one channel, else (H, W, channels).
    """
    grid = rng.uniform(-1.0, 1.0, (cells, cells, channels)).astype(np.float32)
    field = np.asarray(cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
    return np.clip(field, -1.0, 1.0)


def from_8bit(x: NDArray[np.uint8]) -> Array:
    """0..255 -> [0, 1]."""
    return x.astype(np.float32) / np.float32(255.0)


def to_8bit(x: Array) -> NDArray[np.uint8]:
    """[0, 1] -> 0..255, clipped and rounded."""
    return np.asarray(np.rint(np.clip(x, 0.0, 1.0) * 255.0), np.uint8)


def blur(x: Array, sigma: float) -> Array:
    """Gaussian blur with mirrored border; `sigma` in pixels, 0 copies."""
    if sigma < 0.05:
        return x.copy()
    size = 2 * int(np.ceil(2.5 * sigma)) + 1
    return np.asarray(cv2.GaussianBlur(x, (size, size), sigma, borderType=cv2.BORDER_REFLECT), np.float32)
