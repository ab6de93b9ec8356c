"""The published additive U-Net against its formulas, and what it is compared with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.errors import UsageError
from streamrestore.networks.addunet_paper import PaperAddUNet
from streamrestore.networks.baselines import DnCNN, DnCNNConfig, PlainUNet, PlainUNetConfig
from tests.networks.nets import lively, small_paper_addunet
from training.losses import joint


def conv(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """By torch's function, so that the layers' own settings do not matter."""
    return F.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)


def by_formula(
    net: PaperAddUNet, image: Tensor, alphas: Sequence[float | None]
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """out - image, x_L, and r_1..r_L of the module's docstring; None leaves a skip out altogether."""
    x = F.relu(conv(net.stem, image))
    residuals = []
    for encoder in net.encoders:
        r = F.relu(conv(encoder, x))
        x = x - r if net.config.real else r
        residuals.append(r)
    u = x
    for decoder, alpha, r in reversed([*zip(net.decoders, alphas, residuals, strict=True)]):
        u = F.relu(conv(decoder, u if alpha is None else u + alpha * r))
    return conv(net.head.conv, u) - image, x, residuals


@pytest.fixture(params=[(True, 3), (False, 3), (True, 1)], ids=["real", "pseudo", "grey"])
def net(request: pytest.FixtureRequest) -> PaperAddUNet:
    """In float64."""
    real, channels = request.param
    return small_paper_addunet(real=real, channels=channels).double()


@pytest.fixture
def image(net: PaperAddUNet) -> Tensor:
    """Two pictures."""
    random = torch.Generator().manual_seed(1)
    return torch.rand(2, net.channels, 14, 11, generator=random, dtype=torch.float64)


def learnt(net: PaperAddUNet) -> list[float]:
    """a_1..a_L."""
    return [float(torch.log1p(torch.exp(b))) for b in net.gates]


class TestPaperAddUNet:
    """As published."""

    def test_formula(self, net: PaperAddUNet, image: Tensor) -> None:
        """Encoding real and pseudo, additive skips, gates of softplus, the picture from the head."""
        assert [c.kernel_size[0] for c in net.encoders] == [9, 7, 5, 3, 1]
        assert torch.allclose(net(image), by_formula(net, image, learnt(net))[0])

    @pytest.mark.parametrize("off", range(5))
    def test_gate_of_zero_is_no_skip(self, net: PaperAddUNet, image: Tensor, off: int) -> None:
        """Scaling a level's gate to 0 gives what a network without that skip gives."""
        alphas = [None if level == off else a for level, a in enumerate(learnt(net))]
        scales = [float(level != off) for level in range(5)]

        result = net(image, "noise", net.prepare(image, "noise", scales))

        assert torch.allclose(result, by_formula(net, image, alphas)[0])
        assert not torch.allclose(result, net(image))

    def test_absolute_gate(self, net: PaperAddUNet, image: Tensor) -> None:
        """a_3 is set to 0.25 by its multiplier 0.25 / a_3."""
        alphas = learnt(net)
        scales = [1.0, 1.0, 0.25 / alphas[2], 1.0, 1.0]
        alphas[2] = 0.25

        result = net(image, "noise", net.prepare(image, "noise", scales))

        assert torch.allclose(result, by_formula(net, image, alphas)[0], atol=1e-6)  # scales are float32

    def test_wrong_number_of_gates(self, net: PaperAddUNet, image: Tensor) -> None:
        """The error says how many levels there are."""
        assert net.prepare(image) is None
        with pytest.raises(UsageError, match="2 gates were given; this denoiser has 5 levels"):
            net.prepare(image, "noise", (1.0, 1.0))

    def test_half_precision_keeps_the_picture(self) -> None:
        """The residual in bf16 is off by what features lose, not by the rounding of bright pixels."""
        net = small_paper_addunet(kernels=(1,))
        with torch.no_grad():  # the picture as it is, plus a thousandth
            for layer in (net.stem, net.encoders[0], net.decoders[0], net.head.conv):
                layer.weight.zero_()
                layer.bias.zero_()
            for c in range(3):
                net.stem.weight[c, c, 1, 1] = net.decoders[0].weight[c, c] = net.head.conv.weight[c, c] = 1
            net.head.conv.bias += 2**-10
        image = (torch.arange(3 * 16 * 16).reshape(1, 3, 16, 16) % 256 / 255).bfloat16()

        residual = net.bfloat16()(image)

        assert residual.dtype == torch.float32
        assert torch.allclose(residual, torch.tensor(2**-10), atol=1e-7)


class TestJoint:
    """Denoising and classification."""

    @pytest.mark.parametrize("capacity", ["none", "small", "large"])
    def test_capacity(self, capacity: str) -> None:
        """Nothing, one layer, or two; of the restoration nothing changes."""
        net = small_paper_addunet(classifier=capacity)
        sizes = [p.shape for n, p in net.named_parameters() if n.startswith("classifier") and p.ndim == 2]

        assert sizes == {"none": [], "small": [(4, 8)], "large": [(256, 8), (4, 256)]}[capacity]

    @pytest.mark.parametrize("capacity", ["small", "large"])
    def test_logits(self, capacity: str) -> None:
        """From the mean of the bottleneck; the restoration is that of `forward`."""
        net = small_paper_addunet(classifier=capacity)
        image = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
        head = net.classifier
        z = by_formula(net, image, learnt(net))[1].mean(dim=(2, 3))
        if head.hidden is not None:
            z = F.relu(F.linear(z, head.hidden.weight, head.hidden.bias))
        expected = F.linear(z, head.logits.weight, head.logits.bias)

        residual, logits = net.joint(image)

        assert torch.allclose(logits, expected, atol=1e-5)
        assert torch.equal(residual, net(image))

    @pytest.mark.parametrize("weight", [0.0, 0.5])
    def test_gradient(self, weight: float) -> None:
        """The classifier moves the encoder with lambda > 0 and only then, and never the decoder."""
        net = small_paper_addunet(classifier="small").requires_grad_(True)
        random = torch.Generator().manual_seed(1)
        image, target = torch.rand(2, 2, 3, 12, 12, generator=random)
        labels = torch.tensor([1, 3])

        def gradients(with_classifier: bool) -> dict[str, Tensor]:
            net.zero_grad()
            residual, logits = net.joint(image)
            loss = F.mse_loss(image + residual, target)
            if with_classifier:
                loss = joint(image + residual, target, logits, labels, weight)
            loss.backward()
            return {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}

        alone, both = gradients(False), gradients(True)

        moved = {n for n, g in both.items() if n not in alone or not torch.allclose(g, alone[n], atol=1e-9)}
        moved = {n for n in moved if both[n].abs().max() > 0}
        expected = ("stem.", "encoders.", "classifier.") if weight else ()
        assert {n.split(".")[0] + "." for n in moved} == set(expected)


class TestBaselines:
    """What it is compared with."""

    @pytest.mark.parametrize("skips", ["none", "concatenate"])
    def test_plain_unet(self, skips: str) -> None:
        """By number; without skips an auto-encoder."""
        net = lively(PlainUNet(PlainUNetConfig(skips=skips, width=8))).double()  # type: ignore[arg-type]
        image = torch.rand(2, 3, 11, 14, dtype=torch.float64)
        state = F.relu(conv(net.stem, image))
        encoded = []
        for encoder in net.encoders:
            state = F.relu(conv(encoder, state))
            encoded.append(state)
        for decoder, r in zip(reversed(net.decoders), reversed(encoded), strict=True):
            state = F.relu(conv(decoder, torch.cat([state, r], 1) if skips == "concatenate" else state))

        assert torch.allclose(net(image, "noise"), conv(net.head.conv, state) - image)

    @pytest.mark.parametrize("norm", [False, True])
    def test_dncnn(self, norm: bool) -> None:
        """Seventeen convolutions; batch normalisation between them by what was gathered in training."""
        net = lively(DnCNN(DnCNNConfig(width=8, norm=norm))).double()
        image = torch.rand(2, 3, 9, 12, dtype=torch.float64)
        layers = [m for m in net.layers if isinstance(m, nn.Conv2d)]
        norms = [m for m in net.layers if isinstance(m, nn.BatchNorm2d)]
        for m in norms:
            m.running_mean.uniform_(-1, 1)
            m.running_var.uniform_(0.5, 2)
        z = F.relu(conv(layers[0], image))
        for layer, m in itertools.zip_longest(layers[1:-1], norms):
            z = conv(layer, z)
            if m is not None:
                scale = m.weight / torch.sqrt(m.running_var + 1e-5)
                z = (z - m.running_mean[:, None, None]) * scale[:, None, None] + m.bias[:, None, None]
            z = F.relu(z)

        assert len(layers) == 17
        assert len(norms) == (15 if norm else 0)
        assert torch.allclose(net(image, "noise"), conv(layers[-1], z))

    def test_what_additive_skips_save(self) -> None:
        """Additive skips cost one weight per level, concatenated ones half of all weights again."""
        additive = small_paper_addunet(width=16)
        plain, concatenating = (
            PlainUNet(PlainUNetConfig(skips=skips, width=16))  # type: ignore[arg-type]
            for skips in ("none", "concatenate")
        )
        a, p, c = (sum(w.numel() for w in net.parameters()) for net in (additive, plain, concatenating))

        assert a - p == 5
        assert 1.45 < c / a < 1.55
