"""The basis that networks work in."""

from __future__ import annotations

import pytest
import torch

from streamrestore.networks.basis import MEAN_SCALE, basis, from_basis, inverse, to_basis


@pytest.mark.parametrize("unshuffle", [1, 2, 4])
class TestBasis:
    """One for each factor of unshuffling."""

    def test_orthogonal_up_to_scale(self, unshuffle: int) -> None:
        """Rows are at right angles; all have length 1 but those of the means."""
        matrix = basis(unshuffle)
        gram = matrix @ matrix.T
        lengths = torch.ones(3 * unshuffle**2, dtype=torch.float64)
        lengths[:: unshuffle**2] = torch.tensor(MEAN_SCALE, dtype=torch.float64)

        assert torch.allclose(gram, torch.diag(lengths**2), atol=1e-12)

    def test_inverse(self, unshuffle: int) -> None:
        """Nothing is lost."""
        product = inverse(unshuffle) @ basis(unshuffle)

        assert torch.allclose(product, torch.eye(3 * unshuffle**2, dtype=torch.float64), atol=1e-12)

    def test_flat_grey_is_one_map(self, unshuffle: int) -> None:
        """A picture without structure and colour is brightness alone, damped."""
        maps = to_basis(torch.full((1, 3, 8, 8), 0.5), unshuffle)

        assert torch.allclose(maps[:, 0], torch.tensor(0.5 * 3**0.5 * unshuffle * MEAN_SCALE[0]))
        assert maps[:, 1:].abs().max() < 1e-6 if maps.shape[1] > 1 else True

    def test_pictures_come_back(self, unshuffle: int) -> None:
        """Both ways, at the size that was given; the maps lie innermost in memory."""
        pictures = torch.rand(2, 3, 8, 16, dtype=torch.float64) * 3 - 1

        maps = to_basis(pictures, unshuffle)

        assert maps.shape == (2, 3 * unshuffle**2, 8 // unshuffle, 16 // unshuffle)
        assert maps.is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(from_basis(maps, unshuffle), pictures, atol=1e-12)
