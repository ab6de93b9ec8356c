"""Experts that several weathers share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from streamrestore.errors import UsageError
from streamrestore.frames import Coding, Matrix
from streamrestore.networks import blocks, expertnet
from streamrestore.networks.expertnet import ExpertNet
from streamrestore.planes import unshuffled_matrices
from tests.networks.nets import small_expertnet


def watch(network: ExpertNet, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the submodules that compute something from now on, copies of the network included.

    Hooks see modules that are called; convolutions fused with their activation are not, and are seen
    by the functions that fuse them.
    """
    called: list[str] = []
    for name, module in network.named_modules():
        module.where = name
        if not list(module.children()):
            module.register_forward_hook(lambda module, *_: called.append(module.where))

    def watched(fuse: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def seen(conv: nn.Conv2d, *tensors: torch.Tensor) -> torch.Tensor:
            called.append(conv.where)
            return fuse(conv, *tensors)

        return seen

    for name in ("conv_activate", "conv_add"):
        seen = watched(getattr(blocks, name))
        monkeypatch.setattr(blocks, name, seen)
        monkeypatch.setattr(expertnet, name, seen)
    return called


def leaves(network: nn.Module, prefix: str) -> set[str]:
    """Submodules that have none of their own."""
    return {n for n, m in network.named_modules() if n.startswith(prefix) and not list(m.children())}


class TestBranches:
    """What is not selected costs nothing."""

    @pytest.mark.parametrize("branch", ["rain", "raindrop"])
    @pytest.mark.parametrize("folded", [False, True])
    @pytest.mark.parametrize("grad", [False, True])
    def test_only_the_selected_branch_runs(
        self, branch: str, folded: bool, grad: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No submodule of another weather's end is called; all of the selected one's are."""
        network = small_expertnet(blocks=(1, 1, 1))
        called = watch(network, monkeypatch)
        maps = 48
        if folded:
            network = network.folded(*unshuffled_matrices(Coding(Matrix.BT709, full=False)))
            maps = 24

        with torch.set_grad_enabled(grad):
            network(torch.randn(1, maps, 8, 8), branch)

        ends = {name for name in called if name.startswith("ends.")}
        assert ends == leaves(network, f"ends.{branch}.")
        parts = {name.split(".")[2] for name in ends}
        assert parts == {"gates", "own", "blocks", "from_features", "from_input"}
        assert {"head", "to_middle", "scales.0.down"} <= set(called)

    def test_branches_differ(self) -> None:
        """Each weather has an estimate of its own."""
        network, x = small_expertnet(), torch.randn(1, 48, 8, 8)
        rain, drops = (network(x, branch) for branch in network.branches)

        assert not torch.allclose(rain, drops)

    def test_a_branch_does_not_depend_on_the_others(self) -> None:
        """Another weather's weights may be anything, even broken."""
        network, x = small_expertnet(), torch.randn(1, 48, 8, 8)
        before = network(x, "rain")
        with torch.no_grad():
            for name, value in network.named_parameters():
                if name.startswith("ends.raindrop."):
                    value.fill_(float("nan"))

        assert torch.equal(network(x, "rain"), before)


class TestParts:
    """What a part of a picture is judged by."""

    @pytest.mark.parametrize("branch", ["rain", "raindrop"])
    def test_nothing_but_what_is_around(self, branch: str) -> None:
        """Streaks and drops are judged by what is around them, so that crops and frames are alike."""
        assert small_expertnet().prepare(torch.randn(1, 48, 8, 8), branch) is None

    def test_gates_are_not_for_it(self) -> None:
        """The dial belongs to the denoiser; here it is refused, not ignored."""
        with pytest.raises(UsageError, match="noise branch only"):
            small_expertnet().prepare(torch.randn(1, 48, 8, 8), "rain", (1.0, 1.0, 1.0))

    def test_past_frames_do_not_reach_the_gain(self) -> None:
        """With temporal context the present frame is the first one: the gain multiplies it alone."""
        network = small_expertnet(temporal_radius=1)
        for end in network.ends.values():
            end.from_features.weight.zero_()
            end.from_features.bias.zero_()
            end.from_features.bias[48] = 0.5  # nothing but a gain
            end.from_input.weight.zero_()
        now, past = torch.randn(1, 48, 8, 8), torch.randn(1, 48, 8, 8)

        assert torch.allclose(network(torch.cat([now, past], dim=1), "rain"), 0.5 * now)
