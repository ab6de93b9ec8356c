"""From estimates to decisions."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.route import policy
from streamrestore.route.policy import CHANGE_AFTER, MINIMUM_DWELL, Hold, decide, fade, hold, table_gain
from streamrestore.settings import PolicySettings, WrongBranchSettings
from streamrestore.weather import Weather, WeatherEstimate

RAIN, HAZE, DROPS, NOISE = Weather
TABLE: Mapping[Weather, Sequence[tuple[float, float]]] = {
    RAIN: [(0.0, 0.0), (0.05, 4.0), (0.2, 8.0)],
    HAZE: [(0.1, 1.0), (0.6, 7.0)],
    DROPS: [(0.0, 3.0)],
    NOISE: [(0.0, -1.0), (10.0, 3.0), (50.0, 9.0)],
}
THREE = WrongBranchSettings(rain=3.0, haze=3.0, raindrop=3.0, noise=3.0)
SETTINGS = PolicySettings(min_gain_db=0.5, wrong_branch_db=THREE, switch_cost_db=2.0)
"""Figures that the cases below are worked out for; the defaults may change."""
BOTH = msgspec.structs.replace(SETTINGS, max_passes=2)
FREE = msgspec.structs.replace(SETTINGS, switch_cost_db=0.0)


def seen(unknown: float = 0.0, **weathers: float) -> WeatherEstimate:
    """An estimate; weathers that are not named are absent, the others severe."""
    return WeatherEstimate(
        {w: weathers.get(w.value, 0.0) for w in Weather},
        unknown,
        {RAIN: 0.2, HAZE: 0.6, DROPS: 0.3, NOISE: 25.0},
    )


def paths(
    estimates: Sequence[WeatherEstimate], settings: PolicySettings = SETTINGS, **more: Any
) -> list[str]:
    """Labels of the decisions."""
    return [d.label for d in decide(estimates, settings, TABLE, **more)]


probabilities = st.floats(0, 1)
estimates = st.builds(
    lambda ps, unknown, severity: WeatherEstimate(
        dict(zip(Weather, ps, strict=True)), unknown, dict(zip(Weather, severity, strict=True))
    ),
    st.tuples(*[probabilities] * 4),
    probabilities,
    st.tuples(st.floats(0, 0.3), st.floats(0, 1), st.floats(0, 1), st.floats(0, 60)),
)
clips = st.lists(estimates, min_size=1, max_size=8)

CLEAN, RAINY, HAZY = seen(), seen(rain=0.97), seen(haze=0.97)


class TestGain:
    """The table of predicted gains."""

    @pytest.mark.parametrize(
        ("severity", "gain"), [(-1, 0), (0, 0), (0.025, 2), (0.05, 4), (0.125, 6), (0.2, 8), (9, 8)]
    )
    def test_linear_between_points(self, severity: float, gain: float) -> None:
        """And constant beyond them."""
        assert table_gain(TABLE, RAIN, severity) == pytest.approx(gain)
        assert table_gain(TABLE, DROPS, severity) == 3

    def test_points_of_one_severity(self) -> None:
        """Two figures at one place divide nothing by zero."""
        assert table_gain({RAIN: [(0.0, 1.0), (0.0, 2.0), (1.0, 3.0)]}, RAIN, 0.0) in (1.0, 2.0)
        assert table_gain({RAIN: [(0.0, 1.0), (0.5, 1.0), (0.5, 2.0)]}, RAIN, 0.5) in (1.0, 2.0)


class TestDecide:
    """Files: the whole video is seen."""

    @given(clips, st.sampled_from([SETTINGS, BOTH]), st.floats(0, 1.5), st.data())
    def test_pure(
        self, seq: list[WeatherEstimate], settings: PolicySettings, strength: float, data: st.DataObject
    ) -> None:
        """One decision per clip; the same input gives the same output, and is left as it was."""
        cuts = data.draw(st.lists(st.booleans(), min_size=len(seq), max_size=len(seq)))
        before = copy.deepcopy((seq, cuts))

        first = decide(seq, settings, TABLE, cuts=cuts, strength=strength)
        again = decide(seq, settings, TABLE, cuts=cuts, strength=strength)

        assert first == again
        assert (seq, cuts) == before
        assert [d.estimate for d in first] == seq
        assert all(d.strength == strength for d in first)
        for decision in first:
            assert len(decision.branches) <= settings.max_passes
            assert len(set(decision.branches)) == len(decision.branches)
            assert (decision.reason == "classified") == bool(decision.branches)

    @given(estimates, st.sampled_from(list(Weather)), probabilities)
    def test_monotone_in_probability(self, estimate: WeatherEstimate, weather: Weather, more: float) -> None:
        """What is chosen for a weather is still chosen if that weather is more probable."""
        (before,) = decide([estimate], SETTINGS, TABLE)
        raised = max(estimate.weathers[weather], more)
        surer = WeatherEstimate({**estimate.weathers, weather: raised}, estimate.unknown, estimate.severity)
        (after,) = decide([surer], SETTINGS, TABLE)

        if before.branches == (weather,):
            assert after.branches == (weather,)

    @given(estimates)
    def test_the_greatest_gain_wins(self, estimate: WeatherEstimate) -> None:
        """For a single clip: no other branch, nor bypass, promises more."""
        (decision,) = decide([estimate], SETTINGS, TABLE)
        gains = {o.branches: o.gain for o in policy.options(estimate, SETTINGS, TABLE)}

        assert gains[decision.branches] == max(gains.values())
        assert () in gains

    def test_clean_is_left_alone(self) -> None:
        """And says so."""
        (decision,) = decide([CLEAN], SETTINGS, TABLE)

        assert decision.bypass
        assert decision.reason == "clean"

    def test_weak_weather_is_left_alone(self) -> None:
        """Rain that nobody sees is not worth a branch, however certain it is."""
        drizzle = WeatherEstimate({**CLEAN.weathers, RAIN: 1.0}, 0.0, {RAIN: 0.002})

        assert paths([drizzle]) == ["none"]
        assert paths([RAINY]) == ["rain"]

    def test_unsure(self) -> None:
        """An unknown damage without a confident weather is not touched; with one it is that weather's."""
        (snow,) = decide([seen(unknown=0.9, rain=0.4)], SETTINGS, TABLE)
        (night,) = decide([seen(unknown=0.9, rain=0.95)], SETTINGS, TABLE)

        assert (snow.label, snow.reason) == ("none", "unsure")
        assert (night.label, night.reason) == ("rain", "classified")

    @given(st.tuples(*[st.floats(0, 0.49)] * 4), st.floats(0.5, 1))
    def test_unsure_is_bypassed_whatever_is_around_it(
        self, doubtful: tuple[float, ...], unknown: float
    ) -> None:
        """Neighbours do not talk it into a branch."""
        estimate = WeatherEstimate(dict(zip(Weather, doubtful, strict=True)), unknown, RAINY.severity)

        middle = decide([RAINY, RAINY, estimate, RAINY, RAINY], SETTINGS, TABLE)[2]

        assert (middle.branches, middle.reason) == ((), "unsure")

    def test_one_doubtful_clip_does_not_chatter(self) -> None:
        """A change must bring more than it costs, there and back."""
        doubtful = seen(rain=0.45, haze=0.5)
        assert paths([doubtful]) != ["rain"]

        assert paths([RAINY, RAINY, doubtful, RAINY]) == ["rain"] * 4
        assert paths([RAINY, doubtful, RAINY], FREE)[1] != "rain"

    def test_a_real_change_is_followed(self) -> None:
        """Clear, then rain, then haze: at the clip where it changes."""
        video = [CLEAN] * 3 + [RAINY] * 3 + [HAZY] * 3

        assert paths(video) == ["none"] * 3 + ["rain"] * 3 + ["haze"] * 3

    def test_a_scene_cut_frees(self) -> None:
        """What a new scene is has nothing to do with the last one."""
        little = seen(rain=0.4, haze=0.6)  # worth a branch, but not a change
        alone = paths([little])
        assert alone == ["haze"]

        assert paths([RAINY, little, RAINY]) == ["rain", "rain", "rain"]
        assert paths([RAINY, little, RAINY], cuts=[True, True, True]) == ["rain", "haze", "rain"]

    def test_two_passes(self) -> None:
        """Both weathers, the branch that gains more first; one pass takes that one alone."""
        mixed = seen(rain=0.95, haze=0.95)

        assert paths([mixed], BOTH) == ["rain+haze"]
        assert paths([mixed]) == ["rain"]
        hazier = WeatherEstimate(mixed.weathers, 0.0, {**mixed.severity, RAIN: 0.05})
        assert paths([hazier], BOTH) == ["haze+rain"]
        assert paths([RAINY], BOTH) == ["rain"]

    def test_branches_that_a_tier_lacks_are_not_chosen(self) -> None:
        """The table names those that there are."""
        (decision,) = decide([RAINY], SETTINGS, {HAZE: TABLE[HAZE]})

        assert decision.branches == ()

    def test_nothing(self) -> None:
        """No clips, no decisions."""
        assert decide([], SETTINGS, TABLE) == []

    def test_first_clip_costs_nothing(self) -> None:
        """Bypass is not what a file begins with."""
        barely = seen(rain=0.4)
        gains = {o.branches: o.gain for o in policy.options(barely, SETTINGS, TABLE)}
        assert 0 < gains[(RAIN,)] < SETTINGS.switch_cost_db

        assert paths([barely]) == ["rain"]


class TestHold:
    """Streams: only the past is seen."""

    def run(self, seen: Sequence[WeatherEstimate], state: Hold = Hold()) -> list[str]:  # noqa: B008 - frozen
        """Labels after each evaluation."""
        labels = []
        for estimate in seen:
            state = hold(state, estimate, SETTINGS, TABLE)
            labels.append("+".join(state.branches) or "none")
        return labels

    def test_a_rival_must_win_in_a_row(self) -> None:
        """A single evaluation changes nothing, nor do several with pauses between them."""
        old = Hold((RAIN,), age=50)

        assert self.run([HAZY, RAINY, HAZY, RAINY], old) == ["rain"] * 4
        assert self.run([HAZY] * CHANGE_AFTER, old) == ["rain"] * (CHANGE_AFTER - 1) + ["haze"]
        assert self.run([HAZY, CLEAN, HAZY, CLEAN], old) == ["rain"] * 4

    def test_a_branch_stays_a_while(self) -> None:
        """A change is not undone at once, even by a clear rival."""
        labels = self.run([HAZY] * CHANGE_AFTER + [CLEAN] * 8, Hold((RAIN,), age=50))

        assert labels.count("haze") >= MINIMUM_DWELL
        assert labels[-1] == "none"
        assert labels == sorted(labels, key=["rain", "haze", "none"].index)

    @given(clips)
    def test_never_chatters(self, seq: list[WeatherEstimate]) -> None:
        """Whatever comes, a branch lasts for the minimum dwell; and the function is pure."""
        states = [Hold()]
        for estimate in seq * 4:
            states.append(hold(states[-1], estimate, SETTINGS, TABLE))
            assert states[-1] == hold(states[-2], estimate, SETTINGS, TABLE)
        changes = [i for i in range(1, len(states)) if states[i].branches != states[i - 1].branches]

        assert all(b - a > MINIMUM_DWELL for a, b in pairwise(changes))

    def test_unsure_lets_go(self) -> None:
        """Snow after rain: bypassed once it is certain."""
        assert self.run([seen(unknown=0.9)] * 4, Hold((RAIN,), age=9))[-1] == "none"


class TestFade:
    """Strength over time."""

    @given(st.floats(0, 1.5), st.floats(0, 1.5), st.floats(0, 2))
    def test_moves_towards_the_target(self, strength: float, target: float, step: float) -> None:
        """By at most a step, and never beyond."""
        after = fade(strength, target, step)

        assert min(strength, target) <= after <= max(strength, target)
        assert abs(after - strength) <= step + 1e-12
        assert abs(after - target) <= max(0.0, abs(strength - target) - step) + 1e-12
