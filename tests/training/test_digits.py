"""The labelled set."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from streamrestore.errors import UsageError
from streamrestore.settings import read_settings
from training.config import TrainConfig
from training.digits import DigitSamples, read_digits


def test_parts() -> None:
    """All pictures are in one part, most of them trained on; values in [0, 1]."""
    (pictures, labels), (kept, held) = read_digits("train"), read_digits("split")

    assert (len(labels), len(held)) == (1438, 359)
    assert pictures.shape[1:] == kept.shape[1:] == (1, 8, 8)
    assert (pictures.min(), pictures.max()) == (0.0, 1.0)
    assert set(labels) == set(held) == set(range(10))
    everything = np.concatenate([pictures, kept])
    assert len(np.unique(everything.reshape(len(everything), -1), axis=0)) == 1797


def test_batches() -> None:
    """Each follows from seed and number; noise of the sigma asked for; labels belong to their pictures."""
    values = {
        "name": "a", "network": "addunet-paper", "labelled": "digits", "clean": [],
        "tasks": {"noise": {"batch": 200, "sigma": [50, 50]}},
    }  # fmt: skip
    samples = DigitSamples(read_settings(TrainConfig, values))

    batch, again, other = samples[3], samples[3], samples[4]

    assert batch.degraded.shape == (200, 1, 1, 8, 8)
    assert torch.equal(batch.degraded, again.degraded)
    assert not torch.equal(batch.target, other.target)
    noise = batch.degraded[:, 0] - batch.target
    assert float(noise.std()) * 255 == pytest.approx(50, rel=0.03)
    known = {p.tobytes(): label for p, label in zip(samples.pictures, samples.labels, strict=True)}
    assert [known[p.numpy().tobytes()] for p in batch.target] == batch.labels.tolist()


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence with the command that installs it."""
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)

    with pytest.raises(UsageError, match=r"pip install 'streamrestore\[training\]'"):
        read_digits("train")
