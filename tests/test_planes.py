"""Colour: planes to networks and residuals back, against figures worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from streamrestore import planes as native
from streamrestore.frames import Coding, Matrix, PixelFormat

BT601, BT709, BT2020 = Matrix.BT601, Matrix.BT709, Matrix.BT2020

SHIFTS = {"420": (1, 1), "422": (1, 0), "440": (0, 1), "444": (0, 0), "411": (2, 0), "410": (2, 2)}

CODINGS = [
    Coding(matrix, full, depth) for matrix in (BT601, BT709) for full in (False, True) for depth in (8, 10)
]


def random_planes(
    size: tuple[int, int], shift: tuple[int, int] = (1, 1), depth: int = 8, seed: int = 0
) -> list[Tensor]:
    """Codes over the whole range; size is (height, width)."""
    random = np.random.default_rng(seed)
    stored = PixelFormat("yuv", depth, *shift)
    return [
        torch.from_numpy(random.integers(0, stored.peak + 1, plane).astype(stored.dtype))
        for plane in stored.plane_sizes(size[1], size[0])
    ]


def flat(size: tuple[int, int], coding: Coding, shift: tuple[int, int] = (0, 0)) -> list[Tensor]:
    """A black picture."""
    black, grey = native.zeros(coding)
    kind = torch.uint8 if coding.depth == 8 else torch.uint16
    sizes = PixelFormat("yuv", coding.depth, *shift).plane_sizes(size[1], size[0])
    return [torch.full(s, code, dtype=kind) for s, code in zip(sizes, (black, grey, grey), strict=True)]


def colour(rgb: tuple[float, float, float], size: tuple[int, int] = (4, 4)) -> Tensor:
    """A picture of one colour, (3, H, W)."""
    return torch.tensor(rgb)[:, None, None].expand(3, *size)


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    """Sample for sample, types included."""
    return all(x.dtype == y.dtype and torch.equal(x, y) for x, y in zip(a, b, strict=True))


class TestMatrices:
    """RGB to codes, H.273."""

    @pytest.mark.parametrize(
        ("coding", "expected"),
        [
            (
                Coding(BT601, full=False),
                [[65.481, 128.553, 24.966], [-37.7968, -74.2032, 112.0], [112.0, -93.7860, -18.2140]],
            ),
            (
                Coding(BT709, full=False),
                [[46.5594, 156.6288, 15.8118], [-25.6642, -86.3358, 112.0], [112.0, -101.7303, -10.2697]],
            ),
            (
                Coding(BT2020, full=False, depth=10),
                [[230.1252, 593.9280, 51.9468], [-125.1085, -322.8915, 448.0], [448.0, -411.9680, -36.0320]],
            ),
            (
                Coding(BT601, full=True),
                [[76.245, 149.685, 29.07], [-43.0277, -84.4723, 127.5], [127.5, -106.7658, -20.7342]],
            ),
        ],
        ids=["601", "709", "2020 10 bit", "601 full"],
    )
    def test_by_hand(self, coding: Coding, expected: list[list[float]]) -> None:
        """Luma is Kr R + Kg G + Kb B over 219 codes, chroma (B - Y) / 2 (1 - Kb) over 224."""
        matrix = native.rgb_to_ycc(coding)

        assert torch.allclose(matrix, torch.tensor(expected, dtype=torch.float64), atol=1e-3)

    @pytest.mark.parametrize(
        ("coding", "rgb", "codes"),
        [
            (Coding(BT601, full=False), (1.0, 0.0, 0.0), (81, 90, 240)),
            (Coding(BT601, full=False), (0.0, 1.0, 0.0), (145, 54, 34)),
            (Coding(BT601, full=False), (0.0, 0.0, 1.0), (41, 240, 110)),
            (Coding(BT709, full=False), (1.0, 0.0, 0.0), (63, 102, 240)),
            (Coding(BT709, full=False), (0.0, 1.0, 0.0), (173, 42, 26)),
            (Coding(BT709, full=False), (0.0, 0.0, 1.0), (32, 240, 118)),
            (Coding(BT709, full=False), (1.0, 1.0, 1.0), (235, 128, 128)),
            (Coding(BT709, full=False, depth=10), (1.0, 1.0, 1.0), (940, 512, 512)),
            (Coding(BT709, full=True), (1.0, 1.0, 1.0), (255, 128, 128)),
            (Coding(BT709, full=True, depth=10), (0.0, 0.0, 0.0), (0, 512, 512)),
        ],
    )
    def test_colour_bars(
        self, coding: Coding, rgb: tuple[float, float, float], codes: tuple[int, int, int]
    ) -> None:
        """The codes of pure colours that every table of colour bars has."""
        planes = native.add_rgb_residual(flat((4, 4), coding), colour(rgb), 1.0, coding)

        assert tuple(int(p[0, 0]) for p in planes) == codes

    @pytest.mark.parametrize("coding", CODINGS)
    def test_out_undoes_in(self, coding: Coding) -> None:
        """What networks would leave as it is comes back as it was."""
        inward, outward = native.unshuffled_matrices(coding)

        assert inward.shape == (48, 24)
        assert torch.allclose(outward @ inward, torch.eye(24, dtype=torch.float64), atol=1e-12)

    @pytest.mark.parametrize("coding", CODINGS)
    def test_every_output_is_a_mean(self, coding: Coding) -> None:
        """The way out weighs the pixels of a luma sample, and of a chroma block, by 1 in all."""
        _, outward = native.unshuffled_matrices(coding)
        per_colour = outward.reshape(24, 3, 16).sum(dim=2)  # a residual that is the same in all pixels
        matrix = native.rgb_to_ycc(coding)

        assert torch.allclose(per_colour[:16], matrix[0].expand(16, 3))
        assert torch.allclose(per_colour[16:20], matrix[1].expand(4, 3))
        assert torch.allclose(per_colour[20:], matrix[2].expand(4, 3))


class TestResidual:
    """An RGB residual on native planes."""

    @pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
    @pytest.mark.parametrize("coding", CODINGS)
    def test_grey_moves_no_chroma(self, coding: Coding, shift: tuple[int, int]) -> None:
        """A residual without colour changes luma alone, whatever it does from pixel to pixel."""
        planes = random_planes((33, 31), shift, coding.depth)
        grey = torch.rand(33, 31, generator=torch.Generator().manual_seed(1)) - 0.5

        luma, *chroma = native.add_rgb_residual(planes, grey.expand(3, 33, 31), 1.0, coding)

        assert same(chroma, planes[1:])
        assert not torch.equal(luma, planes[0])

    @pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
    @pytest.mark.parametrize("coding", CODINGS)
    @pytest.mark.parametrize("size", [(32, 48), (33, 47), (17, 18)])
    def test_there_and_back(self, coding: Coding, shift: tuple[int, int], size: tuple[int, int]) -> None:
        """Planes to RGB to planes is exact, over the whole code range and at odd sizes."""
        planes = random_planes(size, shift, coding.depth)

        rgb = native.to_rgb(planes, coding)

        assert rgb.shape == (3, *size)
        assert same(native.add_rgb_residual(flat(size, coding, shift), rgb, 1.0, coding), planes)

    @pytest.mark.parametrize("depth", [8, 10])
    def test_rgb_and_grey(self, depth: int) -> None:
        """Pictures that are stored as RGB or as grey take the residual as it is."""
        peak = (1 << depth) - 1
        rgb = random_planes((16, 20), (0, 0), depth)
        coding = Coding(Matrix.RGB, full=True, depth=depth)
        ones = torch.full((3, 16, 20), 3 / peak)

        assert torch.allclose(native.to_rgb(rgb, coding), torch.stack([p.float() for p in rgb]) / peak)
        for before, after in zip(rgb, native.add_rgb_residual(rgb, ones, 1.0, coding), strict=True):
            assert torch.equal(after.int(), (before.int() + 3).clamp(max=peak))

        limited = Coding(BT709, full=False, depth=depth)
        (luma,) = native.add_rgb_residual(rgb[:1], ones * peak / 219, 1.0, limited)
        step = 3 if depth == 8 else 12
        assert torch.equal(luma.int(), (rgb[0].int() + step).clamp(max=peak))
        assert native.to_rgb(rgb[:1], limited).shape == (3, 16, 20)

    @pytest.mark.parametrize("coding", CODINGS)
    def test_codes_are_clipped_to_the_code_range(self, coding: Coding) -> None:
        """Not to 16..235: super-white is part of the picture. Nothing wraps around."""
        planes = random_planes((8, 8), depth=coding.depth)
        peak = (1 << coding.depth) - 1
        bright = native.add_rgb_residual(planes, colour((9.0, 9.0, 9.0), (8, 8)), 1.0, coding)
        dark = native.add_rgb_residual(planes, colour((-9.0, -9.0, -9.0), (8, 8)), 1.0, coding)
        blue = native.add_rgb_residual(planes, colour((0.0, 0.0, 90.0), (8, 8)), 1.0, coding)

        assert (bright[0].int() == peak).all()
        assert (dark[0].int() == 0).all()
        assert (blue[1].int() == peak).all()
        assert (blue[2].int() == 0).all()

    @given(st.integers(-1023, 1023), st.sampled_from([0.0, 0.5, 1.0, 1.5]), st.integers(0, 1023))
    def test_strength_and_rounding(self, change: int, strength: float, code: int) -> None:
        """Code plus strength times residual, to the nearest code, clipped."""
        codes = torch.tensor([code], dtype=torch.int32).to(torch.uint16)

        result = native.add_residual(codes, torch.tensor([float(change)]), strength, 1023)

        assert result.dtype == torch.uint16
        assert abs(int(result[0]) - min(max(code + strength * change, 0), 1023)) <= 0.5

    def test_ten_bits_stay_ten_bits(self) -> None:
        """A residual of one code moves a 10-bit sample by one code; none, by none."""
        coding = Coding(BT709, full=True, depth=10)
        planes = random_planes((8, 8), (0, 0), 10)
        step = colour((1 / 1023,) * 3, (8, 8))

        after = native.add_rgb_residual(planes, step, 1.0, coding)

        assert torch.equal(after[0].int(), (planes[0].int() + 1).clamp(max=1023))
        assert same(native.add_rgb_residual(planes, step * 0, 1.0, coding), planes)

    def test_reduced_chroma_is_the_mean_of_what_it_was_repeated_to(self) -> None:
        """Each row of the reduction sums to 1, at the odd border, too."""
        coding = Coding(BT601, full=True)
        planes = flat((5, 5), coding, (1, 1))
        residual = torch.zeros(3, 5, 5)
        residual[2, 0, 0] = 0.4  # one of four pixels
        residual[2, 4, 4] = 0.4  # the only pixel of its block

        cb = native.add_rgb_residual(planes, residual, 1.0, coding)[1].int() - 128

        assert cb[0, 0] == round(127.5 * 0.4 / 4)
        assert cb[2, 2] == round(127.5 * 0.4)
        assert cb.count_nonzero() == 2


class TestPacking:
    """4:2:0 planes as maps."""

    @given(
        st.tuples(st.integers(1, 70), st.integers(1, 70)),
        st.sampled_from([8, 16, 32]),
        st.sampled_from([8, 10]),
        st.integers(0, 99),
    )
    def test_unpack_undoes_pack(self, size: tuple[int, int], multiple: int, depth: int, seed: int) -> None:
        """Every sample of every size comes back."""
        planes = random_planes(size, depth=depth, seed=seed)

        codes = native.pack(planes, multiple)

        height, width = (-(-side // multiple) * multiple // 4 for side in size)
        assert codes.shape == (24, height, width)
        assert same(native.unpack(codes, [(p.shape[0], p.shape[1]) for p in planes]), planes)

    @given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.sampled_from([8, 16]))
    def test_maps_are_unshuffled_planes(self, size: tuple[int, int], multiple: int) -> None:
        """Luma by 4, chroma by 2, the border repeated: as torch's own unshuffling has it."""
        planes = random_planes(size)
        height, width = (-(-side // multiple) * multiple for side in size)
        expected = []
        for plane, part, factor in zip(planes, (1, 2, 2), (4, 2, 2), strict=True):
            rows, columns = height // part - plane.shape[0], width // part - plane.shape[1]
            padded = np.pad(plane.numpy(), ((0, rows), (0, columns)), mode="edge")
            expected.append(F.pixel_unshuffle(torch.from_numpy(padded)[None], factor))

        assert torch.equal(native.pack(planes, multiple), torch.cat(expected))

    def test_padding_of_the_decoder_is_not_read(self) -> None:
        """Planes are often views of wider memory."""
        wide = random_planes((20, 40))
        views = [p[: s[0], : s[1]] for p, s in zip(wide, [(18, 22), (9, 11), (9, 11)], strict=True)]

        packed = native.pack(views, 16)

        assert torch.equal(packed, native.pack([v.clone() for v in views], 16))
        assert same(native.unpack(packed, [(18, 22), (9, 11), (9, 11)]), [v.clone() for v in views])

    @pytest.mark.parametrize("coding", CODINGS)
    def test_offsets_are_black(self, coding: Coding) -> None:
        """A black picture is zero, so that a network's zero padding is black, too."""
        codes = native.pack(flat((16, 16), coding, (1, 1)), 16)

        assert native.centred(codes, coding, torch.float32).count_nonzero() == 0

    @pytest.mark.parametrize(("depth", "least"), [(8, 256), (10, 256), (12, 256)])
    def test_bf16_sees_small_chroma(self, depth: int, least: int) -> None:
        """Codes within 256 of black and of grey lose nothing in bf16, at any depth."""
        coding = Coding(BT709, full=False, depth=depth)
        black, grey = native.zeros(coding)
        near = torch.arange(-min(least, black), least) if depth > 8 else torch.arange(-16, 128)
        codes = torch.zeros(24, 1, len(near), dtype=torch.int32)
        codes[:16], codes[16:] = black + near, grey + near
        stored = codes.to(torch.uint8 if depth == 8 else torch.uint16)

        (seen,) = native.centred(stored, coding, torch.bfloat16)

        assert seen.dtype == torch.bfloat16
        assert torch.equal(seen.float(), near.float().expand(24, 1, -1))

    @pytest.mark.parametrize("coding", CODINGS)
    def test_in_and_out_are_the_plain_way(self, coding: Coding) -> None:
        """Unshuffled planes times the matrix are unshuffled RGB; and the same way back."""
        planes = random_planes((32, 48), depth=coding.depth)
        inward, outward = (m.float() for m in native.unshuffled_matrices(coding))
        (x,) = native.centred(native.pack(planes, 16), coding, torch.float32)
        rgb = F.pixel_unshuffle(native.to_rgb(planes, coding), 4)

        assert torch.allclose(torch.einsum("km,mhw->khw", inward, x), rgb, atol=1e-4)

        residual: Any = torch.rand(48, 8, 12, generator=torch.Generator().manual_seed(2)) - 0.5
        fast = native.add_residual(
            native.pack(planes, 16), torch.einsum("km,mhw->khw", outward, residual), 1.0,
            (1 << coding.depth) - 1,
        )  # fmt: skip
        plain = native.add_rgb_residual(planes, F.pixel_shuffle(residual, 4), 1.0, coding)
        sizes = [(p.shape[0], p.shape[1]) for p in planes]
        for a, b in zip(native.unpack(fast, sizes), plain, strict=True):
            assert (a.int() - b.int()).abs().max() <= 1  # ties
            assert (a.int() != b.int()).float().mean() < 0.01
