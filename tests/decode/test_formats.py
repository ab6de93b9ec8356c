"""Pixel formats: which planes, and why not."""

from __future__ import annotations

import contextlib

import av
import numpy as np
import pytest
from av.video.format import VideoFormat, names
from av.video.reformatter import VideoReformatter

from streamrestore.decode.formats import REPACKED, ffmpeg_name, layout_of
from streamrestore.decode.pyav import planes_of
from streamrestore.errors import UnsupportedVideo
from streamrestore.frames import PixelFormat

SIZE = (34, 26)

# Independent of the product: (plane, first sample, step) of each of our planes, bits to shift right,
# bits of a sample, and how many bytes a stored word has.
STORED: dict[str, tuple[tuple[tuple[int, int, int], ...], int, int, int]] = {
    "nv12": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 0, 8, 1),
    "nv21": (((0, 0, 1), (1, 1, 2), (1, 0, 2)), 0, 8, 1),
    "nv16": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 0, 8, 1),
    "nv24": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 0, 8, 1),
    "nv42": (((0, 0, 1), (1, 1, 2), (1, 0, 2)), 0, 8, 1),
    "nv20le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 0, 10, 2),
    "p010le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 6, 10, 2),
    "p012le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 4, 12, 2),
    "p016le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 0, 16, 2),
    "p210le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 6, 10, 2),
    "p212le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 4, 12, 2),
    "p216le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 0, 16, 2),
    "p410le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 6, 10, 2),
    "p412le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 4, 12, 2),
    "p416le": (((0, 0, 1), (1, 0, 2), (1, 1, 2)), 0, 16, 2),
    "yuyv422": (((0, 0, 2), (0, 1, 4), (0, 3, 4)), 0, 8, 1),
    "yvyu422": (((0, 0, 2), (0, 3, 4), (0, 1, 4)), 0, 8, 1),
    "uyvy422": (((0, 1, 2), (0, 0, 4), (0, 2, 4)), 0, 8, 1),
    "y210le": (((0, 0, 2), (0, 1, 4), (0, 3, 4)), 6, 10, 2),
    "y212le": (((0, 0, 2), (0, 1, 4), (0, 3, 4)), 4, 12, 2),
    "y216le": (((0, 0, 2), (0, 1, 4), (0, 3, 4)), 0, 16, 2),
    "vuyx": (((0, 2, 4), (0, 1, 4), (0, 0, 4)), 0, 8, 1),
    "vyu444": (((0, 1, 3), (0, 2, 3), (0, 0, 3)), 0, 8, 1),
    "xv36le": (((0, 1, 4), (0, 0, 4), (0, 2, 4)), 4, 12, 2),
    "xv48le": (((0, 1, 4), (0, 0, 4), (0, 2, 4)), 0, 16, 2),
    "rgb24": (((0, 0, 3), (0, 1, 3), (0, 2, 3)), 0, 8, 1),
    "bgr24": (((0, 2, 3), (0, 1, 3), (0, 0, 3)), 0, 8, 1),
    "rgb0": (((0, 0, 4), (0, 1, 4), (0, 2, 4)), 0, 8, 1),
    "bgr0": (((0, 2, 4), (0, 1, 4), (0, 0, 4)), 0, 8, 1),
    "0rgb": (((0, 1, 4), (0, 2, 4), (0, 3, 4)), 0, 8, 1),
    "0bgr": (((0, 3, 4), (0, 2, 4), (0, 1, 4)), 0, 8, 1),
    "rgb48le": (((0, 0, 3), (0, 1, 3), (0, 2, 3)), 0, 16, 2),
    "bgr48le": (((0, 2, 3), (0, 1, 3), (0, 0, 3)), 0, 16, 2),
    "rgb48be": (((0, 0, 3), (0, 1, 3), (0, 2, 3)), 0, 16, -2),
    "bgr48be": (((0, 2, 3), (0, 1, 3), (0, 0, 3)), 0, 16, -2),
}
IN_WORDS = {"xv30le": (10, 0, 20), "v30xle": (12, 2, 22), "x2rgb10le": (20, 10, 0), "x2bgr10le": (0, 10, 20)}
"""First bit of each of our planes in a word of 32 bits."""


def stored_frame(name: str, bits: int, shift: int, dtype: np.dtype) -> av.VideoFrame:  # type: ignore[type-arg]
    """A frame with random codes in every sample, padding included."""
    frame = av.VideoFrame(*SIZE, name)
    random = np.random.default_rng(1)
    for plane in frame.planes:
        words = np.frombuffer(plane, dtype)
        words[:] = random.integers(0, 1 << bits, words.shape, dtype=np.uint64) << np.uint64(shift)
    return frame


def repacked(frame: av.VideoFrame) -> tuple[np.ndarray, ...]:  # type: ignore[type-arg]
    """What the source makes of it."""
    layout = layout_of(frame.format.name)
    return planes_of(VideoReformatter().reformat(frame, format=layout.repack, threads=1), layout)


class TestRepack:
    """Packed samples become planes."""

    @pytest.mark.parametrize("color_range", [0, 1, 2])
    @pytest.mark.parametrize("name", STORED)
    def test_samples_only_move(self, name: str, color_range: int) -> None:
        """Samples side by side come out in planes, every one as it was, whatever the range's tag."""
        places, shift, bits, width = STORED[name]
        dtype = np.dtype({1: "u1", 2: "<u2", -2: ">u2"}[width])
        frame = stored_frame(name, bits, shift, dtype)
        frame.color_range = color_range

        planes = repacked(frame)

        for ours, (index, first, step) in zip(planes, places, strict=True):
            stored = frame.planes[index]
            lines = np.frombuffer(stored, dtype).reshape(-1, stored.line_size // dtype.itemsize)
            expected = (lines >> shift)[: ours.shape[0], first::step][:, : ours.shape[1]]
            assert np.array_equal(ours, expected)

    @pytest.mark.parametrize("name", IN_WORDS)
    def test_samples_in_words(self, name: str) -> None:
        """Three samples of 10 bits in a word of 32."""
        frame = stored_frame(name, 32, 0, np.dtype("<u4"))
        words = np.frombuffer(frame.planes[0], "<u4").reshape(SIZE[1], -1)[:, : SIZE[0]]

        for ours, bit in zip(repacked(frame), IN_WORDS[name], strict=True):
            assert np.array_equal(ours, words >> bit & 1023)

    @pytest.mark.parametrize("name", ["monow", "monob"])
    def test_one_bit(self, name: str) -> None:
        """Black and white are 0 and 255, and the range is full."""
        frame = stored_frame(name, 8, 0, np.dtype("u1"))

        (gray,) = repacked(frame)

        bits = np.unpackbits(np.frombuffer(frame.planes[0], "u1").reshape(SIZE[1], -1), axis=1)[:, : SIZE[0]]
        assert np.array_equal(gray, 255 * (bits ^ (name == "monow")))
        assert layout_of(name).full

    def test_palette(self) -> None:
        """Every index becomes its colour."""
        frame = stored_frame("pal8", 8, 0, np.dtype("u1"))
        palette = np.frombuffer(frame.planes[1], "u1").reshape(256, 4)
        palette[:, 3] = 255

        planes = repacked(frame)

        lines = np.frombuffer(frame.planes[0], "u1").reshape(-1, frame.planes[0].line_size)
        colors = palette[lines[: SIZE[1], : SIZE[0]]]  # B, G, R, A
        for channel, ours in enumerate(planes):
            assert np.array_equal(ours, colors[..., 2 - channel])

    def test_all_are_checked(self) -> None:
        """No format is called exact without one of the tests above."""
        assert {*STORED, *IN_WORDS, "monow", "monob", "pal8"} == set(REPACKED)


class TestLayout:
    """Names of formats."""

    @pytest.mark.parametrize("name", sorted(names))
    def test_every_format_of_ffmpeg(self, name: str) -> None:
        """Each is either planes of 8 to 16 bits, or refused with a reason."""
        layout = None
        with contextlib.suppress(UnsupportedVideo):
            layout = layout_of(name)
        if layout is None:
            with pytest.raises(UnsupportedVideo, match=f"its pixel format is {name}, "):
                layout_of(name)
            return
        components = VideoFormat(name).components
        assert not any(component.is_alpha for component in components) or name == "pal8"
        assert len(layout.order) == {"gray": 1}.get(layout.format.model, 3)
        if name not in ("pal8", "monow", "monob"):
            assert layout.format.depth == components[0].bits

    @pytest.mark.parametrize(
        ("name", "word"),
        [
            ("yuva420p", "alpha"),
            ("gbrap", "alpha"),
            ("ya8", "alpha"),
            ("grayf32le", "floating"),
            ("bayer_rggb8", "mosaic"),
        ],
    )
    def test_reasons(self, name: str, word: str) -> None:
        """The refusal says what is special about the format."""
        with pytest.raises(UnsupportedVideo, match=word):
            layout_of(name)

    @pytest.mark.parametrize("model", ["yuv", "rgb", "gray"])
    @pytest.mark.parametrize("depth", [8, 10, 12, 16])
    def test_names_and_back(self, model: str, depth: int) -> None:
        """The name of a planar format leads back to it."""
        layout = PixelFormat(model, depth, *((1, 1) if model == "yuv" else (0, 0)))  # type: ignore[arg-type]

        assert layout_of(ffmpeg_name(layout)).format == layout
        assert layout_of(ffmpeg_name(layout)).repack is None
