"""Parts that networks share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from streamrestore.networks.blocks import (
    Enlarge,
    Halve,
    ResidualBlock,
    _calculates,
    conv_activate,
    conv_add,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "conv",
    [nn.Conv2d(8, 12, 3, padding=1), nn.Conv2d(8, 4, 1), Halve(8, 6), nn.Conv2d(8, 4, 3, bias=False)],
    ids=["3x3", "1x1", "halve", "no bias"],
)
@pytest.mark.parametrize("fused", [conv_activate, conv_add])
def test_fused(fused: Callable[..., Tensor], conv: nn.Conv2d, dtype: torch.dtype) -> None:
    """With and without gradients, in every type, the result is that of one step after the other."""
    conv = conv.to(dtype).to(memory_format=torch.channels_last)
    x = torch.randn(2, 8, 10, 6, dtype=dtype).to(memory_format=torch.channels_last)
    plain = conv(x)
    other = torch.randn_like(plain).to(memory_format=torch.channels_last)
    if fused is conv_add:
        arguments, expected = (conv, x, other), plain + other
    else:
        arguments, expected = (conv, x), torch.where(plain > 0, plain, 0.1 * plain)
    limits = {torch.bfloat16: 2e-2, torch.float32: 1e-5, torch.float64: 1e-12}

    with_gradients = fused(*arguments)
    with torch.inference_mode():
        without = fused(*arguments)

    for result in (with_gradients, without):
        assert result.dtype == dtype
        assert torch.allclose(result, expected, rtol=limits[dtype], atol=limits[dtype])
    assert with_gradients.requires_grad


@pytest.mark.parametrize("missing", ["oneDNN", "bf16"])
def test_without_onednn(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds of torch without it (Apple's chips), and CPUs for which it has no bf16, take the plain way."""
    _calculates.cache_clear()
    if missing == "oneDNN":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    else:
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)

    assert not _calculates(torch.bfloat16)
    assert _calculates(torch.float32) == (missing == "bf16" and torch.backends.mkldnn.is_available())
    with torch.inference_mode():
        conv_activate(nn.Conv2d(8, 8, 1).bfloat16(), torch.randn(1, 8, 6, 6).bfloat16())
    _calculates.cache_clear()


def test_autocast_without_gradients() -> None:
    """Weights of another type than the maps are left to torch."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        maps = nn.Conv2d(8, 8, 1)(torch.randn(1, 8, 6, 6))
        assert maps.dtype == conv_activate(nn.Conv2d(8, 8, 1), maps).dtype == torch.bfloat16
        assert conv_add(nn.Conv2d(8, 8, 1), maps, maps).dtype == torch.bfloat16


def test_inputs_are_left_alone() -> None:
    """What is computed in place is never what a caller holds."""
    x = torch.randn(1, 8, 6, 6)
    before = x.clone()
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            ResidualBlock(8)(x)
            conv_activate(nn.Conv2d(8, 8, 1), x)
            conv_add(nn.Conv2d(8, 8, 1), x, x)
        assert torch.equal(x, before)


def test_residual_block() -> None:
    """x plus what two convolutions make of it; gradients reach x both ways."""
    block = ResidualBlock(4).double()
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    inner = block.first(x)
    expected = x + block.second(torch.where(inner > 0, inner, 0.1 * inner))

    assert torch.allclose(block(x), expected)
    assert torch.autograd.gradcheck(block, (x,))


def test_sizes() -> None:
    """Halving and enlarging undo each other's change of size."""
    x = torch.zeros(1, 8, 6, 10)

    assert Halve(8, 16)(x).shape == (1, 16, 3, 5)
    assert Enlarge(8, 4)(x).shape == (1, 4, 12, 20)
