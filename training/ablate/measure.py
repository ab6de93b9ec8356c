"""What is measured of a trained network, on validation sets and on the checker pattern (METHOD section 5).

Whole pictures, outputs rounded to 8 bit. Grey networks see the pictures' luma, with noise drawn for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamrestore.errors import UsageError
from streamrestore.networks.addunet_paper import PaperAddUNet
from streamrestore.networks.rgb import RgbNetwork
from streamrestore.networks.uffn import UFFN
from training.ablate.results import Figures
from training.ablate.study import Measure
from training.benchmark import pictures_v1
from training.config import TrainConfig
from training.data import list_pictures, read_picture, unit
from training.digits import read_digits, white_noise
from training.evaluate import BENCHMARKS, Benchmark, Case
from training.measures import Floats, psnr, ssim, to_8bit

KODAK = "kodak24"
CHECKER_SIDE, CHECKER_SQUARE, CHECKER_SIGMA = 256, 8, 50.0
"""The paper does not tell the size of its pattern."""
ALPHAS = np.linspace(0.0, 1.0, 11)
LEVEL = 3
"""Whose gate is swept."""
SPECTRUM_SIDE, SPECTRUM_BINS = 256, 32


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and how networks are measured.

    Attributes:
        val: folder of the validation sets.
        pictures: of each set at most; 0: all.
    """

    val: Path
    sets: tuple[Benchmark, ...]
    pictures: int
    device: torch.device

    def cases(self, benchmark: Benchmark) -> Iterator[Case]:
        """Pictures of a set."""
        for number, case in enumerate(benchmark.cases(self.val)):
            if self.pictures and number == self.pictures:
                return
            yield case

    def greys(self) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        """Luma (H, W) of Kodak's pictures with their numbers."""
        for index, path in enumerate(list_pictures(self.val / KODAK)):
            if self.pictures and index == self.pictures:
                return
            yield index, np.asarray(cv2.cvtColor(read_picture(path), cv2.COLOR_RGB2GRAY), np.uint8)


def open_bench(val: Path, sets: tuple[str, ...], pictures: int) -> Bench:
    """Find the sets before anything is trained.

    Raises:
        UsageError: a name that is none, or a set that is not there.
    """
    known = {benchmark.name: benchmark for benchmark in BENCHMARKS} | {
        KODAK: Benchmark(KODAK, "noise", lambda data: iter(_clean(data / KODAK)))
    }
    for name in sets:
        if name not in known:
            raise UsageError(f"there is no validation set {name!r}; known are {', '.join(known)}")
        try:
            next(known[name].cases(val))
        except (FileNotFoundError, StopIteration) as error:
            raise UsageError(f"{val}: the validation set {name!r} is not in it ({error})") from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Bench(val, tuple(known[name] for name in sets), pictures, device)


def _clean(folder: Path) -> Iterator[Case]:
    for path in list_pictures(folder):
        clean = unit(read_picture(path))
        yield Case(clean, clean)


def measure(kind: Measure, config: TrainConfig, network: nn.Module, bench: Bench) -> Figures:
    """Figures of a trained network in evaluation mode."""
    runner = Runner(cast("RgbNetwork", network.to(bench.device)), config)
    with torch.no_grad():
        return MEASURES[kind](runner, bench)


@dataclass(frozen=True, slots=True)
class Runner:
    """A network that is measured, in the precision that it was trained in."""

    network: RgbNetwork
    config: TrainConfig

    def __call__(self, picture: Floats, branch: str, gates: list[float] | None = None) -> Floats:
        """Restored picture, (H, W, 3) or (H, W), of the same."""
        x = self._tensor(picture)
        with self.autocast(x):
            residual = self.network(x, branch, self.network.prepare(x, branch, gates))
        height, width = picture.shape[:2]
        output = (x + residual.float())[0, :, :height, :width].cpu().numpy()
        return np.asarray(output.transpose(1, 2, 0) if picture.ndim == 3 else output[0], np.float32)

    def told(self, picture: Floats) -> str | None:
        """Task that the path router or the classifier takes it for; None: it has neither."""
        x = self._tensor(picture)
        with self.autocast(x):
            if isinstance(self.network, UFFN):
                return self.network.branches[int(self.network.route(x).argmax())]
            if isinstance(self.network, PaperAddUNet) and self.network.classifier is not None:
                return list(self.config.tasks)[int(self.network.joint(x)[1].argmax())]
        return None

    def _tensor(self, picture: Floats) -> Tensor:
        """(1, C, H, W), padded to what the network takes."""
        planes = picture.transpose(2, 0, 1) if picture.ndim == 3 else picture[None]
        n = self.network.multiple_of
        x = torch.from_numpy(np.ascontiguousarray(planes))[None]
        padded = F.pad(x, (0, -x.shape[3] % n, 0, -x.shape[2] % n), mode="replicate")
        device = next(self.network.parameters()).device
        return padded.to(device, memory_format=torch.channels_last)

    def autocast(self, x: Tensor) -> AbstractContextManager[object]:
        """In which the network runs on `x`."""
        if self.config.precision == "32-true":
            return nullcontext()
        return torch.autocast(x.device.type, torch.bfloat16)


class Means:
    """Means over pictures, by name."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> None:
        """Take one picture's figure."""
        self._values.setdefault(name, []).append(value)

    def pair(self, name: str, output: Floats, target: Floats) -> None:
        """Take PSNR, and SSIM where the picture is large enough for it."""
        rounded = to_8bit(output)
        self.add(f"{name} PSNR".strip(), psnr(rounded, target))
        if min(target.shape[:2]) > 10:
            self.add(f"{name} SSIM".strip(), ssim(rounded, target))

    def values(self) -> dict[str, float]:
        """All of them."""
        return {name: round(float(np.mean(seen)), 5) for name, seen in self._values.items()}


def tasks(runner: Runner, bench: Bench) -> Figures:
    """PSNR and SSIM of each set behind its branch, and the share of it that router or classifier tell."""
    means = Means()
    for benchmark in bench.sets:
        for case in bench.cases(benchmark):
            means.pair(benchmark.name, runner(case.degraded, benchmark.branch), case.target)
            told = runner.told(case.degraded)
            if told is not None:
                means.add(f"{benchmark.name} told", told == benchmark.branch)
    return Figures(means.values())


def noise(runner: Runner, bench: Bench) -> Figures:
    """PSNR and SSIM of Kodak's pictures with white noise of the sigma that was trained for, grey or not."""
    (task,) = runner.config.tasks.values()
    assert task.sigma is not None
    sigma, means = task.sigma[1], Means()
    if runner.network.channels == 1:
        for index, grey in bench.greys():
            noisy = pictures_v1.awgn(grey, sigma, index)
            means.pair("", runner(noisy, "noise"), grey / np.float32(255))
    else:
        for index, path in enumerate(list_pictures(bench.val / KODAK)[: bench.pictures or None]):
            clean = read_picture(path)
            means.pair("", runner(pictures_v1.awgn(clean, sigma, index), "noise"), unit(clean))
    return Figures(means.values())


def joint(runner: Runner, bench: Bench) -> Figures:
    """What is told and how it is restored, and the gates of all levels."""
    values = digits(runner) if runner.config.labelled else tasks(runner, bench).values
    psnrs = [value for name, value in values.items() if name.endswith("PSNR")]
    told = [value for name, value in values.items() if name.endswith("told")]
    means = {"PSNR": float(np.mean(psnrs))} | ({"told": float(np.mean(told))} if told else {})
    return Figures(means | values | learned_gates(runner.network))


def learned_gates(network: nn.Module) -> dict[str, float]:
    """a_1..a_L by name."""
    gates = F.softplus(cast("PaperAddUNet", network).gates).tolist()
    return {f"a_{level}": round(gate, 5) for level, gate in enumerate(gates, 1)}


def digits(runner: Runner) -> dict[str, float]:
    """Likewise of the digits that were not trained on, with noise of the strongest sigma."""
    (task,) = runner.config.tasks.values()
    sigma = (task.sigma or (0.0, 55.0))[1]
    clean, labels = read_digits("split")
    noisy = clean + white_noise(np.random.default_rng([0, 0]), clean.shape, (sigma, sigma))
    x = torch.from_numpy(noisy).to(next(runner.network.parameters()).device)
    network, means = cast("PaperAddUNet", runner.network), Means()
    with runner.autocast(x):
        residual = network(x, "noise")
        logits = network.joint(x)[1] if network.classifier is not None else None
    for output, target in zip((x + residual.float()).cpu().numpy(), clean, strict=True):
        means.pair("digits", output[0], target[0])
    if logits is not None:
        for said, label in zip(logits.argmax(dim=1).tolist(), labels, strict=True):
            means.add("digits told", said == label)
    return means.values()


def gates(runner: Runner, bench: Bench) -> Figures:
    """PSNR and SSIM over a_3, with its learned value; what r_i are made of; and the checker pattern."""
    network = cast("PaperAddUNet", runner.network)
    (task,) = runner.config.tasks.values()
    assert task.sigma is not None
    sigma = task.sigma[1]
    learned = float(F.softplus(network.gates[LEVEL - 1]))
    means, spectra = Means(), Spectra(network)
    for index, grey in bench.greys():
        noisy, clean = pictures_v1.awgn(grey, sigma, index), grey / np.float32(255)
        means.pair("learned", runner(noisy, "noise"), clean)
        for alpha in ALPHAS:
            scales = [1.0] * len(network.encoders)
            scales[LEVEL - 1] = float(alpha) / max(learned, 1e-6)
            means.pair(f"{alpha:.1f}", runner(noisy, "noise", scales), clean)
        spectra.look(runner, noisy)
    found = means.values()
    curves = spectra.curves()
    series = {
        "PSNR": [(round(float(a), 2), found[f"{a:.1f} PSNR"]) for a in ALPHAS],
        "SSIM": [(round(float(a), 2), found[f"{a:.1f} SSIM"]) for a in ALPHAS],
        **curves,
    }
    values = {"PSNR": found["learned PSNR"], "SSIM": found["learned SSIM"], **learned_gates(network)}
    values |= {f"best a_{LEVEL} by {k}": max(series[k], key=lambda p: p[1])[0] for k in ("PSNR", "SSIM")}
    values |= {f"{name} mean frequency": round(mean_frequency(curve), 4) for name, curve in curves.items()}
    return Figures(values | checker(runner), series)


def checker(runner: Runner) -> dict[str, float]:
    """PSNR and SSIM of black and white squares with white noise."""
    places = np.arange(CHECKER_SIDE) // CHECKER_SQUARE
    pattern = (255 * ((places[:, None] + places[None]) % 2)).astype(np.uint8)
    means = Means()
    noisy = pictures_v1.awgn(pattern, CHECKER_SIGMA, 0)
    means.pair("checker", runner(noisy, "noise"), pattern / np.float32(255))
    return means.values()


class Spectra:
    """Radial power spectra of r_1..r_L over the pictures that a network looks at."""

    def __init__(self, network: PaperAddUNet) -> None:
        self._network = network
        self._sums = np.zeros((len(network.encoders), SPECTRUM_BINS))

    def look(self, runner: Runner, picture: Floats) -> None:
        """Take one picture's, of its middle."""
        side = min(SPECTRUM_SIDE, *picture.shape[:2])
        top, left = ((n - side) // 2 for n in picture.shape[:2])
        seen: list[Tensor] = []
        hooks = [
            encoder.register_forward_hook(lambda _module, _inputs, output: seen.append(F.relu(output)))
            for encoder in self._network.encoders
        ]
        runner(picture[top : top + side, left : left + side], "noise")
        for hook in hooks:
            hook.remove()
        for level, r in enumerate(seen):
            self._sums[level] += radial_power(r[0].float().cpu().numpy())

    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """Share of the power in each bin, over frequency in cycles per pixel, by level."""
        shares = self._sums / np.maximum(self._sums.sum(axis=1, keepdims=True), 1e-20)
        middles = (np.arange(SPECTRUM_BINS) + 0.5) * 0.5 / SPECTRUM_BINS
        return {
            f"r_{level}": [
                (round(float(f), 4), round(float(s), 7)) for f, s in zip(middles, row, strict=True)
            ]
            for level, row in enumerate(shares, 1)
        }


def radial_power(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Power of maps (C, S, S), without their means, in rings of frequencies up to 0.5, (SPECTRUM_BINS,)."""
    side = maps.shape[-1]
    window = np.hanning(side)[:, None] * np.hanning(side)[None]
    centred = maps - maps.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(np.fft.fft2(centred * window)) ** 2).mean(axis=0)
    frequencies = np.fft.fftfreq(side)
    radius = np.hypot(frequencies[:, None], frequencies[None])
    inside = radius < 0.5
    bins = (radius[inside] * 2 * SPECTRUM_BINS).astype(int)
    return np.asarray(np.bincount(bins, power[inside], SPECTRUM_BINS), np.float64)


def mean_frequency(curve: list[tuple[float, float]]) -> float:
    """Of a spectrum, cycles per pixel."""
    return sum(frequency * share for frequency, share in curve)


MEASURES: Mapping[Measure, Callable[[Runner, Bench], Figures]] = {
    "tasks": tasks,
    "noise": noise,
    "joint": joint,
    "gates": gates,
}
