"""Pictures in every pixel format that is published, as a subscriber sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch

from streamrestore.frames import ColorInfo, FrameBatch, Matrix, PixelFormat, Range
from streamrestore.live.outlets import PublisherOutlet
from streamrestore.live.payloads import PAYLOADS, Nv12
from streamrestore.planes import to_rgb
from streamrestore.publish.buffers import Buffer
from streamrestore.transport import Received
from streamrestore.wire import Pixels
from tests.live.test_outlets import finished
from tests.live.test_pictures import batch_of, smooth
from tests.transport.net import pair, wait_for

YUV = PixelFormat("yuv", 8, 1, 1)


def take(size: int) -> Buffer:
    """Memory."""
    return Buffer(memoryview(bytearray(size)))


def received(batch: FrameBatch, pixel_format: Pixels) -> Received:
    """What comes of a picture that is published."""
    with pair() as (publisher, subscriber):
        PublisherOutlet(publisher, pixel_format).picture(replace(finished(), result=batch))
        return wait_for(subscriber, lambda item: item.kind == "frame")


def test_all_there_are() -> None:
    """The wire knows no other."""
    assert set(PAYLOADS) == set(get_args(Pixels))


@pytest.mark.network
@pytest.mark.parametrize("pixel_format", ["nv12", "jpeg"])
@pytest.mark.parametrize(
    ("format", "color", "size"),
    [
        (YUV, ColorInfo(Matrix.BT709, Range.LIMITED), (64, 48)),
        (YUV, ColorInfo(Matrix.BT601, Range.FULL, 256, 256), (131, 97)),
        (YUV, ColorInfo(), (1280, 16)),
        (PixelFormat("yuv", 10, 1, 1), ColorInfo(Matrix.BT2020, Range.LIMITED), (64, 48)),
        (PixelFormat("yuv", 8, 0, 0), ColorInfo(Matrix.BT709, Range.LIMITED), (65, 33)),
        (PixelFormat("gray"), ColorInfo(), (64, 48)),
        (PixelFormat("rgb"), ColorInfo(), (64, 48)),
    ],
)
def test_colour_is_right(
    pixel_format: Pixels, format: PixelFormat, color: ColorInfo, size: tuple[int, int]
) -> None:
    """Whatever the picture is coded in."""
    batch = batch_of(smooth(format, *size), format, color)
    expected = to_rgb([torch.from_numpy(plane) for plane in batch.frames[0].planes], batch.coding)
    codes = (expected.permute(1, 2, 0).clamp(0, 1) * 255).numpy()

    item = received(batch, pixel_format)

    assert item.header.pixel_format == pixel_format
    assert item.image.shape == codes.shape
    assert np.abs(item.image - codes).mean() < 2
    assert np.abs(item.image - codes).max() < 8


def test_nv12_keeps_every_sample() -> None:
    """Luma, then pairs of Cb and Cr, without padding."""
    planes = [
        np.random.default_rng(n).integers(0, 256, s, np.uint8) for n, s in enumerate(YUV.plane_sizes(33, 17))
    ]

    made = Nv12().make(batch_of(planes, YUV, ColorInfo(Matrix.BT601, Range.LIMITED)), take)

    payload = np.frombuffer(made.view, np.uint8)
    np.testing.assert_array_equal(payload[: 33 * 17].reshape(17, 33), planes[0])
    pairs: Any = payload[33 * 17 :].reshape(9, 17, 2)
    np.testing.assert_array_equal(pairs[..., 0], planes[1])
    np.testing.assert_array_equal(pairs[..., 1], planes[2])


@pytest.mark.network
@pytest.mark.parametrize("pixel_format", ["nv12", "jpeg"])
def test_as_displayed(pixel_format: Pixels) -> None:
    """Pictures that are stored sideways are turned."""
    planes = smooth(YUV, 64, 32)
    planes[0][:, :8] = 230  # the left edge; counterclockwise by 90 degrees it is the lower one

    item = received(batch_of(planes, YUV, rotation=90), pixel_format)

    assert item.image.shape == (64, 32, 3)
    assert item.image[-6:].mean() > item.image[:6].mean() + 50
