"""Gradients in bf16, as training computes them, against fp32.

Layer by layer they agree within one per cent (a kernel of torch that is wrong, as one is for dilated
depthwise convolutions, is off by far more). Through a whole network they do not, and for a reason that
is no defect: forward values rounded to eight bits lie on the other side of a (leaky) ReLU's kink in
some places, and there the gradient is ten times another. With the kinks taken out they agree again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from streamrestore.networks import blocks, registry
from streamrestore.networks.addunet import AddUNet
from streamrestore.networks.basis import from_basis, to_basis
from streamrestore.networks.expertnet import ExpertNet
from streamrestore.networks.hazenet import HazeNet
from streamrestore.networks.rgb import RgbNetwork
from streamrestore.networks.uffn import UFFN, Smoothing
from tests.networks.nets import lively
from training.losses import charbonnier

CASES = [
    ("addunet", "noise"),
    ("expertnet", "rain"),
    ("hazenet", "haze"),
    ("uffn", "rain"),
    ("addunet-paper", "noise"),
    ("plainunet", "noise"),
    ("dncnn", "noise"),
]


def pictures(count: int, side: int) -> tuple[Tensor, Tensor]:
    """Smooth pictures with noise, and without."""
    random = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, side // 8, side // 8, generator=random)
    clean = nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)
    return clean + 0.1 * torch.randn(clean.shape, generator=random), clean


@pytest.fixture(params=CASES, ids=[name for name, _ in CASES])
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, str]:
    """A network as it is built, away from its start, where many gradients are nearly nothing."""
    name, branch = request.param
    network = lively(registry.build(name, {}), seed=3).requires_grad_(True)
    return network.to(memory_format=torch.channels_last), branch


def gradients(network: nn.Module, branch: str, bf16: bool) -> dict[str, Tensor]:
    """Of every weight that the branch uses; of our own networks for the loss of training."""
    published = isinstance(network, RgbNetwork)
    degraded, clean = pictures(*((2, 32) if published else (8, 96)))  # they have far more to compute
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        maps = network(degraded if published else to_basis(degraded, 4), branch)
    if published:
        loss = (maps.float() * (clean - 0.5)).sum()  # no kink in the loss: their residuals are small
    else:
        loss = charbonnier(degraded + from_basis(maps.float(), 4), clean, 0.02)
    loss.backward()
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


def distance(a: Tensor, b: Tensor) -> float:
    """Relative, in the L2 norm."""
    return float((a.float() - b.float()).norm() / a.float().norm())


def layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """What has weights of its own."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            yield name, module


def test_every_layer(case: tuple[nn.Module, str]) -> None:
    """Each layer, alone, on what it sees and gets in training: weight, bias and input within 1e-2."""
    network, branch = case
    seen: dict[str, dict[str, Any]] = {}

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        entry = seen[names[module]] = {"input": inputs[0].detach().clone()}
        output.register_hook(lambda grad: entry.update(upstream=grad.clone()))

    names = {module: name for name, module in layers(network)}
    hooks = [module.register_forward_hook(record) for module in names]
    gradients(network, branch, bf16=False)
    for hook in hooks:
        hook.remove()

    assert len(seen) > 9
    worst: dict[str, float] = {}
    for module, name in names.items():
        if name not in seen:
            continue
        results = []
        for bf16 in (False, True):
            module.zero_grad()
            x = seen[name]["input"].clone().requires_grad_(True)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                y = module(x)
            y.backward(seen[name]["upstream"].to(y.dtype))
            assert (y.dtype == torch.bfloat16) == bf16
            results.append([x.grad, *(p.grad for p in module.parameters())])
        worst[name] = max(distance(a, b) for a, b in zip(*results, strict=True))
    assert {name: error for name, error in worst.items() if not error <= 1e-2} == {}


def test_whole_network_without_kinks(case: tuple[nn.Module, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With activations of slope 1 every weight's gradient agrees within 1e-2.

    Those of haze, whose few values collect sums of gradients of both signs, within 4e-2; those of UFFN,
    whose many normalisations subtract sums from each other, within 0.1; of other published ones 2e-2.
    """
    network, branch = case
    monkeypatch.setattr(blocks, "SLOPE", 1.0)
    monkeypatch.setattr(nn.functional, "relu", lambda x, inplace=False: x)  # noqa: ARG005 - torch's signature

    exact = gradients(network, branch, bf16=False)
    rounded = gradients(network, branch, bf16=True)

    errors = {name: distance(exact[name], rounded[name]) for name in exact}
    most = {UFFN: 0.1, HazeNet: 4e-2, AddUNet: 1e-2, ExpertNet: 1e-2}.get(type(network), 2e-2)
    for name, module in network.named_modules():
        if isinstance(module, Smoothing) and module.kernel.numel() == 1:
            errors.pop(f"{name}.kernel", None)  # the normalisation takes it back: its gradient is nothing
    assert {name: error for name, error in errors.items() if not error <= most} == {}


def test_whole_network(case: tuple[nn.Module, str]) -> None:
    """As it is trained: every weight's gradient points the same way, and all together within 2e-2.

    UFFN is another matter: a ReLU behind each of some twenty normalisations takes the other side here
    and there, and what comes of it is another gradient by a quarter, which still points the same way.
    """
    network, branch = case

    exact = gradients(network, branch, bf16=False)
    rounded = gradients(network, branch, bf16=True)

    errors = {name: distance(exact[name], rounded[name]) for name in exact}
    together = [torch.cat([g.flatten() for g in grads.values()]) for grads in (exact, rounded)]
    if isinstance(network, UFFN):
        assert distance(*together) <= 0.35
        return
    assert distance(*together) <= 2e-2
    assert {name: error for name, error in errors.items() if not error <= 0.1} == {}
