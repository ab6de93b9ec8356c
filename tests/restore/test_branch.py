"""One branch on frames: formats, orientation, tiles, and memory that runs out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from streamrestore import planes as native
from streamrestore.compute import Compute
from streamrestore.frames import ColorInfo, Frame, FrameBatch, Matrix, PixelFormat, Range
from streamrestore.networks.addunet import AddUNet
from streamrestore.networks.expertnet import ExpertNet
from streamrestore.networks.hazenet import HazeNet
from streamrestore.networks.rgb import RgbNetwork
from streamrestore.restore import branch as branches
from streamrestore.restore.branch import BranchRunner
from tests.networks.nets import (
    small_addunet,
    small_expertnet,
    small_hazenet,
    small_paper_addunet,
    small_uffn,
)

CPU = Compute(torch.device("cpu"), torch.float32, 1, ())
BF16 = Compute(torch.device("cpu"), torch.bfloat16, 1, ())

FORMATS = {
    "420": PixelFormat("yuv", 8, 1, 1),
    "422": PixelFormat("yuv", 8, 1, 0),
    "440": PixelFormat("yuv", 8, 0, 1),
    "444": PixelFormat("yuv", 8),
    "420 10 bit": PixelFormat("yuv", 10, 1, 1),
    "422 12 bit": PixelFormat("yuv", 12, 1, 0),
    "gray": PixelFormat("gray", 8),
    "gray 16 bit": PixelFormat("gray", 16),
    "rgb": PixelFormat("rgb", 8),
    "rgb 10 bit": PixelFormat("rgb", 10),
}
LIMITED = ColorInfo(matrix=Matrix.BT709, range=Range.LIMITED)
FULL = ColorInfo(matrix=Matrix.BT601, range=Range.FULL)


def make_batch(
    format: PixelFormat,
    size: tuple[int, int] = (48, 64),
    *,
    frames: int = 1,
    rotation: int = 0,
    color: ColorInfo = LIMITED,
    seed: int = 0,
) -> FrameBatch:
    """Frames of (height, width) with codes over the whole range."""
    random = np.random.default_rng(seed)
    height, width = size
    pictures = tuple(
        Frame(
            tuple(
                random.integers(0, format.peak + 1, plane).astype(format.dtype)
                for plane in format.plane_sizes(width, height)
            ),
            pts=40 * index,
            index=index,
        )
        for index in range(frames)
    )
    return FrameBatch(pictures, width, height, format, Fraction(1, 1000), color, rotation)


def turned(batch: FrameBatch, turns: int) -> FrameBatch:
    """The same pictures, stored as they are displayed."""
    frames = tuple(
        Frame(tuple(np.rot90(p, turns).copy() for p in f.planes), f.pts, index=f.index) for f in batch.frames
    )
    if turns % 2 == 0:
        return replace(batch, frames=frames, rotation=0)
    sideways = replace(batch.format, shift_x=batch.format.shift_y, shift_y=batch.format.shift_x)
    return replace(batch, frames=frames, width=batch.height, height=batch.width, format=sideways, rotation=0)


def difference(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Greatest difference of two pictures' samples."""
    pairs = ((np.asarray(x, np.int64), np.asarray(y, np.int64)) for x, y in zip(a, b, strict=True))
    return max(int(np.abs(x - y).max()) for x, y in pairs)


class Grey(nn.Module):
    """A network that knows what it does: it brightens by a constant and has no other effect."""

    branches, unshuffle, frames, steady, multiple_of, halo = ("noise",), 4, 1, 1, 16, 0
    tileable = True

    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount
        self.register_buffer("outward", torch.eye(48))

    def prepare(self, x: Tensor, branch: str, gates: Sequence[float] | None = None) -> None:
        """Nothing."""

    def folded(self, inward: Tensor, outward: Tensor) -> Grey:
        """Writes a constant in RGB."""
        assert torch.allclose(outward @ inward, torch.eye(inward.shape[1], dtype=torch.float64))
        folded = Grey(self.amount)
        folded.outward = outward.float()
        return folded

    def forward(self, x: Tensor, _branch: str, _context: object = None) -> Tensor:
        """The same everywhere."""
        change = self.outward.float() @ torch.full((48,), self.amount)
        return change.to(x.dtype)[None, :, None, None].expand(x.shape)


NETWORKS = [
    pytest.param(small_addunet, id="addunet"),
    pytest.param(small_expertnet, id="expertnet"),
    pytest.param(small_hazenet, id="hazenet"),
    pytest.param(functools.partial(small_hazenet, steady=3), id="steady"),
    pytest.param(functools.partial(small_expertnet, unshuffle=2), id="finer"),
    pytest.param(functools.partial(small_expertnet, temporal_radius=2), id="with a past"),
]


class TestFormats:
    """Every way that pictures are stored."""

    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize("size", [(16, 16), (48, 64), (33, 47)])
    def test_a_known_change(self, name: str, size: tuple[int, int]) -> None:
        """Brightening by a tenth moves luma by a tenth of its span, chroma not at all; size and type stay."""
        stored = FORMATS[name]
        batch = make_batch(stored, size, frames=2)

        restored = BranchRunner(Grey(0.1), "noise", CPU).restore_planes(batch, 1.0)

        span = stored.peak if stored.model == "rgb" else 219 * 2 ** (stored.depth - 8)
        for frame, planes in zip(batch.frames, restored, strict=True):
            for index, (before, after) in enumerate(zip(frame.planes, planes, strict=True)):
                moves = index == 0 or stored.model == "rgb"
                expected = np.clip(np.rint(before + 0.1 * span * moves), 0, stored.peak)
                assert after.numpy().dtype == before.dtype
                assert after.shape == before.shape
                assert np.abs(after.numpy() - expected).max() <= (1 if stored.depth > 12 else 0)

    @pytest.mark.parametrize("name", FORMATS)
    def test_strength(self, name: str) -> None:
        """The residual times the strength; half of it moves half as far."""
        batch = make_batch(FORMATS[name])
        runner = BranchRunner(small_addunet(), "noise", CPU)

        half, whole = (np.asarray(runner.restore_planes(batch, s)[0][0], np.int64) for s in (0.5, 1.0))
        before = np.asarray(batch.frames[0].planes[0], np.int64)

        free = (whole > 0) & (whole < FORMATS[name].peak)
        assert np.abs((whole - before) - 2 * (half - before))[free].max() <= 2
        assert np.abs(whole - before).max() > 4

    def test_the_given_planes_are_left_alone(self) -> None:
        """They belong to the decoder."""
        batch = make_batch(FORMATS["420"])
        before = [p.copy() for p in batch.frames[0].planes]
        for plane in batch.frames[0].planes:
            plane.flags.writeable = False

        (restored,) = BranchRunner(small_addunet(), "noise", CPU).restore_planes(batch, 1.0)

        assert difference(before, batch.frames[0].planes) == 0
        assert not any(
            np.shares_memory(new.numpy(), old)
            for new, old in zip(restored, batch.frames[0].planes, strict=True)
        )

    def test_tensors_are_taken(self) -> None:
        """Planes of a decoder on the GPU are tensors."""
        batch = make_batch(FORMATS["420"])
        tensors = FrameBatch(
            (Frame(tuple(torch.from_numpy(p) for p in batch.frames[0].planes), 0),),
            batch.width, batch.height, batch.format, batch.time_base, batch.color,
        )  # fmt: skip
        runner = BranchRunner(small_addunet(), "noise", CPU)

        (a,), (b,) = (runner.restore_planes(x, 1.0) for x in (batch, tensors))

        assert difference(a, b) == 0


class TestTwoWays:
    """The same weights on planes (24 maps) and on RGB (48)."""

    @pytest.mark.parametrize("make", NETWORKS)
    @pytest.mark.parametrize("color", [LIMITED, FULL], ids=["709 limited", "601 full"])
    @pytest.mark.parametrize("size", [(48, 64), (37, 51), (16, 16)])
    def test_they_agree(self, make: Any, color: ColorInfo, size: tuple[int, int]) -> None:
        """At 16 bits, where rounding hides nothing: within a hundredth of an 8-bit code.

        Where a chroma sample lies half outside the picture they may differ: one way takes the mean of
        what the network says about the padding, too, the other of the border repeated.
        """
        network: AddUNet | ExpertNet | HazeNet = make()
        batch = make_batch(PixelFormat("yuv", 16, 1, 1), size, color=color)
        runner = BranchRunner(network, network.branches[-1], CPU)
        planes = [torch.from_numpy(p) for p in batch.frames[0].planes]
        rgb = native.to_rgb(planes, batch.coding)

        (fast,) = runner.restore_planes(batch, 1.0)
        plain = native.add_rgb_residual(planes, runner.residual(rgb[None])[0], 1.0, batch.coding)

        inside = [p[: size[0] // s, : size[1] // s] for p, s in zip(plain, (1, 2, 2), strict=True)]
        assert (
            difference([p[: q.shape[0], : q.shape[1]] for p, q in zip(fast, inside, strict=True)], inside)
            <= 2
        )
        assert difference(fast, planes) > 1000

    @pytest.mark.parametrize("depth", [8, 10])
    def test_bf16_is_near(self, depth: int) -> None:
        """On smooth pictures half precision differs from full precision by less than a code of 8 bits."""
        batch = make_batch(PixelFormat("yuv", depth, 1, 1))
        for plane in batch.frames[0].planes:
            y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
            plane[:] = ((100 + 40 * np.sin(x / 9) + 40 * np.cos(y / 7)) * 2 ** (depth - 8)).astype(
                plane.dtype
            )
        network = small_addunet()
        for layer in (network.from_features, network.from_input):
            layer.weight.mul_(0.1)  # residuals of usual size

        (a,), (b,) = (BranchRunner(network, "noise", c).restore_planes(batch, 1.0) for c in (CPU, BF16))

        assert difference(a, b) <= 2 ** (depth - 8)
        assert difference(a, batch.frames[0].planes) > 2


class TestPublished:
    """Networks that see RGB as it is, whatever the planes are."""

    @pytest.mark.parametrize("make", [small_uffn, small_paper_addunet])
    @pytest.mark.parametrize("name", ["420", "420 10 bit", "444", "gray", "rgb"])
    @pytest.mark.parametrize("size", [(16, 16), (33, 47)])
    def test_through_rgb(self, make: Any, name: str, size: tuple[int, int]) -> None:
        """Planes become RGB at full size, padded to even sides where the network asks for it, and back."""
        network: RgbNetwork = make()
        batch = make_batch(FORMATS[name], size)
        planes = [torch.from_numpy(p) for p in batch.frames[0].planes]
        rgb = native.to_rgb(planes, batch.coding)
        odd = (0, size[1] % network.multiple_of, 0, size[0] % network.multiple_of)
        padded = nn.functional.pad(rgb[None], odd, mode="replicate")
        residual = network(padded, network.branches[0])[0, :, : size[0], : size[1]]
        expected = native.add_rgb_residual(planes, residual, 1.0, batch.coding)

        (restored,) = BranchRunner(network, network.branches[0], CPU).restore_planes(batch, 1.0)

        assert [p.shape for p in restored] == [p.shape for p in planes]
        assert difference(restored, expected) <= 1  # another order of summation
        assert difference(restored, planes) > 2

    def test_gates(self) -> None:
        """The dial of the noise branch reaches it."""
        picture = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
        results = [
            BranchRunner(small_paper_addunet(), "noise", CPU, gates).residual(picture)
            for gates in (None, (1.0,) * 5, (0.0, 1.0, 1.0, 1.0, 1.0))
        ]

        assert torch.equal(results[0], results[1])
        assert not torch.allclose(results[0], results[2])

    def test_tiles_without_seams(self, recwarn: pytest.WarningsRecorder) -> None:
        """Of the additive U-Net they give what whole pictures give, and nobody is warned."""
        picture = torch.rand(1, 3, 90, 75, generator=torch.Generator().manual_seed(0))
        whole, tiled = (BranchRunner(small_paper_addunet(), "noise", CPU) for _ in range(2))
        tiled._tile = 32

        assert torch.allclose(whole.residual(picture), tiled.residual(picture), atol=1e-5)
        assert not recwarn

    def test_tiles_of_what_wants_whole_pictures(self, recwarn: pytest.WarningsRecorder) -> None:
        """UFFN normalises over the picture: tiles are better than nothing, but somebody has to know."""
        picture = torch.rand(1, 3, 64, 420, generator=torch.Generator().manual_seed(0))
        whole, tiled = (BranchRunner(small_uffn(width=4), "haze", CPU) for _ in range(2))
        tiled._tile = 64
        expected = whole.residual(picture)
        assert not recwarn

        with pytest.warns(RuntimeWarning, match="haze: too little memory for whole pictures"):
            result = tiled.residual(picture)

        assert result.shape == expected.shape
        assert not torch.allclose(result, expected, atol=1e-3)

    def test_whole_pictures_are_not_cut_early(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What tiles would change is guessed less generously: the same memory does for four times as much."""
        monkeypatch.setattr(branches, "free_memory", lambda _: 2 * 64 * 64 * branches.BYTES_PER_SAMPLE)
        picture = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
        shapes: list[tuple[int, ...]] = []
        for network in (small_uffn(width=4), small_paper_addunet(width=4)):
            network.register_forward_hook(lambda _, inputs, __: shapes.append(tuple(inputs[0].shape[-2:])))
            BranchRunner(network, network.branches[0], CPU).residual(picture)

        assert shapes[0] == (128, 128)
        assert len(shapes) == 1 + 4


class TestOrientation:
    """Networks see pictures as displayed."""

    @pytest.mark.parametrize("rotation", [90, 180, 270])
    @pytest.mark.parametrize("name", ["420", "422", "444", "420 10 bit", "gray", "rgb"])
    def test_turned_restored_and_turned_back(self, rotation: int, name: str) -> None:
        """A picture with a rotation tag is restored as the upright one, and stays stored as it was."""
        network = small_expertnet()
        runner = BranchRunner(network, "rain", CPU)
        batch = make_batch(FORMATS[name], rotation=rotation)
        turns = rotation // 90

        (sideways,) = runner.restore_planes(batch, 1.0)
        (upright,) = runner.restore_planes(turned(batch, turns), 1.0)

        assert [p.shape for p in sideways] == [p.shape for p in batch.frames[0].planes]
        back = [np.rot90(p.numpy(), -turns) for p in upright]
        assert difference(sideways, back) <= 1  # another order of summation
        (wrong,) = runner.restore_planes(make_batch(FORMATS[name]), 1.0)
        assert difference(sideways, wrong) > 0


LOOKING_BACK = {
    "expertnet": functools.partial(small_expertnet, temporal_radius=2),
    "hazenet": functools.partial(small_hazenet, steady=3),
}


class TestPast:
    """Networks that look back."""

    @pytest.mark.parametrize("make", LOOKING_BACK.values(), ids=LOOKING_BACK)
    @pytest.mark.parametrize("name", ["420", "444", "420 10 bit"])
    def test_in_one_go_or_in_parts(self, make: Any, name: str) -> None:
        """A batch knows its own past; of what came before it is told."""
        network = make()
        runner = BranchRunner(network, network.branches[0], CPU)
        batch = make_batch(FORMATS[name], frames=5)
        first, last = (replace(batch, frames=part) for part in (batch.frames[:3], batch.frames[3:]))

        whole = runner.restore_planes(batch, 1.0)

        parts = runner.restore_planes(first, 1.0) + runner.restore_planes(last, 1.0, first.frames)
        assert [difference(a, b) for a, b in zip(whole, parts, strict=True)] == [0] * 5
        for past in ((), first.frames[:2], first.frames[:1] * 2):  # none, another one, one twice
            assert difference(runner.restore_planes(last, 1.0, past)[0], whole[3]) > 0

    @pytest.mark.parametrize("make", LOOKING_BACK.values(), ids=LOOKING_BACK)
    def test_no_frame_is_looked_at_twice(self, make: Any) -> None:
        """Streams may take turns: what each one has shown is remembered; others' frames are not theirs."""
        network = make()
        seen = []
        runner = BranchRunner(network, network.branches[0], CPU)
        prepare = type(network).prepare
        one, other = (make_batch(FORMATS["420"], frames=6, seed=seed) for seed in (1, 2))
        expected = [runner.restore_planes(batch, 1.0) for batch in (one, other)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(network), "prepare", lambda *args: seen.append(args) or prepare(*args))
            for k in range(6):
                for batch, whole in zip((one, other), expected, strict=True):
                    frame, past = batch.frames[k : k + 1], batch.frames[max(0, k - 2) : k]
                    (planes,) = runner.restore_planes(replace(batch, frames=frame), 1.0, past)
                    assert difference(planes, whole[k]) == 0

        assert len(seen) == 12

    @pytest.mark.parametrize("make", NETWORKS)
    @pytest.mark.parametrize("name", ["420", "444", "420 10 bit"])
    def test_streams_together(self, make: Any, name: str) -> None:
        """Pictures of several streams go through at once, and each comes out as if it were alone."""
        network = make()
        runner = BranchRunner(network, network.branches[0], CPU)
        streams = [make_batch(FORMATS[name], frames=4, seed=seed) for seed in (1, 2, 3)]
        expected = [runner.restore_planes(batch, 1.0) for batch in streams]

        for k in range(4):
            together = replace(streams[0], frames=tuple(batch.frames[k] for batch in streams))
            found = runner.restore_each(together, 1.0, [batch.frames[:k] for batch in streams])
            for planes, whole in zip(found, expected, strict=True):
                assert difference(planes, whole[k]) <= 1  # another order of summation

    def test_without_a_past(self) -> None:
        """The first picture stands for those before it."""
        runner = BranchRunner(small_expertnet(temporal_radius=2), "rain", CPU)
        batch = make_batch(FORMATS["420"])

        (alone,) = runner.restore_planes(batch, 1.0)

        (told,) = runner.restore_planes(batch, 1.0, batch.frames * 2)
        assert difference(alone, told) == 0


class TestTiles:
    """Where memory asks for them."""

    @pytest.mark.parametrize("make", NETWORKS)
    @pytest.mark.parametrize("inner", [32, 36, 50])
    def test_no_seams(self, make: Any, inner: int) -> None:
        """In fp32 tiles give what whole pictures give: to the last bit here, a seam would be far more."""
        network: AddUNet | ExpertNet | HazeNet = make()
        size = (125 * network.unshuffle, 105 * network.unshuffle)
        picture = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(0))
        branch = network.branches[0]
        whole, tiled = (BranchRunner(network, branch, CPU) for _ in range(2))
        tiled._tile = inner
        spied = []
        network.register_forward_hook(lambda _, inputs, __: spied.append(inputs[0].shape[-2:]))

        a, b = whole.residual(picture), tiled.residual(picture)

        assert len(spied) > 4
        assert max(max(shape) for shape in spied[1:]) < 105
        assert float((a - b).abs().max()) <= 1e-5

    def test_large_pictures_are_tiled_from_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the free memory would not do; the result is the same."""
        network = small_addunet()
        shapes = []
        network.register_forward_hook(lambda _, inputs, __: shapes.append(tuple(inputs[0].shape[-2:])))
        batch = make_batch(FORMATS["420"], (400, 600))
        (whole,) = BranchRunner(network, "noise", CPU).restore_planes(batch, 1.0)
        assert shapes == [(100, 152)]

        monkeypatch.setattr(branches, "free_memory", lambda _: 2 * 50 * 50 * branches.BYTES_PER_SAMPLE)
        (tiled,) = BranchRunner(network, "noise", CPU).restore_planes(batch, 1.0)

        assert len(shapes) == 1 + 3 * 4
        assert difference(whole, tiled) <= 1

    @pytest.mark.parametrize(
        "error",
        [
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
            ),
        ],
        ids=["cuda", "cpu"],
    )
    def test_smaller_tiles_when_memory_runs_out(self, error: RuntimeError) -> None:
        """Tiles are halved until they fit; the next picture begins with what fitted."""
        network = small_addunet()
        picture = torch.rand(1, 3, 800, 800, generator=torch.Generator().manual_seed(0))
        expected = BranchRunner(network, "noise", CPU).residual(picture)
        sides: list[int] = []

        def limited(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            sides.append(max(inputs[0].shape[-2:]))
            if sides[-1] > 140:
                raise error

        network.register_forward_pre_hook(limited)
        runner = BranchRunner(network, "noise", CPU)

        assert torch.allclose(runner.residual(picture), expected, atol=1e-5)
        assert sides[0] == 200
        assert max(sides[-4:]) <= 140
        sides.clear()
        assert torch.allclose(runner.residual(picture), expected, atol=1e-5)
        assert max(sides) <= 140

    def test_too_little_memory_for_anything(self) -> None:
        """The smallest tile is tried; then the error is told, not hidden in a loop."""
        network = small_addunet()
        tries = []

        def full(*_: object) -> None:
            tries.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")

        network.register_forward_pre_hook(full)

        with pytest.raises(torch.OutOfMemoryError):
            BranchRunner(network, "noise", CPU).residual(torch.rand(1, 3, 512, 512))
        assert 1 < len(tries) < 6

    def test_other_errors_are_not_retried(self) -> None:
        """What is wrong on a picture is wrong on tiles."""
        network = small_addunet()
        tries = []

        def broken(*_: object) -> None:
            tries.append(1)
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

        network.register_forward_pre_hook(broken)

        with pytest.raises(RuntimeError, match="mat1"):
            BranchRunner(network, "noise", CPU).residual(torch.rand(1, 3, 512, 512))
        assert len(tries) == 1


def test_networks_are_folded_once() -> None:
    """Per coding, not per frame."""
    network = small_addunet()
    folded = []
    original = network.folded
    network.folded = lambda *m: folded.append(1) or original(*m)  # type: ignore[method-assign]
    runner = BranchRunner(network, "noise", CPU)

    for color in (LIMITED, FULL, LIMITED):
        runner.restore_planes(make_batch(FORMATS["420"], frames=3, color=color), 1.0)

    assert len(folded) == 2


def test_gates_reach_the_network() -> None:
    """The denoiser's dial changes the result; multipliers of 1 do not."""
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    results = [
        BranchRunner(small_addunet(), "noise", CPU, gates).residual(picture)
        for gates in (None, (1.0, 1.0, 1.0), (0.0, 1.0, 1.0))
    ]

    assert torch.equal(results[0], results[1])
    assert not torch.allclose(results[0], results[2])
