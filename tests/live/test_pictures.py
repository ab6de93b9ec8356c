"""Planes as RGB."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from streamrestore.frames import ColorInfo, Frame, FrameBatch, Matrix, PixelFormat, Range
from streamrestore.live.pictures import Converter, rgb_view
from streamrestore.planes import to_rgb

UNTAGGED = ColorInfo()


def batch_of(
    planes: list[Any], format: PixelFormat, color: ColorInfo = UNTAGGED, rotation: int = 0
) -> FrameBatch:
    """One picture."""
    height, width = planes[0].shape
    return FrameBatch((Frame(tuple(planes), 0),), width, height, format, Fraction(1, 25), color, rotation)


def written(batch: FrameBatch) -> Any:
    """What is published."""
    width, height = batch.displayed_size
    memory = memoryview(bytearray(width * height * 3))
    Converter().rgb(batch, rgb_view(memory, batch))
    return rgb_view(memory, batch)


def smooth(format: PixelFormat, width: int, height: int) -> list[Any]:
    """Codes that are in range, and change slowly."""
    planes = []
    for index, (rows, columns) in enumerate(format.plane_sizes(width, height)):
        y, x = np.mgrid[0:rows, 0:columns]
        wave = 0.45 + 0.08 * np.sin(3 * x / columns + index) * np.cos(2 * y / rows)
        planes.append(np.rint(wave * format.peak).astype(format.dtype))
    return planes


@pytest.mark.parametrize("color", [ColorInfo(m, r) for m in (Matrix.BT601, Matrix.BT709) for r in Range])
@pytest.mark.parametrize(
    "format",
    [
        PixelFormat("yuv", 8, 1, 1),
        PixelFormat("yuv", 10, 1, 1),
        PixelFormat("yuv", 8, 0, 0),
        PixelFormat("gray"),
        PixelFormat("rgb", 10),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (131, 97)])
def test_colour_is_right(format: PixelFormat, color: ColorInfo, size: tuple[int, int]) -> None:
    """By the picture's own matrix and range, or those that are assumed."""
    batch = batch_of(smooth(format, *size), format, color)

    expected = to_rgb([torch.from_numpy(plane) for plane in batch.frames[0].planes], batch.coding)

    codes = (expected.permute(1, 2, 0).clamp(0, 1) * 255).numpy()
    assert np.abs(written(batch) - codes).max() < 4
    assert np.abs(written(batch) - codes).mean() < 1


def test_rgb_keeps_every_sample() -> None:
    """Frames of another service go through a bypass unchanged."""
    planes = [np.random.default_rng(n).integers(0, 256, (17, 33), np.uint8) for n in range(3)]

    np.testing.assert_array_equal(written(batch_of(planes, PixelFormat("rgb"))), np.stack(planes, axis=2))


@pytest.mark.parametrize("model", ["rgb", "yuv"])
def test_as_displayed(model: Any) -> None:
    """Pictures that are stored sideways are turned."""
    layout = PixelFormat(model)
    planes = smooth(layout, 32, 16)
    planes[0][:, :4] = 250  # the left edge; counterclockwise by 90 degrees it is the lower one
    plain, turned = batch_of(planes, layout), batch_of(planes, layout, rotation=90)

    assert turned.displayed_size == (16, 32)
    np.testing.assert_array_equal(written(turned), np.rot90(written(plain)))
    assert written(turned)[-4:].mean() > written(turned)[:4].mean()
