"""Pictures as the payloads of published frames: one class for each pixel format of docs/wire.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import av
import numpy as np

from streamrestore.frames import ColorInfo, FrameBatch
from streamrestore.live.pictures import Converter, plane_rows, rgb_view
from streamrestore.publish.buffers import Buffer
from streamrestore.render.jpeg import JFIF, Reduced, encode_jpeg
from streamrestore.render.pictures import common_coding, tags_of
from streamrestore.wire import Color, Pixels, payload_size

Take = Callable[[int], Buffer]
"""Gives memory for so many bytes."""


class Payloads(Protocol):
    """Makes payloads of one pixel format; for one thread at a time."""

    def make(self, batch: FrameBatch, take: Take) -> Buffer | bytes:
        """The one picture of a batch, as displayed."""
        ...

    def color(self, batch: FrameBatch) -> Color:
        """What its samples mean."""
        ...


class Rgb24:
    """Rows of R G B."""

    def __init__(self) -> None:
        self._converter = Converter()

    def make(self, batch: FrameBatch, take: Take) -> Buffer:
        """See `Payloads`."""
        buffer = take(_size("rgb24", batch))
        self._converter.rgb(batch, rgb_view(buffer.view, batch))
        return buffer

    def color(self, batch: FrameBatch) -> Color:
        """See `Payloads`."""
        return Color(primaries=_standard(batch.color.primaries), transfer=_standard(batch.color.transfer))


class Nv12:
    """The picture's own coding: half of the bytes of `Rgb24`, and 8 bit 4:2:0 keeps every sample."""

    def __init__(self) -> None:
        self._converter = Converter()

    def make(self, batch: FrameBatch, take: Take) -> Buffer:
        """See `Payloads`."""
        luma, cb, cr = self._converter.planes(batch, common_coding(batch))
        buffer = take(_size("nv12", batch))
        samples = np.frombuffer(buffer.view, np.uint8)
        samples[: luma.size] = luma.ravel()
        samples[luma.size :: 2], samples[luma.size + 1 :: 2] = cb.ravel(), cr.ravel()
        return buffer

    def color(self, batch: FrameBatch) -> Color:
        """See `Payloads`."""
        tags = tags_of(common_coding(batch), batch.color)
        return Color.of(
            ColorInfo(tags.matrix, tags.range, _standard(tags.primaries), _standard(tags.transfer))
        )


class Jpeg:
    """Files of their own: few bytes, some loss, and the most work."""

    def __init__(self) -> None:
        self._converter = Converter()

    def make(self, batch: FrameBatch, take: Take) -> bytes:
        """See `Payloads`."""
        del take  # nobody knows how many bytes it will be
        planes = self._converter.planes(batch, JFIF)
        frame = av.VideoFrame(*batch.displayed_size, "yuvj420p")
        for target, plane in zip(frame.planes, planes, strict=True):
            plane_rows(target)[: plane.shape[0], : plane.shape[1]] = plane
        return encode_jpeg(Reduced(frame))

    def color(self, batch: FrameBatch) -> Color:
        """See `Payloads`."""
        return Color.of(
            ColorInfo(int(JFIF.matrix), 2, _standard(batch.color.primaries), _standard(batch.color.transfer))
        )


PAYLOADS: Mapping[Pixels, Callable[[], Payloads]] = {"rgb24": Rgb24, "nv12": Nv12, "jpeg": Jpeg}
"""Every pixel format."""


def _size(pixel_format: Pixels, batch: FrameBatch) -> int:
    size = payload_size(pixel_format, *batch.displayed_size)
    assert size is not None
    return size


def _standard(code: int) -> int:
    """A code of H.273; FFmpeg has more of its own, from 256 on."""
    return code if code < 256 else 2  # unspecified
