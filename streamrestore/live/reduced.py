"""Restoring at half the resolution: a quarter of the work, and every sample of the picture stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from streamrestore.frames import SMALLEST, Frame, FrameBatch

Apply = Callable[[FrameBatch], FrameBatch]


def at_half(batch: FrameBatch, apply: Apply) -> FrameBatch:
    """Restore small copies, and add what that changed, enlarged, to the pictures themselves.

    Pictures too small to be halved are restored as they are.

    Args:
        apply: restores frames.
    """
    if min(batch.width, batch.height) < 2 * SMALLEST:
        return apply(batch)
    small = replace(
        batch,
        width=-(-batch.width // 2),
        height=-(-batch.height // 2),
        frames=tuple(_halved(frame, batch) for frame in batch.frames),
    )
    restored = apply(small)
    peak = batch.format.peak
    frames = tuple(
        replace(frame, planes=tuple(
            _changed(plane, before, after, peak)
            for plane, before, after in zip(frame.planes, given.planes, done.planes, strict=True)
        ))
        for frame, given, done in zip(batch.frames, small.frames, restored.frames, strict=True)
    )  # fmt: skip
    return replace(batch, frames=frames)


def _halved(frame: Frame, batch: FrameBatch) -> Frame:
    sizes = batch.format.plane_sizes(-(-batch.width // 2), -(-batch.height // 2))
    return replace(
        frame, planes=tuple(_reduced(p, size) for p, size in zip(frame.planes, sizes, strict=True))
    )


def _reduced(plane: object, size: tuple[int, int]) -> object:
    """Means of 2x2 samples, of the plane's type; the border is repeated where it is needed."""
    samples = _float(plane)
    height, width = samples.shape
    padded = F.pad(samples[None, None], (0, 2 * size[1] - width, 0, 2 * size[0] - height), "replicate")
    small = F.avg_pool2d(padded, 2)[0, 0].round_()
    return small.to(_tensor(plane).dtype).numpy()


def _changed(plane: object, before: object, after: object, peak: int) -> object:
    samples = _float(plane)
    change = (_float(after) - _float(before))[None, None]
    large = F.interpolate(change, scale_factor=2, mode="bilinear", align_corners=False)[0, 0]
    height, width = samples.shape
    result = samples.add_(large[:height, :width]).round_().clamp_(0, peak)
    return result.to(_tensor(plane).dtype).numpy()


def _tensor(plane: object) -> Tensor:
    tensor: Tensor = torch.from_dlpack(plane)  # type: ignore[attr-defined]
    return tensor


def _float(plane: object) -> Tensor:
    return _tensor(plane).float()
