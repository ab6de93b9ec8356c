"""The classifier's shape."""

from __future__ import annotations

import torch

from streamrestore.networks.routernet import RouterNet, RouterNetConfig
from tests.networks.nets import lively


def test_outputs() -> None:
    """A logit for each label, and severities that are not negative, whatever is seen."""
    network = lively(RouterNet(RouterNetConfig(thumbnail=32, crop=16, crops=2, widths=(8, 8, 8))))

    logits, severities = network(torch.rand(3, 3, 32, 32), torch.rand(3, 2, 3, 16, 16))

    assert logits.shape == (3, 5)
    assert severities.shape == (3, 4)
    assert (severities >= 0).all()


def test_crops_have_no_order() -> None:
    """Which crop comes first means nothing."""
    network = lively(RouterNet(RouterNetConfig(thumbnail=32, crop=16, crops=3, widths=(8, 8, 8))))
    thumbnail, crops = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 3, 16, 16)

    first, again = network(thumbnail, crops)[0], network(thumbnail, crops.flip(1))[0]

    assert torch.allclose(first, again, atol=1e-6)
