"""Parts that two or more networks share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.errors import UsageError

SLOPE = 0.1
"""Of the leaky ReLU: a ReLU would kill half of the few maps that carry the whole picture."""


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU, in place: for what a convolution or a sum just made."""
    return F.leaky_relu(x, SLOPE, inplace=True)


def conv_activate(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """``activate(conv(x))``; on a CPU without gradients in one pass over the memory.

    oneDNN has the activation as a post-operation; torch offers it to its own compiler only by the
    operator that is called here.
    """
    if not _fuses(conv, x):
        return activate(conv(x))
    arguments = (conv.padding, conv.stride, conv.dilation, conv.groups, "leaky_relu", [SLOPE], "")
    fused: Tensor = torch.ops.mkldnn._convolution_pointwise(x, conv.weight, conv.bias, *arguments)  # noqa: SLF001
    return fused


def conv_add(conv: nn.Conv2d, x: Tensor, other: Tensor) -> Tensor:
    """``conv(x) + other``; on a CPU without gradients in one pass, as `conv_activate`."""
    if not _fuses(conv, x):
        return conv(x).add_(other)  # type: ignore[no-any-return]
    shape = (conv.padding, conv.stride, conv.dilation, conv.groups)
    operator = torch.ops.mkldnn._convolution_pointwise.binary  # noqa: SLF001
    fused: Tensor = operator(x, other, conv.weight, conv.bias, *shape, "add", 1.0, None, [], None)
    return fused


def _fuses(conv: nn.Conv2d, x: Tensor) -> bool:
    plain = x.device.type != "cpu" or torch.is_grad_enabled() or x.dtype != conv.weight.dtype
    return not plain and _calculates(x.dtype)


@cache
def _calculates(dtype: torch.dtype) -> bool:
    """Whether oneDNN is there, and calculates in this type on this CPU."""
    if not torch.backends.mkldnn.is_available():
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001
    return dtype == torch.float32


class ResidualBlock(nn.Module):
    """``x + conv(act(conv(x)))`` with 3x3 kernels; (N, C, H, W) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.1)  # starts near the identity

    def forward(self, x: Tensor) -> Tensor:
        return conv_add(self.second, conv_activate(self.first, x), x)


class Halve(nn.Conv2d):
    """2x2 convolution of stride 2: (N, C, H, W) -> (N, D, H/2, W/2)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__(width_in, width_out, 2, stride=2)


class Enlarge(nn.ConvTranspose2d):
    """2x2 transposed convolution of stride 2: (N, C, H, W) -> (N, D, 2 H, 2 W)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__(width_in, width_out, 2, stride=2)


def gate_scales(gates: Sequence[float] | None, levels: int, device: torch.device) -> Tensor | None:
    """Multipliers of an additive U-Net's gates, (L,), if any are given.

    Raises:
        UsageError: not as many as levels.
    """
    if gates is None:
        return None
    if len(gates) != levels:
        raise UsageError(f"{len(gates)} gates were given; this denoiser has {levels} levels")
    return torch.tensor(gates, device=device)


def fold_input(conv: nn.Conv2d, inward: Tensor) -> None:
    """Let a convolution read another basis of its input, in place.

    The convolution saw M maps ``A z`` per frame; afterwards it sees the K maps z. Exact, since both
    are linear and zero padding is zero in both.

    Args:
        conv: reads one or more groups of M maps, one group per frame.
        inward: A, (M, K).
    """
    groups = conv.weight.detach().split(inward.shape[0], dim=1)  # each (O, M, k, k)
    matrix = inward.to(conv.weight.dtype)
    folded = [torch.einsum("omij,mk->okij", group, matrix) for group in groups]
    conv.weight = nn.Parameter(torch.cat(folded, dim=1), requires_grad=False)
    conv.in_channels = conv.weight.shape[1]


def fold_output(conv: nn.Conv2d, outward: Tensor) -> None:
    """Let a convolution write another basis of its first maps, in place.

    Its first M output maps r become ``B r``; further maps stay.

    Args:
        outward: B, (K, M).
    """
    maps = outward.shape[1]
    weight, matrix = conv.weight.detach(), outward.to(conv.weight.dtype)
    folded = torch.einsum("km,moij->koij", matrix, weight[:maps])
    conv.weight = nn.Parameter(torch.cat([folded, weight[maps:]]), requires_grad=False)
    if conv.bias is not None:
        bias = conv.bias.detach()
        conv.bias = nn.Parameter(torch.cat([matrix @ bias[:maps], bias[maps:]]), requires_grad=False)
    conv.out_channels = conv.weight.shape[0]
