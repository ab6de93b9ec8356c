"""What the router sees of a picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from streamrestore.frames import Coding, Matrix, PixelFormat
from streamrestore.planes import to_rgb
from streamrestore.route.views import GRID, places, views_of

RGB = Coding(Matrix.RGB, full=True)
YCC = Coding(Matrix.BT709, full=False)


def picture(height: int, width: int, seed: int = 0) -> list[Tensor]:
    """RGB in [0, 1]."""
    return list(torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed)))


def planes(height: int, width: int, shift: tuple[int, int], seed: int = 0) -> list[Tensor]:
    """YCbCr over the whole code range."""
    random = np.random.default_rng(seed)
    sizes = PixelFormat("yuv", 8, *shift).plane_sizes(width, height)
    return [torch.from_numpy(random.integers(0, 256, size).astype(np.uint8)) for size in sizes]


class TestPlaces:
    """Where native crops are cut."""

    @given(st.integers(64, 300), st.integers(64, 300), st.integers(0, 9))
    def test_inside_and_on_the_grid(self, height: int, width: int, seed: int) -> None:
        """Every crop lies in the picture, whole, on chroma's grid; the same picture, the same places."""
        luma = picture(height, width, seed)[0]

        found = places(luma, 64, 6)

        assert len(found) == 6
        assert found == places(luma.clone(), 64, 6)
        for top, left in found:
            assert 0 <= top <= height - 64
            assert 0 <= left <= width - 64
            assert top % GRID == left % GRID == 0

    def test_texture_first(self) -> None:
        """The first crop is where the structure is, the last one somewhere calm."""
        luma = torch.full((256, 256), 0.5)
        y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
        luma[64:128, 160:224] = ((y // 8 + x // 8) % 2).float()

        found = places(luma, 64, 6)

        assert found[0] == (64, 160)
        assert abs(found[-1][0] - 64) >= 64 or abs(found[-1][1] - 160) >= 64

    def test_flat(self) -> None:
        """A picture without any structure has places, too."""
        assert len(places(torch.zeros(80, 90), 64, 6)) == 6


class TestViews:
    """Thumbnail and crops."""

    @pytest.mark.parametrize(
        "size", [(16, 16), (17, 300), (300, 16), (63, 64), (64, 64), (97, 131), (480, 640)]
    )
    def test_any_size(self, size: tuple[int, int]) -> None:
        """Shapes do not depend on the picture's; tiny ones are enlarged."""
        for views in (
            views_of(picture(*size), RGB, 96, 64, 6),
            views_of(planes(*size, (1, 1)), YCC, 96, 64, 6),
        ):
            assert views.thumbnail.shape == (3, 96, 96)
            assert views.crops.shape == (6, 3, 64, 64)
            for tensor in (views.thumbnail, views.crops):
                assert tensor.dtype == torch.float32
                assert float(tensor.min()) >= 0
                assert float(tensor.max()) <= 1

    @pytest.mark.parametrize("shift", [(1, 1), (1, 0), (0, 1), (0, 0), (2, 2)])
    @pytest.mark.parametrize("size", [(128, 160), (113, 141)])
    def test_crops_are_native(self, shift: tuple[int, int], size: tuple[int, int]) -> None:
        """Cut from the planes, each is what the whole picture has there, chroma in place."""
        stored = planes(*size, shift)
        rgb = to_rgb(stored, YCC).clamp(0, 1)

        views = views_of(stored, YCC, 32, 64, 6)

        found = places(stored[0].float() / 255, 64, 6)
        for crop, (top, left) in zip(views.crops, found, strict=True):
            assert torch.allclose(crop, rgb[:, top : top + 64, left : left + 64], atol=1e-5)

    def test_thumbnail_is_the_whole_picture(self) -> None:
        """Means of blocks."""
        rgb = torch.stack(picture(64, 128))

        views = views_of(list(rgb), RGB, 32, 64, 6)

        expected = rgb.reshape(3, 32, 2, 32, 4).mean(dim=(2, 4))
        assert torch.allclose(views.thumbnail, expected, atol=1e-6)

    def test_grey(self) -> None:
        """One plane stands for three."""
        views = views_of(planes(100, 100, (0, 0))[:1], YCC, 32, 64, 6)

        assert torch.equal(views.crops[:, 0], views.crops[:, 2])
        assert torch.equal(views.thumbnail[0], views.thumbnail[1])

    def test_deep_planes(self) -> None:
        """Ten bits look like eight."""
        eight = planes(96, 96, (1, 1))
        ten = [(p.int() * 4).to(torch.uint16) for p in eight]

        a = views_of(eight, YCC, 32, 64, 6)
        b = views_of(ten, Coding(Matrix.BT709, full=False, depth=10), 32, 64, 6)

        assert torch.allclose(a.thumbnail, b.thumbnail, atol=1e-5)
        assert torch.allclose(a.crops, b.crops, atol=1e-5)
