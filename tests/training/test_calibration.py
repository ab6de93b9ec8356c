"""Probabilities are held against what was so, and severities against what was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from streamrestore.networks import registry
from streamrestore.weights import store
from tests.training.pictures import write_clean, write_pairs
from training.calibration import calibration_error, main, rank_correlation
from training.data import in_part

SPLIT = [str(n) for n in range(400) if in_part(str(n), "split")][:2]


def test_who_says_three_quarters_and_is_right_as_often_is_calibrated() -> None:
    """And who says so of everything and is always right is a quarter off."""
    probability = np.full(400, 0.75)
    truth = (np.arange(400) % 4 < 3).astype(float)

    assert calibration_error(probability, truth) == pytest.approx(0.0)
    assert calibration_error(probability, np.ones(400)) == pytest.approx(0.25)
    assert calibration_error(np.ones(10), np.zeros(10)) == pytest.approx(1.0)


def test_errors_of_different_bins_do_not_cancel() -> None:
    """Too sure of some, and not sure enough of others."""
    probability = np.repeat([0.2, 0.8], 100)
    truth = np.repeat([0.0, 1.0], 100)

    assert calibration_error(probability, truth) == pytest.approx(0.2)


def test_ranks_see_order_alone() -> None:
    """A curve that only rises correlates wholly; one that falls, the other way."""
    values = np.random.default_rng(0).uniform(0, 1, 50)

    assert rank_correlation(values, np.exp(5 * values)) == pytest.approx(1.0)
    assert rank_correlation(values, -values) == pytest.approx(-1.0)


def test_the_command_prints_each_label_on_each_part(tmp_path: Path) -> None:
    """With a router that knows nothing, on a data set of a few pictures."""
    stems = [*SPLIT, *(str(n) for n in range(400, 404))]
    for folder in ("clean", "real/rain", "real/fog", "real/clear"):
        write_clean(tmp_path / folder, stems)
    for weather in ("raindrop", "snow", "night", "other"):
        (tmp_path / "real" / weather).mkdir()
    write_pairs(tmp_path / "wet", stems)
    config = tmp_path / "router.yaml"
    config.write_text("{clean: [clean], real: real, pairs: {wet: rain}}")
    weights = tmp_path / "router.safetensors"
    store.write(weights, "routernet", registry.build("routernet", {}), {})

    args = [str(config), str(weights), "--data", str(tmp_path), "--count", "12"]
    done = CliRunner().invoke(main, args, catch_exceptions=False)

    assert done.exit_code == 0
    rows = [line.split(" | ") for line in done.output.splitlines() if line.startswith("| ")]
    assert {(row[0].strip("| "), row[1]) for row in rows[1:]} >= {("rain", "made"), ("haze", "real")}
