"""UFFN against its formulas, and what its path router spares."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.errors import UsageError
from streamrestore.networks import uffn
from streamrestore.networks.uffn import UFFN, DilatedBlock, InstanceNorm, Smoothing, UFFNConfig, with_edges
from tests.networks.nets import lively, small_uffn

VARIANTS = ["own", "shared", "none"]


def normal(norm: nn.Module, x: Tensor) -> Tensor:
    """InstanceNorm by its definition."""
    mean, var = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), keepdim=True, correction=0)
    weight, bias = (p[:, None, None] for p in (norm.weight, norm.bias))
    return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias


def by_formula(net: UFFN, x: Tensor, task: str) -> Tensor:
    """The module's docstring, with plain functions."""

    def layer(parts: nn.Sequential, value: Tensor, **more: Any) -> Tensor:
        return F.relu(normal(parts[1], F.conv2d(value, parts[0].weight, padding=1, **more)))

    def half(parts: nn.Sequential, value: Tensor, d: int) -> Tensor:
        smoothed = F.conv2d(value.flatten(0, 1)[:, None], parts[0].kernel, padding=d - 1)  # map by map
        smoothed = smoothed[:, 0].unflatten(0, value.shape[:2])
        return normal(parts[2], F.conv2d(smoothed, parts[1].weight, padding=d, dilation=d))

    def grouped(blocks: nn.Sequential, value: Tensor) -> Tensor:
        for block, d in zip(blocks, (1, 2, 4), strict=True):
            value = F.relu(value + half(block.second, F.relu(half(block.first, value, d)), d))
        return value

    def gated(gate: nn.Module, values: list[Tensor]) -> Tensor:
        if net.config.gates == "none":
            return values[-1]
        maps = F.conv2d(torch.cat(values, 1), gate.conv.weight, gate.conv.bias, padding=1)
        return sum(maps[:, i : i + 1] * value for i, value in enumerate(values))

    grey = 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]
    bordered = F.pad(grey, (0, 1, 0, 1), mode="replicate")
    edges = (bordered[..., :-1, 1:] - grey).abs() + (bordered[..., 1:, :-1] - grey).abs()
    f = torch.cat([x, edges], 1)
    for parts, stride in zip(net.encoder, (1, 1, 2), strict=True):
        f = layer(parts, f, stride=stride)
    branch = net.tasks[task]
    m = gated(net.gate1[task if net.config.gates == "own" else "all"], [grouped(e, f) for e in net.experts])
    a = grouped(branch.a, m)
    mixed = gated(branch.gate2, [m, a, grouped(branch.b, a)])
    up, norm, _, *last = branch.decoder
    value = F.relu(normal(norm, F.conv_transpose2d(mixed, up.weight, stride=2, padding=1)))
    return F.conv2d(layer(last, value), last[-1].weight, last[-1].bias)


@pytest.fixture
def pictures() -> Tensor:
    """Four of them, in float64."""
    return torch.rand(4, 3, 18, 22, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("gates", VARIANTS)
def test_formula(gates: Any, pictures: Tensor) -> None:
    """Each task of each ablation variant, by number."""
    net = small_uffn(gates=gates).double()

    assert len(net.experts) == (1 if gates == "none" else 3)
    for task in net.branches:
        assert torch.allclose(net(pictures, task), by_formula(net, pictures, task))


def test_edges() -> None:
    """A red step of 0.5 has its edge at the pixel before it, weighted as grey is; the border has none."""
    picture = torch.zeros(1, 3, 3, 4)
    picture[:, 0, :, 2:] = 0.5
    picture[:, :, 2] += 0.25

    edges = with_edges(picture)[0, 3]

    step = 0.299 * 0.5
    expected = [[0, step, 0, 0], [0.25, 0.25 + step, 0.25, 0.25], [0, step, 0, 0]]
    assert torch.allclose(edges, torch.tensor(expected))
    assert torch.equal(with_edges(picture)[:, :3], picture)


@pytest.mark.parametrize("side", [1, 3, 7])
def test_smoothing_starts_as_identity(side: int) -> None:
    """Before it is trained it changes nothing."""
    x = torch.randn(2, 5, 9, 8)

    assert torch.equal(Smoothing(side)(x), x)


def watch(net: UFFN) -> Counter[str]:
    """Pictures that each of the smallest submodules sees from now on."""
    seen: Counter[str] = Counter()
    for name, module in net.named_modules():
        if not list(module.children()) and name:

            def count(_: nn.Module, inputs: tuple[Any, ...], __: Tensor, name: str = name) -> None:
                first = inputs[0] if isinstance(inputs[0], Tensor) else inputs[0][0]
                seen[name] += len(first)

            module.register_forward_hook(count)
    return seen


def parts(net: UFFN, *prefixes: str) -> set[str]:
    """The smallest submodules of these."""
    smallest = [n for n, m in net.named_modules() if not list(m.children())]
    return {n for n in smallest if f"{n}.".startswith(tuple(f"{p}." for p in prefixes))}


class TestPaths:
    """Exactly one branch is computed for each picture."""

    @pytest.mark.parametrize("gates", VARIANTS)
    @pytest.mark.parametrize("task", ["rain", "raindrop"])
    def test_only_the_selected_branch_runs(self, gates: Any, task: str, pictures: Tensor) -> None:
        """Nothing of another task's branch or gates is called, nor the router; all of the task's own is."""
        net = small_uffn(gates=gates).double()
        seen = watch(net)

        net(pictures, task)

        gate1 = f"gate1.{task}" if gates == "own" else "gate1.all"
        assert set(seen) == parts(net, "encoder", "experts", f"tasks.{task}", gate1)
        assert set(seen.values()) == {4}

    def test_mixed_batch(self, pictures: Tensor) -> None:
        """Each picture passes its own branch once, and comes back at its place as if it were alone."""
        net = small_uffn().double()
        tasks = ["raindrop", "rain", "raindrop", "rain"]
        alone = [net(picture[None], task) for picture, task in zip(pictures, tasks, strict=True)]
        seen = watch(net)

        together = net(pictures, tasks)

        assert torch.allclose(together, torch.cat(alone))
        assert not parts(net, "tasks.haze", "gate1.haze") & set(seen)
        assert {seen[name] for name in parts(net, "tasks", "gate1") & set(seen)} == {2}
        assert {seen[name] for name in parts(net, "encoder", "experts")} == {4}

    def test_path_router(self, pictures: Tensor) -> None:
        """Where no branch is given, the greatest logit opens one."""
        net = small_uffn().double()
        with torch.no_grad():  # weights that tell these pictures apart
            net.router.linear.weight.mul_(100)
            net.router.linear.bias.copy_(-net.route(pictures).mean(dim=0))
        tasks = [net.branches[i] for i in net.route(pictures).argmax(dim=1)]
        assert len(set(tasks)) > 1
        expected = net(pictures, tasks)
        seen = watch(net)

        assert torch.equal(net(pictures), expected)
        opened = {name.split(".")[1] for name in seen if name.startswith("tasks.")}
        assert opened == set(tasks)
        assert parts(net, "router") <= set(seen)

    def test_joint(self, pictures: Tensor) -> None:
        """Labels open the branches whatever the router thinks; the encoder runs once for both."""
        net = small_uffn().double()
        tasks = ["haze", "rain", "haze", "haze"]
        expected = net(pictures, tasks), net.route(pictures)
        seen = watch(net)

        residual, logits = net.joint(pictures, tasks)

        assert torch.equal(residual, expected[0])
        assert torch.equal(logits, expected[1])
        assert logits.shape == (4, 3)
        assert seen["encoder.0.0"] == 4

    def test_gradients_stay_with_the_task(self, pictures: Tensor) -> None:
        """Other branches learn nothing from a picture that is not theirs."""
        net = small_uffn().double().requires_grad_(True)

        net(pictures, "haze").sum().backward()

        learnt = {name for name, p in net.named_parameters() if p.grad is not None}
        assert not [n for n in learnt if n.startswith(("tasks.rain", "gate1.rain", "router."))]
        assert {n for n, _ in net.named_parameters() if n.startswith(("tasks.haze.", "experts."))} <= learnt


def test_normalisation() -> None:
    """Groups of one map are InstanceNorm, to rounding, in either memory format and in bf16."""
    x = 3 + 2 * torch.randn(2, 6, 15, 17, generator=torch.Generator().manual_seed(0))
    norm = lively(InstanceNorm(6))
    expected = F.instance_norm(x.double(), weight=norm.weight.double(), bias=norm.bias.double())

    for layout in (torch.contiguous_format, torch.channels_last):
        for dtype, limit in ((torch.float32, 1e-5), (torch.bfloat16, 3e-2)):
            result = copy.deepcopy(norm).to(dtype)(x.to(dtype, memory_format=layout))
            assert float((result.double() - expected).abs().max()) < limit


def test_gradients_of_a_block_in_bf16() -> None:
    """Of dilated, smoothed and normalised layers, channels last, within 2e-2 (kinks apart).

    torch has wrong ones for dilated depthwise convolutions in bf16; the smoothing is depthwise, but
    not dilated, and what is dilated is dense.
    """
    block = lively(DilatedBlock(64, 4)).requires_grad_(True).to(memory_format=torch.channels_last)
    random = torch.Generator().manual_seed(2)
    x = torch.randn(1, 64, 24, 24, generator=random).to(memory_format=torch.channels_last)
    results = []
    for bf16 in (False, True):
        block.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16), pytest.MonkeyPatch.context() as patch:
            patch.setattr(F, "relu", lambda value: value)
            y = block(x)
        y.float().pow(3).mean().backward()
        results.append({n: p.grad.clone() for n, p in block.named_parameters()})
    for name, exact in results[0].items():
        assert float((results[1][name] - exact).norm() / exact.norm()) < 2e-2, name


def test_it_has_no_dial() -> None:
    """Its gates follow from the picture."""
    with pytest.raises(UsageError, match="additive U-Net only"):
        small_uffn().prepare(torch.zeros(1, 3, 8, 8), "rain", (1.0,))


def test_variants_differ_in_gates_alone() -> None:
    """What an ablation leaves out is gates, and with them the experts but one."""
    names = {
        gates: {n for n, _ in UFFN(UFFNConfig(width=8, gates=gates)).named_parameters()}  # type: ignore[arg-type]
        for gates in VARIANTS
    }

    owners = ("rain", "haze", "raindrop", "all")
    gates1 = {f"gate1.{owner}.conv.{kind}" for owner in owners for kind in ("weight", "bias")}
    assert names["own"] ^ names["shared"] == gates1
    assert names["none"] < names["shared"]
    missing = {n.split(".")[0] + n.split(".")[1] for n in names["shared"] - names["none"]}
    assert missing == {"gate1all", "experts1", "experts2", "tasksrain", "taskshaze", "tasksraindrop"}


def test_learning_is_the_same_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is faster to learn on a CPU gives what is faster to run, and the same gradients."""
    network, x = small_uffn().requires_grad_(True).double(), torch.rand(2, 3, 24, 32, dtype=torch.float64)

    def learnt() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        network.zero_grad()
        residual = network(x, "haze")
        residual.square().sum().backward()
        return residual.detach(), {n: p.grad for n, p in network.named_parameters() if p.grad is not None}

    residual, gradients = learnt()
    with torch.no_grad():
        assert torch.allclose(network(x, "haze"), residual, atol=1e-9)
    monkeypatch.setattr(uffn, "learns_on_cpu", lambda *_: False)
    plain, expected = learnt()

    assert torch.allclose(plain, residual, atol=1e-9)
    assert gradients.keys() == expected.keys()
    assert all(torch.allclose(gradients[name], value, atol=1e-7) for name, value in expected.items())
