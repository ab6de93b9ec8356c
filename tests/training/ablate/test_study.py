"""Studies: from YAML to trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from streamrestore.errors import UsageError
from training.ablate.__main__ import check
from training.ablate.study import CONFIGS, Budget, Study, changed, chosen, read_study, trials
from training.config import Joint, SquaredError, TrainConfig

NAMES = sorted(path.stem.removeprefix("ablate-") for path in CONFIGS.glob("ablate-*.yaml"))
STUDY: dict[str, Any] = {
    "title": "t",
    "measure": "noise",
    "sets": ["kodak24"],
    "train": {
        "network": "addunet-paper", "shape": {"width": 8, "channels": 1}, "clean": ["clean"], "steps": 9,
        "objective": {"kind": "squared"}, "tasks": {"noise": {"crop": 32}},
    },
    "conditions": [{"name": str(s), "change": {"tasks": {"noise": {"sigma": [s, s]}}}} for s in (15, 50)],
    "rows": [{"name": "real"}, {"name": "pseudo", "change": {"shape": {"real": False}}}],
}  # fmt: skip


STUDYS = Budget()
"""As the study says."""


def write(folder: Path, name: str = "a", **change: Any) -> None:
    """A study's file."""
    (folder / f"ablate-{name}.yaml").write_text(yaml.safe_dump(STUDY | change))


def made(folder: Path, seeds: int = 1, budget: Budget = STUDYS, name: str = "a") -> Any:
    """Trials by row, condition and seed."""
    return {(t.row, t.condition, t.seed): t for t in trials(read_study(name, folder), seeds, budget)}


def without(config: TrainConfig, *fields: str) -> dict[str, Any]:
    """A training but for some fields."""
    return {k: v for k, v in msgspec.to_builtins(config).items() if k not in ("name", *fields)}


def test_all_is_equal_but_the_row(tmp_path: Path) -> None:
    """Crops, batches, budget and seed; the first seed of all comes before the second of any."""
    write(tmp_path)

    found = made(tmp_path, seeds=2)

    assert [seed for _, _, seed in found] == [0] * 4 + [1] * 4
    real, pseudo = found["real", "15", 1].config, found["pseudo", "15", 1].config
    assert without(real, "shape") == without(pseudo, "shape")
    assert pseudo.shape == {**real.shape, "real": False}
    other = found["real", "50", 1].config
    assert without(real, "tasks") == without(other, "tasks")
    assert (real.tasks["noise"].sigma, other.tasks["noise"].sigma) == ((15, 15), (50, 50))
    assert len({trial.run for trial in found.values()}) == 8


def test_budget(tmp_path: Path) -> None:
    """The command line's goes over the study's, for all rows."""
    write(tmp_path)

    for budget, expected in (
        (Budget(), (9, 8)),
        (Budget(steps=5), (5, 8)),
        (Budget(minutes=2.0, width=4), (None, 4)),
    ):
        configs = [trial.config for trial in made(tmp_path, budget=budget).values()]
        assert {(config.steps, config.shape["width"]) for config in configs} == {expected}
    assert {config.minutes for config in configs} == {2.0}


def test_trainings_are_shared(tmp_path: Path) -> None:
    """A study like another has its training; what is alike is done once, whatever it is called."""
    write(tmp_path)
    rows = [{"name": "with subtraction"}, {"name": "narrow", "change": {"shape": {"width": 4}}}]
    write(tmp_path, "b", like="a", train={}, rows=rows)

    a, b = made(tmp_path), made(tmp_path, name="b")

    assert a["real", "15", 0].run == b["with subtraction", "15", 0].run
    assert b["narrow", "15", 0].run not in {trial.run for trial in a.values()}


def test_a_line_more_is_a_row_more(tmp_path: Path) -> None:
    """And the other rows are what they were."""
    write(tmp_path)
    before = made(tmp_path)
    write(
        tmp_path, rows=[*STUDY["rows"], {"name": "wide kernels", "change": {"shape": {"kernels": [11, 9]}}}]
    )

    after = made(tmp_path)

    assert {key: trial.run for key, trial in before.items()}.items() <= {
        k: t.run for k, t in after.items()
    }.items()
    assert after["wide kernels", "50", 0].config.shape["kernels"] == [11, 9]


def test_changed() -> None:
    """Mapping by mapping; one that says its kind is taken whole, others keep the rest."""
    values = {"objective": {"kind": "joint", "weight": 0.1}, "shape": {"a": 1, "b": 2}}

    assert changed(values, {"objective": {"weight": 1.0}, "shape": {"b": 3}}) == {
        "objective": {"kind": "joint", "weight": 1.0}, "shape": {"a": 1, "b": 3},
    }  # fmt: skip
    assert changed(values, {"objective": {"kind": "squared"}})["objective"] == {"kind": "squared"}
    assert values["shape"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": [{"name": "x"}, {"name": "x"}]}, "the same name"),
        ({"rows": [{"name": "x", "change": {"stesp": 3}}]}, "x 15.*stesp.*did you mean 'steps'"),
        ({"rows": [{"nam": "x"}]}, "a.yaml.*nam"),
        ({"measure": "speed"}, "a.yaml.*speed"),
        ({"like": "nothing"}, "ablate-nothing.yaml: no such study; known are a"),
    ],
)
def test_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """What is wrong, and where."""
    write(tmp_path, **change)
    with pytest.raises(UsageError, match=words):
        made(tmp_path)


def test_chosen(tmp_path: Path) -> None:
    """Some rows, under all conditions."""
    write(tmp_path)
    found = [*made(tmp_path).values()]

    assert {trial.row for trial in chosen(found, ["pseudo"])} == {"pseudo"}
    assert chosen(found, []) == found
    with pytest.raises(UsageError, match="no row 'psuedo'; rows are real, pseudo"):
        chosen(found, ["psuedo"])


@pytest.mark.parametrize("name", NAMES)
def test_ours(name: str) -> None:
    """Every study that we keep: its networks can be built, and asked what is to be minimised."""
    found = trials(read_study(name), 1, Budget())

    check(found)

    assert all(trial.config.steps for trial in found)
    if name == "joint":
        kinds = {type(trial.config.objective) for trial in found}
        assert kinds == {SquaredError, Joint}


def test_alpha_is_done_by_addunet() -> None:
    """The networks whose gates are swept are those that the other study compares."""
    runs = {trial.run for trial in trials(read_study("addunet"), 3, Budget())}

    assert {trial.run for trial in trials(read_study("alpha"), 3, Budget())} <= runs


def test_settings_are_checked() -> None:
    """A study is settings like any others."""
    with pytest.raises(msgspec.ValidationError, match="rows"):
        msgspec.convert({k: v for k, v in STUDY.items() if k != "rows"}, Study)
