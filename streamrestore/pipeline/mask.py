"""Parts of the picture that stay as they are: time stamps, number plates, faces that are evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamrestore.decode import open_source
from streamrestore.errors import InputNotFound, UsageError
from streamrestore.frames import FrameBatch, PixelFormat

Region = npt.NDArray[np.bool_]
"""(H, W): where a picture is left alone."""

_RECTANGLE = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*")
_DARK = 0.5
"""Of the code range: brighter samples of a mask's picture are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Where pictures of one size are left alone.

    Attributes:
        region: of the picture as displayed.
    """

    region: Region

    def keep(self, before: FrameBatch, after: FrameBatch) -> FrameBatch:
        """`after`, with the samples of `before` where the mask is; chroma that is shared counts as in it."""
        kept = _planes_of(self, before.format, before.rotation)
        frames = tuple(
            replace(new, planes=tuple(map(_where, kept, old.planes, new.planes)))
            for old, new in zip(before.frames, after.frames, strict=True)
        )
        return replace(after, frames=frames)


def mask_files(specs: Sequence[str]) -> list[Path]:
    """Those of `read_mask`'s specs that are pictures."""
    return [Path(spec) for spec in specs if not _RECTANGLE.fullmatch(spec)]


def read_mask(specs: Sequence[str], width: int, height: int) -> Mask | None:
    """The mask that the user asks for; None for none.

    Args:
        specs: ``x,y,w,h`` in pixels of the picture as displayed, or the name of a picture of its size
            that is white where nothing may change.
        width, height: of the picture as displayed.

    Raises:
        UsageError: a rectangle outside of the picture, or a mask of another size.
        InputError: a mask's picture cannot be read.
    """
    region = np.zeros((height, width), np.bool_)
    for spec in specs:
        if found := _RECTANGLE.fullmatch(spec):
            x, y, w, h = map(int, found.groups())
            if not (w and h and x < width and y < height):
                raise UsageError(f"mask {spec}: it covers nothing of a picture of {width}x{height}")
            region[y : y + h, x : x + w] = True
        else:
            region |= _read_region(spec, width, height)
    return Mask(region) if specs else None


def _read_region(name: str, width: int, height: int) -> Region:
    try:
        with open_source(name) as source:
            batch = next(iter(source))
    except InputNotFound:
        raise InputNotFound(f"mask {name}: there is no such picture, and x,y,w,h it is not") from None
    luma = np.asarray(batch.frames[0].planes[0])
    if batch.format.model == "rgb":
        luma = np.max([np.asarray(plane) for plane in batch.frames[0].planes], axis=0)
    if luma.shape != (height, width):
        raise UsageError(
            f"mask {name}: its picture is {luma.shape[1]}x{luma.shape[0]}, the video's {width}x{height}"
        )
    return np.asarray(luma > _DARK * batch.format.peak)


@lru_cache(maxsize=64)  # a live service may have one for each of its streams
def _planes_of(mask: Mask, format: PixelFormat, rotation: int) -> tuple[Region, ...]:
    """The mask of each plane, as stored."""
    stored = np.rot90(mask.region, -(rotation // 90))
    sizes = format.plane_sizes(stored.shape[1], stored.shape[0])
    return tuple(_reduced(stored, size) for size in sizes)


def _reduced(region: Region, size: tuple[int, int]) -> Region:
    """The samples of a smaller plane that have a part in a region."""
    rows, columns = (-(-large // small) for large, small in zip(region.shape, size, strict=True))
    whole = np.zeros((size[0] * rows, size[1] * columns), np.bool_)
    whole[: region.shape[0], : region.shape[1]] = region
    return np.asarray(whole.reshape(size[0], rows, size[1], columns).any(axis=(1, 3)))


def _where(kept: Region, old: Any, new: Any) -> Any:
    return np.where(kept, old, new)
