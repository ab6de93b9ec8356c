"""What callers give: decoded frames, arrays or tensors, and how they are looked at and restored."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from streamrestore.errors import UsageError
from streamrestore.frames import LARGEST, SMALLEST, Frame, FrameBatch, PixelFormat
from streamrestore.restore.branch import BranchRunner
from streamrestore.route.router import Router
from streamrestore.route.views import Views
from streamrestore.windows import Signature, signature

Frames = TypeVar("Frames", bound=Any)
"""uint8 (T, H, W, 3) array or tensor, float (T, 3, H, W) array or tensor, or a `FrameBatch`."""

COARSE = 144
"""Samples of a side that are enough to see a scene cut."""


class Given(Generic[Frames]):
    """Frames of one of the kinds that callers give."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def views(self, router: Router, index: int, look: int = 0) -> Views:
        """What the router sees of one picture."""
        raise NotImplementedError

    def signature(self, index: int) -> Signature:
        """A small luma picture, for scene cuts."""
        raise NotImplementedError

    def restored(self, runner: BranchRunner, strength: float, past: Given[Frames] | None) -> Given[Frames]:
        """New frames of the same kind.

        Args:
            past: frames before these, of the same kind and size.
        """
        raise NotImplementedError


class GivenPlanes(Given[FrameBatch]):
    """Decoded frames."""

    def views(self, router: Router, index: int, look: int = 0) -> Views:
        """See `Given.views`."""
        return router.views_of_frame(self.frames, self.frames.frames[index], look)

    def signature(self, index: int) -> Signature:
        """See `Given.signature`."""
        return signature(self.frames.frames[index], self.frames.format)

    def restored(self, runner: BranchRunner, strength: float, past: Given[FrameBatch] | None) -> GivenPlanes:
        """See `Given.restored`."""
        return self._with(runner.restore_planes(self.frames, strength, past.frames.frames if past else ()))

    def restored_each(
        self, runner: BranchRunner, strength: float, pasts: Sequence[Sequence[Frame]]
    ) -> GivenPlanes:
        """New frames of frames that have nothing to do with each other.

        Args:
            pasts: of each, the frames before it.
        """
        return self._with(runner.restore_each(self.frames, strength, pasts))

    def _with(self, planes: list[list[Tensor]]) -> GivenPlanes:
        on_cpu = isinstance(self.frames.frames[0].planes[0], np.ndarray)
        frames = tuple(
            replace(frame, planes=tuple(p.cpu().numpy() if on_cpu else p for p in new))
            for frame, new in zip(self.frames.frames, planes, strict=True)
        )
        return GivenPlanes(replace(self.frames, frames=frames))


class GivenPictures(Given[Any]):
    """RGB arrays or tensors: uint8 (T, H, W, 3), or floating point (T, 3, H, W)."""

    def views(self, router: Router, index: int, look: int = 0) -> Views:
        """See `Given.views`."""
        return router.views_of_rgb(self.rgb(index), look)

    def signature(self, index: int) -> Signature:
        """See `Given.signature`; every few samples of green stand in for luma."""
        picture = self.frames[index]
        green = picture[..., 1] if _is_bytes(picture) else picture[1]
        step = max(1, min(green.shape) // COARSE)
        coarse = torch.as_tensor(green[::step, ::step]).cpu()
        codes = coarse if _is_bytes(coarse) else (coarse.clamp(0, 1) * 255).round().to(torch.uint8)
        return signature(Frame((np.ascontiguousarray(codes.numpy()),), 0), PixelFormat("gray"))

    @torch.no_grad()
    def restored(self, runner: BranchRunner, strength: float, past: Given[Any] | None) -> GivenPictures:
        """See `Given.restored`; one picture at a time bounds the memory."""
        before = [past.rgb(k) for k in range(len(past))] if isinstance(past, GivenPictures) else []
        is_array = isinstance(self.frames, np.ndarray)
        out: Any = np.empty_like(self.frames) if is_array else torch.empty_like(self.frames)
        pictures, seen = itertools.tee(self.rgb(index) for index in range(len(self.frames)))
        residuals = runner.residuals(seen, before)
        for index, (rgb, residual) in enumerate(zip(pictures, residuals, strict=True)):
            result = rgb + strength * residual.to(rgb.device)
            if _is_bytes(self.frames):
                result = (result * 255).round_().clamp_(0, 255).permute(1, 2, 0)
            out[index] = result.numpy() if is_array else result
        return GivenPictures(out)

    def rgb(self, index: int) -> Tensor:
        """One picture, (3, H, W) float32, nominally in [0, 1]."""
        picture = self.frames[index]
        if isinstance(picture, np.ndarray):
            picture = torch.from_dlpack(np.ascontiguousarray(picture))  # type: ignore[attr-defined]  # torch knows no negative strides
        if _is_bytes(picture):
            return cast("Tensor", picture.permute(2, 0, 1).float() / 255)
        return cast("Tensor", picture.float())


def _is_bytes(frames: Any) -> bool:
    return str(frames.dtype).removeprefix("torch.") == "uint8"


def _is_floating(frames: Any) -> bool:
    if isinstance(frames, np.ndarray):  # of what torch knows
        return frames.dtype in (np.float16, np.float32, np.float64)
    return bool(frames.is_floating_point())


def as_given(frames: Any) -> Given[Any]:
    """Check what a caller gave.

    Raises:
        UsageError: no frames, or of another shape, type or size.
    """
    if isinstance(frames, FrameBatch):
        given: Given[Any] = GivenPlanes(frames)
        height, width = frames.height, frames.width
    elif isinstance(frames, np.ndarray | Tensor) and frames.ndim == 4:
        last = _is_bytes(frames)
        channels = frames.shape[3] if last else frames.shape[1]
        if not (last or _is_floating(frames)) or channels != 3:
            raise UsageError(_WANTED + f", not {tuple(frames.shape)} of {frames.dtype}")
        given = GivenPictures(frames)
        height, width = frames.shape[1:3] if last else frames.shape[2:]
    else:
        found = f"{tuple(frames.shape)}" if hasattr(frames, "shape") else type(frames).__name__
        raise UsageError(_WANTED + f", not {found}")
    if not len(given):
        raise UsageError("no frames were given")
    if not (min(height, width) >= SMALLEST and max(height, width) <= LARGEST):
        raise UsageError(
            f"pictures of {width}x{height}; {SMALLEST}x{SMALLEST} to {LARGEST}x{LARGEST} can be restored"
        )
    return given


_WANTED = "frames must be uint8 (T, H, W, 3), floating point (T, 3, H, W), or a FrameBatch"
