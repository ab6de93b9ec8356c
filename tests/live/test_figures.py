"""The experiments of ``make live-figures``, short: they run, and what does not depend on speed holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.live.engines import ToldEngine
from tests.live.figures import audiences, experiments, faults
from tests.live.figures.__main__ import broken, rows
from tests.live.figures.clock import PERIOD, age_ms, draw, read
from tests.live.figures.parts import Figures, Promise


@given(st.integers(0, 2**48), st.sampled_from([(64, 48), (99, 35), (320, 180)]), st.integers(-20, 20))
def test_the_clock_can_be_read(milliseconds: int, size: tuple[int, int], shift: int) -> None:
    """Whatever the time and the size, and though samples change."""
    luma = np.zeros(size[::-1], np.uint8)
    draw(luma, milliseconds)

    changed = luma.astype(int) + shift

    assert read(changed) == milliseconds % PERIOD
    assert age_ms(changed, milliseconds + 1234) == 1234


def test_what_is_no_clock() -> None:
    """Noise is not taken for a time, as good as ever."""
    random = np.random.default_rng(0)

    assert sum(read(random.integers(0, 256, (4, 8))) is not None for _ in range(200)) < 40


@pytest.mark.network
@pytest.mark.parametrize(
    "measure",
    [
        lambda: faults.restarts(ToldEngine, 1),
        lambda: experiments.overload(ToldEngine, 1.0, (64, 48)),
        lambda: experiments.eight(ToldEngine, 1.0, 2, (64, 48)),
        lambda: audiences.late_joiners(ToldEngine, 2),
        lambda: audiences.curve(ToldEngine, 0.5, 10),
    ],
    ids=["restarts", "overload", "eight", "joiners", "curve"],
)
def test_smoke(measure) -> None:
    """Nothing is lost uncounted, and nothing is left behind."""
    figures = measure()

    assert [promise for promise in figures.promises if not (promise.kept or promise.timing)] == []
    assert any(not promise.timing for promise in figures.promises)


def test_a_broken_promise_is_shown() -> None:
    """So that nobody overlooks it."""
    figures = Figures("rain", [Promise("dry", "wet", kept=False)], [("water", "3 l")])

    assert rows(figures) == ["| rain | dry | wet | **no** |", "| rain | water | 3 l |  |"]
    assert broken(figures) == ["rain: dry: wet"]
