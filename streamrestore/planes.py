"""Colour: native planes to network input, and residuals back.

A network estimates a residual of RGB. Both ways are linear in the samples once black level and
chroma centre are subtracted, so they are two small matrices; for 4:2:0 they act on pixel-unshuffled
planes (luma by n, each chroma by n/2: n^2 and twice n^2/4 maps) and are folded into the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from streamrestore.frames import LUMA_WEIGHTS, Coding, Matrix

UNSHUFFLE = 4
"""n of most networks; an even number."""


def rgb_to_ycc(coding: Coding) -> Tensor:
    """3x3 matrix from RGB in [0, 1] to codes above black and off centre, float64 (ITU-T H.273)."""
    kr, kb = LUMA_WEIGHTS[coding.matrix]
    luma = torch.tensor([kr, 1 - kr - kb, kb], dtype=torch.float64)
    unit = torch.eye(3, dtype=torch.float64)
    cb = (unit[2] - luma) / (2 * (1 - kb))
    cr = (unit[0] - luma) / (2 * (1 - kr))
    luma_span, chroma_span = spans(coding)
    return torch.stack([luma * luma_span, cb * chroma_span, cr * chroma_span])


def spans(coding: Coding) -> tuple[float, float]:
    """Codes from black to white, and from the least to the greatest chroma."""
    if coding.full:
        return float((1 << coding.depth) - 1), float((1 << coding.depth) - 1)
    return 219.0 * (1 << coding.depth - 8), 224.0 * (1 << coding.depth - 8)


def zeros(coding: Coding) -> tuple[int, int]:
    """Codes of black and of grey: (16, 128) for limited 8 bit."""
    return (0 if coding.full else 16 << coding.depth - 8), 128 << coding.depth - 8


def maps_of(unshuffle: int) -> int:
    """Maps of unshuffled 4:2:0 planes, 3 n^2 / 2; RGB has twice as many."""
    return 3 * unshuffle**2 // 2


@lru_cache(maxsize=32)
def unshuffled_matrices(coding: Coding, unshuffle: int = UNSHUFFLE) -> tuple[Tensor, Tensor]:
    """The way in and the way out for 4:2:0 planes.

    Returns:
        inward (3 n^2, 3 n^2 / 2), unshuffled planes to unshuffled RGB, each chroma sample repeated in
        its 2x2 block of luma; outward (3 n^2 / 2, 3 n^2), an RGB residual to planes, chroma the mean
        of its block. outward @ inward is the identity.
    """
    to_ycc = rgb_to_ycc(coding)
    to_rgb = torch.linalg.inv(to_ycc)
    n, m, maps = unshuffle, unshuffle // 2, maps_of(unshuffle)
    inward = torch.zeros(3, n, n, maps, dtype=torch.float64)
    outward = torch.zeros(maps, 3, n, n, dtype=torch.float64)
    for y in range(n):
        for x in range(n):
            luma = y * n + x
            block = (y // 2) * m + x // 2
            inward[:, y, x, luma] = to_rgb[:, 0]
            outward[luma, :, y, x] = to_ycc[0]
            for plane in (0, 1):
                chroma = n * n + plane * m * m + block
                inward[:, y, x, chroma] = to_rgb[:, 1 + plane]
                outward[chroma, :, y, x] = to_ycc[1 + plane] / 4
    return inward.reshape(2 * maps, maps), outward.reshape(maps, 2 * maps)


def pack(planes: Sequence[Tensor], multiple: int, unshuffle: int = UNSHUFFLE) -> Tensor:
    """Unshuffle 4:2:0 planes, padded by repetition of the border.

    Args:
        planes: luma (H, W), two chroma (ceil(H/2), ceil(W/2)), uint8 or uint16.
        multiple: height and width are padded at the bottom and right to multiples of it, itself a
            multiple of n.

    Returns:
        Codes (3 n^2 / 2, h, w) of the planes' type, w and h the padded size by n, with the maps
        innermost in memory.
    """
    height, width = planes[0].shape
    h, w = (-(-side // multiple) * multiple // unshuffle for side in (height, width))
    codes = planes[0].new_empty(h, w, maps_of(unshuffle))
    for plane, side, start, stop in _slots(unshuffle):
        padded = _pad(planes[plane], h * side, w * side)
        rows = _wide(padded, side).view(h, side, w).transpose(1, 2)  # one item: `side` samples
        _wide(codes[..., start:stop], side).copy_(rows)
    return codes.permute(2, 0, 1)


def unpack(codes: Tensor, sizes: Sequence[tuple[int, int]], unshuffle: int = UNSHUFFLE) -> list[Tensor]:
    """The inverse of `pack`: (3 n^2 / 2, h, w) codes -> three planes of the given (height, width)."""
    inner = codes.permute(1, 2, 0)
    h, w, _ = inner.shape
    planes: list[Tensor] = []
    for (plane, side, start, stop), (height, width) in zip(_slots(unshuffle), sizes, strict=True):
        assert len(planes) == plane
        rows = _wide(inner[..., start:stop], side).transpose(1, 2).contiguous()  # (h, side, w) items
        planes.append(rows.view(codes.dtype).view(h * side, w * side)[:height, :width])
    return planes


def turned(plane: Tensor, turns: int) -> Tensor:
    """A plane (h, w) turned counterclockwise by quarter turns; itself if there are none."""
    if turns % 4 == 0:
        return plane
    if plane.dtype == torch.uint16:  # which torch cannot flip
        return torch.rot90(plane.view(torch.int16), turns).view(torch.uint16)
    return torch.rot90(plane, turns)


def offsets(coding: Coding, maps: int) -> Tensor:
    """(maps, 1, 1): the codes of black and grey that `pack`'s maps are counted from."""
    black, grey = zeros(coding)
    luma = maps * 2 // 3
    return torch.tensor([black] * luma + [grey] * (maps - luma), dtype=torch.float32)[:, None, None]


def centred(codes: Tensor, coding: Coding, dtype: torch.dtype) -> Tensor:
    """Codes (C, h, w) less those of black and grey, (1, C, h, w) in a type of networks, channels last.

    bf16 holds codes of 8 bits exactly. Of deeper ones the zeros are subtracted first, so that it is
    at least exact near black and grey.
    """
    exact = dtype if coding.depth == 8 else torch.float32
    inner = codes.permute(1, 2, 0).to(exact, memory_format=torch.contiguous_format)  # (h, w, C)
    h, w, maps = inner.shape
    # One long row at a time: C samples would be too few for a loop of their own.
    inner.view(h, w * maps).sub_(offsets(coding, maps).flatten().to(inner).repeat(w))
    return inner.to(dtype)[None].permute(0, 3, 1, 2)


def add_residual(codes: Tensor, residual: Tensor, strength: float, peak: int) -> Tensor:
    """Codes plus residual times strength, rounded and clipped to 0..peak; the type of `codes`."""
    result = torch.add(codes.float(), residual, alpha=strength)
    return result.round_().clamp_(0, peak).to(codes.dtype)


def to_rgb(planes: Sequence[Tensor], coding: Coding) -> Tensor:
    """Planes of any subsampling -> RGB (3, H, W) float32, nominally in [0, 1].

    Chroma is repeated. Grey pictures give three equal planes.
    """
    luma = planes[0].float()
    if coding.matrix == Matrix.RGB:
        return torch.stack([p.float() for p in planes]) / ((1 << coding.depth) - 1)
    black, grey = zeros(coding)
    if len(planes) == 1:
        return ((luma - black) / spans(coding)[0]).expand(3, -1, -1)
    height, width = luma.shape
    chroma = [_repeat(p.float() - grey, height, width) for p in planes[1:]]
    ycc = torch.stack([luma - black, *chroma])
    return torch.einsum("ij,jhw->ihw", torch.linalg.inv(rgb_to_ycc(coding)).to(ycc), ycc)


def add_rgb_residual(
    planes: Sequence[Tensor], residual: Tensor, strength: float, coding: Coding
) -> list[Tensor]:
    """Planes plus an RGB residual (3, H, W), chroma reduced to the mean of what repeats it."""
    peak = (1 << coding.depth) - 1
    if coding.matrix == Matrix.RGB:
        changes = list(residual * peak)
    elif len(planes) == 1:
        changes = [residual.mean(dim=0) * spans(coding)[0]]
    else:
        ycc = torch.einsum("ij,jhw->ihw", rgb_to_ycc(coding).to(residual), residual)
        changes = [ycc[0], *(_reduce(c, p.shape) for c, p in zip(ycc[1:], planes[1:], strict=True))]
    return [add_residual(p, c, strength, peak) for p, c in zip(planes, changes, strict=True)]


def _slots(n: int) -> tuple[tuple[int, int, int, int], ...]:
    """(plane, unshuffle factor, first map, one past the last)."""
    luma, chroma = n * n, n * n // 4
    return (
        (0, n, 0, luma),
        (1, n // 2, luma, luma + chroma),
        (2, n // 2, luma + chroma, luma + 2 * chroma),
    )


_ITEMS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _wide(samples: Tensor, side: int) -> Tensor:
    """`side` neighbouring samples as one item, so that a transposition moves fewer, larger ones."""
    return samples.view(_ITEMS[side * samples.element_size()])


def _pad(plane: Tensor, height: int, width: int) -> Tensor:
    if plane.shape == (height, width):
        return plane.contiguous()
    h, w = plane.shape
    padded = plane.new_empty(height, width)
    padded[:h, :w] = plane
    padded[:h, w:] = plane[:, -1:]
    padded[h:] = padded[h - 1]
    return padded


def _repeat(plane: Tensor, height: int, width: int) -> Tensor:
    y = -(-height // plane.shape[0])
    x = -(-width // plane.shape[1])
    return plane.repeat_interleave(y, 0).repeat_interleave(x, 1)[:height, :width]


def _reduce(plane: Tensor, size: Sequence[int]) -> Tensor:
    """Mean of each block that one sample of the reduced plane was repeated to."""
    if plane.shape == tuple(size):
        return plane
    y, x = -(-plane.shape[0] // size[0]), -(-plane.shape[1] // size[1])
    padded = F.pad(
        plane[None], (0, size[1] * x - plane.shape[1], 0, size[0] * y - plane.shape[0]), "replicate"
    )
    return F.avg_pool2d(padded, (y, x))[0]
