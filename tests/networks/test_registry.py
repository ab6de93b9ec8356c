"""Networks by name."""

from __future__ import annotations

import pytest
import torch

from streamrestore.errors import WeightsError
from streamrestore.networks import registry


@pytest.mark.parametrize("name", sorted(registry.ARCHITECTURES))
def test_shape_is_enough_to_build_again(name: str) -> None:
    """What `shape_of` says makes a network whose tensors have the same names and sizes."""
    first = registry.build(name, {})

    again = registry.build(name, registry.shape_of(first))

    assert type(again) is type(first)
    assert again.config == first.config
    shapes = [{k: v.shape for k, v in n.state_dict().items()} for n in (first, again)]
    assert shapes[0] == shapes[1]


def test_fields_are_taken() -> None:
    """A field that is given differs from the default; lists stand for tuples, as in JSON."""
    network = registry.build("addunet", {"widths": [16, 32, 48]})

    assert network.config.widths == (16, 32, 48)
    assert network(torch.zeros(1, 48, 4, 4)).shape == (1, 48, 4, 4)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("uffm", {}, "no network 'uffm'; known are addunet, addunet-paper, dncnn, .*, uffn"),
        ("addunet", {"widhts": [1]}, "'addunet' has no 'widhts'; it has halve, kernels"),
        ("addunet", {"widths": "wide"}, "'addunet': Expected `array`"),
        ("expertnet", {"temporal_radius": 3.5}, "'expertnet': Expected `int`"),
    ],
)
def test_errors(name: str, shape: dict[str, object], words: str) -> None:
    """Weights of a network that is not known, or shaped as none is, are refused by name."""
    with pytest.raises(WeightsError, match=words):
        registry.build(name, shape)
