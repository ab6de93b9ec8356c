"""Restoring at half the resolution: a quarter of the work, and every sample of the picture stays."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from streamrestore.frames import SMALLEST, Frame, FrameBatch

Pasts: TypeAlias = Sequence[Sequence[Frame]]
"""Of each frame of a batch, those of its own stream before it."""
Apply = Callable[[FrameBatch, Pasts], FrameBatch]


class Halves:
    """Small copies of pictures, for as long as somebody has the pictures.

    What a network has seen of a stream it knows again by the very objects.
    """

    def __init__(self) -> None:
        self._small: dict[int, Frame] = {}

    def of(self, frame: Frame, batch: FrameBatch) -> Frame:
        """The small copy of a picture that is like those of a batch."""
        luma, key = frame.planes[0], id(frame.planes[0])
        if key not in self._small:
            self._small[key] = _halved(frame, batch)
            weakref.finalize(luma, self._small.pop, key, None).atexit = False
        return self._small[key]


def at_half(batch: FrameBatch, pasts: Pasts, apply: Apply, halves: Halves) -> FrameBatch:
    """Restore small copies, and add what that changed, enlarged, to the pictures themselves.

    Pictures too small to be halved are restored as they are.

    Args:
        apply: restores frames.
        halves: the same one for all pictures of a stream.
    """
    if min(batch.width, batch.height) < 2 * SMALLEST:
        return apply(batch, pasts)
    small = replace(
        batch,
        width=-(-batch.width // 2),
        height=-(-batch.height // 2),
        frames=tuple(halves.of(frame, batch) for frame in batch.frames),
    )
    restored = apply(small, [[halves.of(frame, batch) for frame in past] for past in pasts])
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
