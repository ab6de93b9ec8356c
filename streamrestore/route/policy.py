"""From estimates to decisions. Pure: no clock, no network, no hidden state."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamrestore.settings import PolicySettings
from streamrestore.weather import Decision, Reason, Weather, WeatherEstimate

GainTable = Mapping[Weather, Sequence[tuple[float, float]]]
"""Gain in dB of a branch on its own weather, as (severity, gain) points in rising order.

Weathers without a branch in the tier are not in it."""

Path = tuple[Weather, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that could be done with a clip."""

    branches: Path
    gain: float
    """Predicted, in dB, less the least gain that is worth a branch."""


def table_gain(table: GainTable, weather: Weather, severity: float) -> float:
    """Linear between the table's points, constant beyond them."""
    points = table[weather]
    place = bisect.bisect_left(points, (severity,))
    if place == 0:
        return points[0][1]
    if place == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[place - 1], points[place]
    return y0 + (y1 - y0) * (severity - x0) / (x1 - x0)


def is_unsure(estimate: WeatherEstimate, settings: PolicySettings) -> bool:
    """An unknown damage without a confident weather: rain at night is still rain."""
    confident = any(p >= settings.confident for p in estimate.weathers.values())
    return estimate.unknown >= settings.unknown and not confident


def prospects(estimate: WeatherEstimate, settings: PolicySettings, table: GainTable) -> dict[Weather, float]:
    """What each branch promises, in dB above the least gain that is worth a branch.

    That is its predicted gain if its weather is there, and `wrong_branch_db` lost if it is not.
    """
    return {
        w: p * table_gain(table, w, estimate.severity.get(w, 0.0))
        - (1 - p) * getattr(settings.wrong_branch_db, w.value)
        - settings.min_gain_db
        for w, p in estimate.weathers.items()
        if w in table
    }


def options(estimate: WeatherEstimate, settings: PolicySettings, table: GainTable) -> list[Option]:
    """Bypass, and each branch that could be right; with two passes, pairs, too.

    In a pair the branch that promises more comes first.
    """
    choices = [Option((), 0.0)]
    if is_unsure(estimate, settings):
        return choices
    gains = prospects(estimate, settings, table)
    choices += [Option((w,), gain) for w, gain in gains.items()]
    if settings.max_passes == 2:
        for first, second in itertools.combinations(sorted(gains, key=lambda w: -gains[w]), 2):
            if min(gains[first], gains[second]) > 0:
                choices.append(Option((first, second), gains[first] + gains[second]))
    return choices


def decide(
    estimates: Sequence[WeatherEstimate],
    settings: PolicySettings,
    table: GainTable,
    *,
    cuts: Sequence[bool] = (),
    strength: float = 1.0,
) -> list[Decision]:
    """Decisions for the clips of a whole file: the path of greatest total gain.

    A change of branch between neighbouring clips costs `switch_cost_db` (Viterbi's algorithm), so
    that one doubtful clip does not make the picture chatter.

    Args:
        estimates: one per clip, in order.
        cuts: whether a clip begins a new scene; a change costs nothing there. Empty: none does.
    """
    if not estimates:
        return []
    starts = list(cuts) or [False] * len(estimates)
    best: dict[Path, float] = {}
    steps: list[dict[Path, Path]] = []
    for estimate, fresh in zip(estimates, starts, strict=True):
        now, origin = {}, {}
        cost = 0.0 if fresh else settings.switch_cost_db
        for option in options(estimate, settings, table):
            scores = {
                path: total - (cost if path != option.branches else 0.0) for path, total in best.items()
            }
            source = max(scores, key=lambda path: scores[path], default=option.branches)
            origin[option.branches] = source
            now[option.branches] = scores.get(source, 0.0) + option.gain
        best = now
        steps.append(origin)
    path = max(best, key=lambda p: best[p])
    chosen = [path]
    for origin in reversed(steps[1:]):
        path = origin[path]
        chosen.append(path)
    return [
        Decision(branches, strength, reason_of(branches, estimate, settings), estimate)
        for branches, estimate in zip(reversed(chosen), estimates, strict=True)
    ]


def reason_of(branches: Path, estimate: WeatherEstimate, settings: PolicySettings) -> Reason:
    """Why these branches, or none, were chosen."""
    if branches:
        return "classified"
    return "unsure" if is_unsure(estimate, settings) else "clean"


@dataclass(frozen=True, slots=True)
class Hold:
    """What a stream is doing: the branch, since how many evaluations, and who wants to replace it."""

    branches: Path = ()
    age: int = 0
    rival: Path = ()
    wins: int = 0


MINIMUM_DWELL = 3
"""Evaluations that a branch stays at least."""
CHANGE_AFTER = 2
"""Evaluations in a row that a rival must win."""


def hold(state: Hold, estimate: WeatherEstimate, settings: PolicySettings, table: GainTable) -> Hold:
    """The next state of a stream, which sees only the past: hysteresis and a minimum dwell."""
    choices = {o.branches: o.gain for o in options(estimate, settings, table)}
    winner = max(choices, key=lambda path: choices[path])
    if winner == state.branches:
        return Hold(state.branches, state.age + 1)
    wins = state.wins + 1 if winner == state.rival else 1
    if wins >= CHANGE_AFTER and state.age >= MINIMUM_DWELL:
        return Hold(winner)
    return Hold(state.branches, state.age + 1, winner, wins)


def fade(strength: float, target: float, step: float) -> float:
    """Strength moved towards its target by at most `step`."""
    return min(target, strength + step) if target > strength else max(target, strength - step)
