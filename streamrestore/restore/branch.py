"""One branch of a network on pictures: native 4:2:0 planes, any other planes, or RGB."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore import planes as native
from streamrestore.compute import Compute, free_memory, is_out_of_memory
from streamrestore.frames import Coding, Frame, FrameBatch, PixelFormat
from streamrestore.restore.tiling import tiles
from streamrestore.seams import Network

BYTES_PER_SAMPLE = 8192
"""Working memory of a network for each sample of its unshuffled input, generously."""
BYTES_PER_SAMPLE_OF_WHOLE = 2048
"""Likewise of networks that are not `tileable`, less generously, so that they do get whole pictures."""
MEMORIES = 16
"""Clips or streams, interleaved, whose last frames need not be looked at again."""
SMALLEST_TILE = 32
"""Of unshuffled samples; below, the halo is most of the work."""

FAST_FORMATS = {PixelFormat("yuv", depth, 1, 1) for depth in (8, 9, 10, 12, 14, 16)}


class _Memory:
    """Of the last frames of a clip. The oldest one's maps stand for those that are missing.

    Attributes:
        kind: what frames must have in common.
        frames: which ones are remembered.
    """

    def __init__(self, network: Network, kind: object) -> None:
        self.kind = kind
        self.frames: deque[Frame] = deque(maxlen=_past(network))
        self._count = network.frames
        self._maps: deque[Tensor] = deque(maxlen=network.frames)
        self._contexts: deque[Tensor] = deque(maxlen=network.steady)

    def ends_with(self, frames: Sequence[Frame], kind: object) -> bool:
        """Whether just these, of this kind, are remembered."""
        same = len(frames) == len(self.frames) and all(
            a is b for a, b in zip(frames, self.frames, strict=True)
        )
        return same and kind == self.kind

    def add(self, maps: Tensor) -> Tensor:
        """Maps of the next frame (1, C, h, w) -> of all, the present first, (1, C T, h, w)."""
        if self._count == 1:
            return maps
        self._maps.append(maps)
        known = [*reversed(self._maps)]
        return torch.cat(known + known[-1:] * (self._count - len(known)), dim=1)

    def steadied(self, context: Tensor | None) -> Tensor | None:
        """The mean of this context and those before."""
        if context is None or self._contexts.maxlen == 1:
            return context
        self._contexts.append(context)
        return torch.stack([*self._contexts]).mean(dim=0)


def _past(network: Network) -> int:
    return max(network.frames, network.steady) - 1


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
        self._memories: deque[_Memory] = deque(maxlen=MEMORIES)
        self._tile = 0  # of unshuffled samples; 0: whole pictures

    @property
    def past(self) -> int:
        """How many frames before the present one the network looks at."""
        return _past(self._network)

    @torch.inference_mode()
    def restore_planes(
        self, batch: FrameBatch, strength: float, past: Sequence[Frame] = ()
    ) -> list[list[Tensor]]:
        """Restored planes of each frame, of the same sizes and type, on the compute device.

        Pictures are turned as displayed for the network, and back.

        Args:
            past: frames of the same kind before the batch, in the order of time. Where there are too
                few, the first one known stands for those that are missing.
        """
        memory = self._memory_after(past[max(0, len(past) - self.past) :], batch)
        restored = [self._restored(frame, batch, strength, memory) for frame in batch.frames]
        if self.past:
            self._memories.append(memory)
        return restored

    @torch.inference_mode()
    def restore_each(
        self, batch: FrameBatch, strength: float, pasts: Sequence[Sequence[Frame]]
    ) -> list[list[Tensor]]:
        """Likewise, of frames that have nothing to do with each other, in one run of the network.

        Args:
            pasts: of each frame, those of its own stream before it.
        """
        clips = [replace(batch, frames=(frame,)) for frame in batch.frames]
        if len(clips) == 1 or self._gates is not None or not self._packs(batch):
            return [
                self.restore_planes(clip, strength, past)[0] for clip, past in zip(clips, pasts, strict=True)
            ]
        turns, network = batch.rotation // 90, self._network_for(batch.coding)
        planes, codes, seen = [], [], []
        for frame, past, clip in zip(batch.frames, pasts, clips, strict=True):
            memory = self._memory_after(past[max(0, len(past) - self.past) :], clip)
            memory.frames.append(frame)
            planes.append([native.turned(self._tensor(plane), turns) for plane in frame.planes])
            codes.append(native.pack(planes[-1], self._network.multiple_of, self._network.unshuffle))
            maps = native.centred(codes[-1], batch.coding, self._compute.dtype)
            seen.append(self._seen(network, maps, memory))
            if self.past:
                self._memories.append(memory)
        x = torch.cat([x for x, _ in seen]).contiguous(memory_format=torch.channels_last)
        contexts = [context for _, context in seen if context is not None]
        residuals = self._run(network, x, torch.cat(contexts) if contexts else None)
        out = []
        for given, code, residual in zip(planes, codes, residuals, strict=True):
            done = self._added(given, code, residual, strength, batch.coding)
            out.append([native.turned(plane, -turns).contiguous() for plane in done])
        return out

    @torch.inference_mode()
    def residuals(self, clip: Iterable[Tensor], past: Sequence[Tensor] = ()) -> Iterator[Tensor]:
        """Residuals (3, H, W) of frames (3, H, W), RGB float32, nominally in [0, 1], one after the other.

        Args:
            past: as of `restore_planes`.
        """
        memory, network = _Memory(self._network, None), self._network_for(None)
        for rgb in past[max(0, len(past) - self.past) :]:
            self._seen(network, self._rgb_maps(rgb), memory)
        for rgb in clip:
            x, context = self._seen(network, self._rgb_maps(rgb), memory)
            yield self._rgb_residual(x, context, rgb)

    def residual(self, clip: Tensor) -> Tensor:
        """Residual (1, 3, H, W) of the last of some frames (T, 3, H, W)."""
        (last,) = self.residuals(clip[-1:], [*clip[:-1]])
        return last[None]

    def _memory_after(self, past: Sequence[Frame], batch: FrameBatch) -> _Memory:
        """What is remembered of the past of a batch; it is looked at again if that was forgotten."""
        kind = (batch.format, batch.coding, batch.rotation)
        for memory in self._memories:
            if memory.ends_with(past, kind):
                self._memories.remove(memory)
                return memory
        memory = _Memory(self._network, kind)
        for frame in past:
            self._restored(frame, batch, None, memory)
        return memory

    def _restored(
        self, frame: Frame, batch: FrameBatch, strength: float | None, memory: _Memory
    ) -> list[Tensor]:
        """Restored planes; none if there is no strength, and the frame is only to be remembered."""
        turns = batch.rotation // 90
        planes = [native.turned(self._tensor(plane), turns) for plane in frame.planes]
        through = self._through_planes if self._packs(batch) else self._through_rgb
        memory.frames.append(frame)
        out = through(planes, batch.coding, strength, memory)
        return [native.turned(plane, -turns).contiguous() for plane in out]

    def _packs(self, batch: FrameBatch) -> bool:
        """Whether planes go in as they are: blocks of chroma are needed for that."""
        return batch.format in FAST_FORMATS and self._network.unshuffle % 2 == 0

    def _through_planes(
        self, planes: list[Tensor], coding: Coding, strength: float | None, memory: _Memory
    ) -> list[Tensor]:
        codes = native.pack(planes, self._network.multiple_of, self._network.unshuffle)
        network = self._network_for(coding)
        x, context = self._seen(network, native.centred(codes, coding, self._compute.dtype), memory)
        if strength is None:
            return []
        return self._added(planes, codes, self._run(network, x, context)[0], strength, coding)

    def _added(
        self, planes: list[Tensor], codes: Tensor, residual: Tensor, strength: float, coding: Coding
    ) -> list[Tensor]:
        """Planes of the sizes of those that were packed as `codes`, with the residual."""
        result = native.add_residual(codes, residual, strength, (1 << coding.depth) - 1)
        return native.unpack(result, [(p.shape[0], p.shape[1]) for p in planes], self._network.unshuffle)

    def _through_rgb(
        self, planes: list[Tensor], coding: Coding, strength: float | None, memory: _Memory
    ) -> list[Tensor]:
        """Likewise, for planes that `native.pack` does not know, and networks that it does not serve."""
        rgb = native.to_rgb(planes, coding)
        x, context = self._seen(self._network_for(None), self._rgb_maps(rgb), memory)
        if strength is None:
            return []
        return native.add_rgb_residual(planes, self._rgb_residual(x, context, rgb), strength, coding)

    def _seen(self, network: Network, maps: Tensor, memory: _Memory) -> tuple[Tensor, Tensor | None]:
        """What a network sees of a frame and those before it, and its context."""
        x = memory.add(maps)
        return x, memory.steadied(network.prepare(x, self._branch, self._gates))

    def _rgb_maps(self, rgb: Tensor) -> Tensor:
        """(3, H, W) -> (1, 3 n^2, h, w)."""
        height, width = rgb.shape[-2:]
        multiple = self._network.multiple_of
        padded = F.pad(rgb[None], (0, -width % multiple, 0, -height % multiple), mode="replicate")
        maps = F.pixel_unshuffle(padded.to(self._compute.device), self._network.unshuffle)
        return maps.to(self._compute.dtype).contiguous(memory_format=torch.channels_last)

    def _rgb_residual(self, x: Tensor, context: Tensor | None, like: Tensor) -> Tensor:
        """(3, H, W), of the size of a picture."""
        residual = self._run(self._network_for(None), x, context).float()
        pictures = F.pixel_shuffle(residual, self._network.unshuffle)[0]
        return pictures[..., : like.shape[-2], : like.shape[-1]]

    def _tensor(self, plane: object) -> Tensor:
        return torch.from_dlpack(plane).to(self._compute.device)  # type: ignore[attr-defined]

    def _network_for(self, coding: Coding | None) -> Network:
        """The network folded for planes of a coding, or (None) for unshuffled RGB."""
        if coding not in self._folded:
            if coding is None:
                identity = torch.eye(3 * self._network.unshuffle**2, dtype=torch.float64)
                matrices = (identity, identity)
            else:
                matrices = native.unshuffled_matrices(coding, self._network.unshuffle)
            module = cast("nn.Module", self._network.folded(*matrices))
            module = module.to(self._compute.device, self._compute.dtype)
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._folded[coding] = cast("Network", module)
        return self._folded[coding]

    def _run(self, network: Network, x: Tensor, context: Tensor | None) -> Tensor:
        """(1, C T, h, w) -> (1, C, h, w), on tiles if memory asks for it."""
        height, width = x.shape[-2:]
        tile = self._tile
        needed = BYTES_PER_SAMPLE if network.tileable else BYTES_PER_SAMPLE_OF_WHOLE
        if not tile and x[:, 0].numel() * needed > free_memory(x.device) // 2:
            tile = _fitting_tile(free_memory(x.device) // 2)
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
        if not network.tileable:
            words = f"{self._branch}: too little memory for whole pictures; tiles of them may differ visibly"
            warnings.warn(words, RuntimeWarning, stacklevel=2)
        n, (height, width) = self._network.unshuffle, (x.shape[-2], x.shape[-1])
        multiple, halo = self._network.multiple_of // n, -(-self._network.halo // n)
        if context is not None and context.ndim == 4:
            context = F.interpolate(context, (height, width), mode="bilinear")
        out = None
        for tile in tiles(height, width, inner, halo, multiple):
            rows, columns = tile.rows, tile.columns
            place = (..., slice(rows.start, rows.stop), slice(columns.start, columns.stop))
            part = x[place].contiguous(memory_format=torch.channels_last)
            y = network(
                part, self._branch, context if context is None or context.ndim < 4 else context[place]
            )
            if out is None:
                out = y.new_empty((*y.shape[:2], height, width)).contiguous(memory_format=torch.channels_last)
            inner_part = y[..., rows.kept, columns.kept]
            out[..., rows.inner_start : rows.inner_stop, columns.inner_start : columns.inner_stop] = (
                inner_part
            )
        assert out is not None
        return out


def _fitting_tile(memory: int) -> int:
    side = int((memory / BYTES_PER_SAMPLE) ** 0.5)
    return max(SMALLEST_TILE, side)
