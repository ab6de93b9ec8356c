"""Handwritten digits with noise: recognition and restoration on a small labelled set.

The 1,797 pictures of 8x8 grey values that scikit-learn ships (UCI, "Optical Recognition of Handwritten
Digits", test part: Alpaydin, Kaynak, 1998). One in five is kept from training, at random: who wrote what is
not known, so that a hand may be on both sides.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from streamrestore.errors import UsageError
from training.config import TrainConfig
from training.samples import Batch

SIDE = 8
KEPT = 5
"""One in so many is not trained on."""


def read_digits(part: Literal["train", "split"]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Pictures (N, 1, 8, 8) in [0, 1], and labels (N,).

    Raises:
        UsageError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the digits come with scikit-learn ({error}): pip install 'streamrestore[training]'"
        ) from error

    found = load_digits()
    places = np.random.default_rng(0).permutation(len(found.target))
    kept = len(places) // KEPT
    chosen = places[kept:] if part == "train" else places[:kept]
    pictures = found.images[chosen, None] / np.float32(found.images.max())
    return pictures.astype(np.float32), found.target[chosen].astype(np.int64)


class DigitSamples(Dataset[Batch]):
    """Batches of a run that learns digits with white noise; its only task is ``noise``."""

    def __init__(self, config: TrainConfig) -> None:
        (self.task,) = config.tasks.values()
        self.seed, self.classes = config.seed, 10
        self.pictures, self.labels = read_digits("train")

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step])
        places = rng.integers(len(self.labels), size=self.task.batch)
        clean = self.pictures[places]
        noisy = clean + white_noise(rng, clean.shape, self.task.sigma or (0.0, 55.0))
        tasks = ("noise",) * len(places)
        return Batch(
            tasks,
            torch.from_numpy(noisy)[:, None],
            torch.from_numpy(clean),
            torch.from_numpy(self.labels[places]),
        )


def white_noise(
    rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, float]
) -> npt.NDArray[np.float32]:
    """Noise for pictures (N, ...), each with its own sigma between two on the scale from 0 to 255."""
    sigmas = rng.uniform(*sigma, size=(shape[0], *(1 for _ in shape[1:]))) / 255
    return (rng.standard_normal(shape) * sigmas).astype(np.float32)
