"""Payloads become RGB by what their header says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext

from streamrestore.errors import WireError
from streamrestore.transport.pictures import Pictures
from streamrestore.wire import Color, Message, pack, unpack
from tests.transport.net import header

RED = (200, 30, 40)


def message(payload: Any, width: int, height: int, **fields: Any) -> Message:
    """As it would come."""
    return unpack(pack(header(size=(width, height), sequence=0, published_at=0, **fields), payload))


def jpeg(width: int, height: int, color: tuple[int, int, int] = RED) -> bytes:
    """A JPEG of one colour."""
    encoder = CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": "1", "qmax": "1"}
    rgb = av.VideoFrame.from_ndarray(np.full((height, width, 3), color, np.uint8), "rgb24")
    frame = rgb.reformat(format="yuvj420p", dst_colorspace=5, dst_color_range=2)
    return bytes(encoder.encode(frame)[0])


class TestRgb24:
    def test_it_is_the_payload(self) -> None:
        """Without a copy, and not to be written to."""
        picture = np.arange(7 * 5 * 3, dtype=np.uint8).reshape(5, 7, 3)

        image = Pictures().rgb(message(picture, 7, 5))

        assert np.array_equal(image, picture)
        assert np.shares_memory(image, picture)
        assert not image.flags.writeable


class TestNv12:
    @pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 47), (1, 1), (2, 3), (130, 6)])
    @pytest.mark.parametrize(
        ("matrix", "code_range", "codes"),
        [(1, 1, (63, 102, 240)), (1, 2, (80, 128 - 24, 218)), (5, 1, (81, 90, 240)), (9, 1, (74, 97, 240))],
    )
    def test_red_by_matrix_and_range(
        self, width: int, height: int, matrix: int, code_range: int, codes: tuple[int, int, int]
    ) -> None:
        """The formula of each matrix (ITU-T H.273), odd sizes included."""
        luma = np.full(width * height, codes[0], np.uint8)
        chroma = np.tile(np.array(codes[1:], np.uint8), -(-width // 2) * -(-height // 2))
        payload = np.concatenate([luma, chroma])

        image = Pictures().rgb(
            message(payload, width, height, pixel_format="nv12", color=Color(matrix, code_range))
        )

        assert image.shape == (height, width, 3)
        assert not image.flags.writeable
        assert np.abs(image.astype(int) - expected(matrix, code_range, codes)).max() <= 2

    def test_places(self) -> None:
        """Rows and columns stay where they are."""
        luma = np.arange(16, 16 + 8 * 6, dtype=np.uint8).reshape(6, 8)
        payload = np.concatenate([luma.ravel(), np.full(8 * 6 // 2, 128, np.uint8)])

        image = Pictures().rgb(message(payload, 8, 6, pixel_format="nv12", color=Color(1, 2)))

        assert np.abs(image.astype(int) - luma[:, :, None]).max() <= 1


def expected(matrix: int, code_range: int, codes: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """RGB of a YCbCr triple, by the definition."""
    kr, kb = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    black, luma_span, chroma_span = (16, 219, 224) if code_range == 1 else (0, 255, 255)
    y, cb, cr = (codes[0] - black) / luma_span, (codes[1] - 128) / chroma_span, (codes[2] - 128) / chroma_span
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.rint(np.array([red, green, blue]) * 255), 0, 255)


class TestJpeg:
    @pytest.mark.parametrize(
        ("width", "height"), [(64, 48), (50, 34), (1, 1), (17, 9), (65, 33), (1279, 719)]
    )
    def test_decoded(self, width: int, height: int) -> None:
        """Full range, BT.601."""
        image = Pictures().rgb(message(jpeg(width, height), width, height, pixel_format="jpeg"))

        assert image.shape == (height, width, 3)
        assert np.abs(image.astype(int) - RED).max() <= 4

    @pytest.mark.parametrize(
        "payload",
        [b"x" * 100, jpeg(64, 48)[:200], jpeg(640, 480), jpeg(66, 48), jpeg(32, 24), b"\xff\xd8\xff\xd9"],
        ids=["noise", "truncated", "larger", "a little larger", "smaller", "empty"],
    )
    def test_typed_error(self, payload: bytes) -> None:
        """Of a picture that is none, or of another size than was declared."""
        with pytest.raises(WireError, match="JPEG of 64x48"):
            Pictures().rgb(message(payload, 64, 48, pixel_format="jpeg"))

    def test_the_next_one_is_fine(self) -> None:
        """An error leaves nothing behind."""
        pictures = Pictures()
        with pytest.raises(WireError):
            pictures.rgb(message(b"x", 64, 48, pixel_format="jpeg"))

        assert pictures.rgb(message(jpeg(64, 48), 64, 48, pixel_format="jpeg")).shape == (48, 64, 3)
