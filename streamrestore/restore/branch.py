"""One branch of a network on pictures: native 4:2:0 planes, any other planes, or RGB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore import planes as native
from streamrestore.compute import Compute, free_memory, is_out_of_memory
from streamrestore.frames import Coding, FrameBatch, PixelFormat
from streamrestore.restore.tiling import Tile, tiles
from streamrestore.seams import Network

UNSHUFFLE = 4
BYTES_PER_SAMPLE = 8192
"""Working memory of a network for each sample of its unshuffled input, generously."""
SMALLEST_TILE = 32
"""Of unshuffled samples; below, the halo is most of the work."""

FAST_FORMATS = {PixelFormat("yuv", depth, 1, 1) for depth in (8, 9, 10, 12, 14, 16)}


class BranchRunner:
    """Runs one branch of a network.

    Args:
        network: in its own basis, fp32, on the CPU.
        branch: which of its branches.
        compute: device and precision.
        gates: multipliers of the denoiser's gates.
    """

    def __init__(
        self, network: Network, branch: str, compute: Compute, gates: Sequence[float] | None = None
    ) -> None:
        self._network = network
        self._branch = branch
        self._compute = compute
        self._gates = tuple(gates) if gates is not None else None
        self._folded: dict[Coding | None, Network] = {}
        self._tile = 0  # of unshuffled samples; 0: whole pictures

    @torch.inference_mode()
    def restore_planes(self, batch: FrameBatch, strength: float) -> list[list[Tensor]]:
        """Restored planes of each frame, of the same sizes and type, on the compute device.

        Pictures are turned as displayed for the network, and back.
        """
        turns = batch.rotation // 90
        restored = []
        for frame in batch.frames:
            planes = [native.turned(self._tensor(p), turns) for p in frame.planes]
            if batch.format in FAST_FORMATS:
                out = self._through_planes(planes, batch.coding, strength)
            else:
                rgb = native.to_rgb(planes, batch.coding)
                residual = self.residual(rgb[None])[0]
                out = native.add_rgb_residual(planes, residual, strength, batch.coding)
            restored.append([native.turned(p, -turns).contiguous() for p in out])
        return restored

    @torch.inference_mode()
    def residual(self, rgb: Tensor) -> Tensor:
        """Residual of RGB pictures, both (N, 3, H, W) float32, nominally in [0, 1]."""
        height, width = rgb.shape[-2:]
        multiple = self._network.multiple_of
        padded = F.pad(rgb, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        maps = F.pixel_unshuffle(padded.to(self._compute.device), UNSHUFFLE)
        x = maps.to(self._compute.dtype).contiguous(memory_format=torch.channels_last)
        residual = self._run(self._network_for(None), x).float()
        return F.pixel_shuffle(residual, UNSHUFFLE)[..., :height, :width]

    def _through_planes(self, planes: list[Tensor], coding: Coding, strength: float) -> list[Tensor]:
        codes = native.pack(planes, self._network.multiple_of)
        x = native.centred(codes, coding, self._compute.dtype)
        residual = self._run(self._network_for(coding), x)[0]
        result = native.add_residual(codes, residual, strength, (1 << coding.depth) - 1)
        return native.unpack(result, [(p.shape[0], p.shape[1]) for p in planes])

    def _tensor(self, plane: object) -> Tensor:
        return torch.from_dlpack(plane).to(self._compute.device)  # type: ignore[attr-defined]

    def _network_for(self, coding: Coding | None) -> Network:
        """The network folded for planes of a coding, or (None) for unshuffled RGB."""
        if coding not in self._folded:
            if coding is None:
                identity = torch.eye(native.RGB_MAPS, dtype=torch.float64)
                matrices = (identity, identity)
            else:
                matrices = native.unshuffled_matrices(coding)
            module = cast("nn.Module", self._network.folded(*matrices))
            module = module.to(self._compute.device, self._compute.dtype)
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._folded[coding] = cast("Network", module)
        return self._folded[coding]

    def _run(self, network: Network, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w), on tiles if memory asks for it."""
        context = network.prepare(x, self._branch, self._gates)
        height, width = x.shape[-2:]
        tile = self._tile
        if not tile and x[:, 0].numel() * BYTES_PER_SAMPLE > free_memory(x.device) // 2:
            tile = _fitting_tile(free_memory(x.device) // 2, x.shape[0])
        while True:
            try:
                if not tile or tile >= max(height, width):
                    return network(x, self._branch, context)
                return self._run_tiles(network, x, context, tile)
            except RuntimeError as error:
                smaller = (tile or max(height, width)) // 2
                if not is_out_of_memory(error) or smaller < SMALLEST_TILE:
                    raise
                self._tile = tile = smaller

    def _run_tiles(self, network: Network, x: Tensor, context: Tensor | None, inner: int) -> Tensor:
        out = torch.empty_like(x, memory_format=torch.channels_last)
        multiple = self._network.multiple_of // UNSHUFFLE
        halo = -(-self._network.halo // UNSHUFFLE)
        for tile in tiles(x.shape[-2], x.shape[-1], inner, halo, multiple):
            rows, columns = tile.rows, tile.columns
            part = x[..., rows.start : rows.stop, columns.start : columns.stop]
            part = part.contiguous(memory_format=torch.channels_last)
            y = network(part, self._branch, _part_of(context, x.shape[-2], tile))
            inner_part = y[..., rows.kept, columns.kept]
            out[..., rows.inner_start : rows.inner_stop, columns.inner_start : columns.inner_stop] = (
                inner_part
            )
        return out


def _part_of(context: Tensor | None, height: int, tile: Tile) -> Tensor | None:
    """What of a whole picture's context belongs to a tile; see `seams.Network.prepare`."""
    if context is None or context.ndim != 4:
        return context
    k = height // context.shape[-2]
    rows, columns = tile.rows, tile.columns
    return context[..., rows.start // k : rows.stop // k, columns.start // k : columns.stop // k]


def _fitting_tile(memory: int, pictures: int) -> int:
    side = int((memory / (BYTES_PER_SAMPLE * pictures)) ** 0.5)
    return max(SMALLEST_TILE, side)
