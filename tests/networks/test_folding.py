"""Linear maps in front of and behind a network become part of its weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from streamrestore.frames import Coding, Matrix
from streamrestore.networks.basis import basis, inverse
from streamrestore.networks.blocks import fold_input, fold_output
from streamrestore.planes import unshuffled_matrices
from tests.networks.nets import small_addunet, small_expertnet

NETWORKS = {
    "addunet": lambda radius: small_addunet(temporal_radius=radius),
    "expertnet": lambda radius: small_expertnet(temporal_radius=radius),
}


def times(matrix: Tensor, maps: Tensor) -> Tensor:
    """A matrix on every place of (N, C, h, w)."""
    return torch.einsum("km,nmhw->nkhw", matrix, maps)


def matrices(kind: str) -> tuple[Tensor, Tensor]:
    """Two ways in and out; out @ in is the identity."""
    if kind == "planes":
        return unshuffled_matrices(Coding(Matrix.BT709, full=False, depth=10))
    if kind == "rgb":
        return torch.eye(48, dtype=torch.float64), torch.eye(48, dtype=torch.float64)
    inward = torch.randn(48, 48, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return inward, torch.linalg.inv(inward)


@pytest.mark.parametrize("kind", ["rgb", "planes", "any"])
@pytest.mark.parametrize("radius", [0, 1])
@pytest.mark.parametrize("name", NETWORKS)
def test_folding_is_exact(name: str, radius: int, kind: str) -> None:
    """In float64 the folded network is the network between the two maps, per frame, global path included."""
    network = NETWORKS[name](radius).double()
    branch = network.branches[-1]
    inward, outward = matrices(kind)
    frames = [torch.randn(2, inward.shape[1], 8, 12, dtype=torch.float64) for _ in range(1 + radius)]
    x = torch.cat(frames, dim=1)

    seen = torch.cat([times(basis(4) @ inward, frame) for frame in frames], dim=1)
    expected = times(outward @ inverse(4), network(seen, branch))
    folded = network.folded(inward, outward)

    assert folded(x, branch).shape == (2, inward.shape[1], 8, 12)
    assert torch.allclose(folded(x, branch), expected, rtol=1e-9, atol=1e-9)
    assert expected.abs().max() > 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_the_original_is_left_alone(name: str) -> None:
    """One set of weights serves several codings."""
    network = NETWORKS[name](0)
    before = {key: value.clone() for key, value in network.state_dict().items()}

    network.folded(*unshuffled_matrices(Coding(Matrix.BT601, full=True)))

    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_gain_behind_the_folded_maps_stays() -> None:
    """What stands behind the folded maps is one factor for all of a place: the same in every basis."""
    conv = nn.Conv2d(5, 4, 3, padding=1).double()
    x = torch.randn(1, 5, 6, 6, dtype=torch.float64)
    before = conv(x)
    matrix = torch.randn(2, 3, dtype=torch.float64)

    fold_output(conv, matrix)

    after = conv(x)
    assert after.shape == (1, 3, 6, 6)
    assert torch.allclose(after[:, :2], times(matrix, before[:, :3]))
    assert torch.allclose(after[:, 2:], before[:, 3:])


def test_zero_padding_stays_zero() -> None:
    """At the border a folded convolution sees what the other one saw."""
    conv = nn.Conv2d(3, 2, 5, padding=2).double()
    z = torch.randn(1, 4, 3, 3, dtype=torch.float64)  # smaller than the kernel
    matrix = torch.randn(3, 4, dtype=torch.float64)
    expected = conv(times(matrix, z))

    fold_input(conv, matrix)

    assert torch.allclose(conv(z), expected)
