"""What is measured, against what is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from streamrestore.settings import read_settings
from tests.networks.nets import small_paper_addunet, small_uffn
from training import toy
from training.ablate import measure as measures
from training.ablate.measure import Runner, mean_frequency, open_bench, radial_power
from training.benchmark import pictures_v1
from training.config import TrainConfig
from training.measures import psnr, to_8bit


def config(**values: object) -> TrainConfig:
    """A training that is never done."""
    base = {
        "name": "a", "network": "addunet-paper", "clean": [], "precision": "32-true",
        "tasks": {"noise": {"sigma": [25, 25]}},
    }  # fmt: skip
    return read_settings(TrainConfig, base | values)


@pytest.fixture(scope="module")
def val(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Validation sets of one picture each."""
    folder = tmp_path_factory.mktemp("toy")
    toy.write_all(folder, 1, 48)
    return folder / "val"


@torch.no_grad()
def test_noise(val: Path) -> None:
    """Grey Kodak with METHOD's noise, drawn for the luma, the output in 8 bit."""
    network = small_paper_addunet(channels=1)
    bench = open_bench(val, ("kodak24",), 0)

    found = measures.noise(Runner(network, config()), bench).values

    (path,) = (val / "kodak24").iterdir()
    grey = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY)
    noisy = pictures_v1.awgn(grey, 25, 0)
    output = noisy + network(torch.from_numpy(noisy)[None, None])[0, 0].numpy()
    assert found["PSNR"] == pytest.approx(psnr(to_8bit(output), grey / 255), abs=1e-3)


@torch.no_grad()
def test_tasks(val: Path) -> None:
    """Each set goes through its own branch, and its label is compared with the router's."""
    network = small_uffn()
    tasks = {name: {} for name in network.branches}
    bench = open_bench(val, ("rain100l", "sots_indoor"), 0)

    found = measures.tasks(Runner(network, config(network="uffn", tasks=tasks)), bench).values

    (case,) = bench.sets[1].cases(val)
    x = torch.from_numpy(case.degraded.transpose(2, 0, 1)[None].copy())
    output = (x + network(x, "haze"))[0].numpy().transpose(1, 2, 0)
    assert found["sots_indoor PSNR"] == pytest.approx(psnr(to_8bit(output), case.target), abs=1e-3)
    said = network.branches[int(network.route(x).argmax())]
    assert found["sots_indoor told"] == float(said == "haze")


@torch.no_grad()
def test_gates(val: Path) -> None:
    """Over absolute values: at the learned one the network is as it is, at 0 it lacks the skip."""
    network = small_paper_addunet(channels=1)
    with torch.no_grad():
        network.gates[2] = float(np.log(np.expm1(0.5)))  # a_3 = 0.5
    runner = Runner(network, config(tasks={"noise": {"sigma": [50, 50]}}))

    found = measures.gates(runner, open_bench(val, ("kodak24",), 0))

    curve = dict(found.series["PSNR"])
    assert found.values["a_3"] == pytest.approx(0.5, abs=1e-5)
    assert curve[0.5] == pytest.approx(found.values["PSNR"], abs=1e-3)
    assert len({round(value, 3) for value in curve.values()}) > 5
    with torch.no_grad():
        network.gates[2] = -100.0
    assert measures.gates(runner, open_bench(val, ("kodak24",), 0)).values["PSNR"] == pytest.approx(
        curve[0.0], abs=1e-3
    )


def test_spectrum() -> None:
    """A wave's power is in the ring of its frequency; a mean has none."""
    x = np.arange(64)
    wave = np.broadcast_to(np.sin(2 * np.pi * 16 / 64 * x), (3, 64, 64)).astype(np.float32)

    power = radial_power(wave + 5)

    assert power.argmax() in (15, 16)
    assert power[14:18].sum() > 0.95 * power.sum()
    shares = [(float((k + 0.5) / 64), float(p / power.sum())) for k, p in enumerate(power)]
    assert mean_frequency(shares) == pytest.approx(0.25, abs=0.01)


@torch.no_grad()
def test_checker() -> None:
    """A network that does nothing leaves the noise: 14.15 dB and more, since clipping takes some."""
    network = small_paper_addunet(channels=1)
    network.head.conv.weight.zero_()
    network.forward = lambda x, *_: torch.zeros_like(x)  # type: ignore[method-assign]

    found = measures.checker(Runner(network, config()))

    assert 16.5 < found["checker PSNR"] < 17.5
    assert 0 < found["checker SSIM"] < 1
    assert F.softplus(network.gates).shape == (5,)


def test_digits() -> None:
    """What is told is the share of right labels."""
    network = small_paper_addunet(channels=1, classifier="small", classes=10)
    with torch.no_grad():
        network.classifier.logits.weight.zero_()
        network.classifier.logits.bias.copy_(torch.eye(10)[3])
        found = measures.digits(Runner(network, config(labelled="digits")))

    assert 0.07 < found["digits told"] < 0.13
