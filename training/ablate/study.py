"""What is compared: a YAML with one training for all, and what each row of the table changes in it.

A trial is one row under one condition with one seed. Seed, crops and budget are the same for all rows, and
batch k of two rows is the same, since it follows from seed and k alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from streamrestore.errors import UsageError
from streamrestore.settings import Settings, read_settings, settings_hash
from training.config import TrainConfig

CONFIGS = Path(__file__).parents[2] / "configs"

Measure = Literal["tasks", "noise", "joint", "gates"]


class Variant(Settings, frozen=True):
    """A row, or a condition."""

    name: str
    change: dict[str, Any] = {}
    """What is other than in `Study.train`, key by key; a mapping with ``kind`` is taken whole."""
    published: dict[str, float] = {}
    """What the paper reports of this row, beside our figures; on its own data, by its own protocol."""


class Study(Settings, frozen=True, kw_only=True):
    """One ablation."""

    title: str
    measure: Measure
    """What is measured (`training.ablate.measure`)."""
    like: str = ""
    """Another study, whose `train` this one's completes: runs of both that are alike are done once."""
    train: dict[str, Any] = {}
    """Of a `training.config.TrainConfig` all but the name."""
    sets: tuple[str, ...]
    """Validation sets, by their names in `training.evaluate`."""
    conditions: tuple[Variant, ...] = (Variant(""),)
    """Each row is trained under each."""
    rows: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """What the command line says over the study; None: as the study says.

    Attributes:
        steps, minutes: of each trial; one of both at most.
        width: maps of every network.
    """

    steps: int | None = None
    minutes: float | None = None
    width: int | None = None

    def change(self) -> dict[str, Any]:
        """As a change of a training."""
        changed: dict[str, Any] = {}
        if self.steps is not None:
            changed["steps"] = self.steps
        if self.minutes is not None:
            changed |= {"steps": None, "minutes": self.minutes}
        if self.width is not None:
            changed["shape"] = {"width": self.width}
        return changed


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a study."""

    row: str
    condition: str
    config: TrainConfig

    @property
    def run(self) -> str:
        """What decides how it turns out, as a hash: trials with the same are the same."""
        return settings_hash(msgspec.structs.replace(self.config, name=""))

    @property
    def seed(self) -> int:
        """Of weights and batches."""
        return self.config.seed


def read_study(name: str, folder: Path = CONFIGS) -> Study:
    """The study ``ablate-NAME.yaml`` of a folder, or of a path that ends in ``.yaml``.

    Raises:
        UsageError: it is not there, or has unknown keys or bad values.
    """
    path = Path(name) if name.endswith(".yaml") else folder / f"ablate-{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem.removeprefix("ablate-") for p in folder.glob("ablate-*.yaml"))
        raise UsageError(f"{path}: no such study; known are {', '.join(known) or 'none'}")
    try:
        study = read_settings(Study, yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, UsageError) as error:
        raise UsageError(f"{path}: {error}") from error
    if not study.like:
        return study
    train = changed(read_study(study.like, path.parent).train, study.train)
    return msgspec.structs.replace(study, like="", train=train)


def trials(study: Study, seeds: int, budget: Budget) -> list[Trial]:
    """All of a study; the first seed of every row comes before the second of any.

    Raises:
        UsageError: two rows of one name, or a change that no training knows.
    """
    for kind in (study.rows, study.conditions):
        names = [variant.name for variant in kind]
        if len(set(names)) < len(names):
            raise UsageError(f"{study.title}: two rows or conditions have the same name ({', '.join(names)})")
    return [
        Trial(row.name, condition.name, _config(study, row, condition, seed, budget))
        for seed in range(seeds)
        for condition in study.conditions
        for row in study.rows
    ]


def _config(study: Study, row: Variant, condition: Variant, seed: int, budget: Budget) -> TrainConfig:
    values: Mapping[str, Any] = study.train
    for change in (condition.change, row.change, budget.change()):
        values = changed(values, change)
    name = " ".join(_words(row, condition))
    try:
        return read_settings(TrainConfig, {**values, "name": name, "seed": seed})
    except UsageError as error:
        raise UsageError(f"{study.title}, {name}: {error}") from error


def _words(*variants: Variant) -> Iterator[str]:
    yield from (variant.name for variant in variants if variant.name)


def changed(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Values with a change laid over them, mapping by mapping."""
    merged = dict(values)
    for key, new in change.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping) and "kind" not in new:
            merged[key] = changed(old, new)
        else:
            merged[key] = new
    return merged


def chosen(made: Sequence[Trial], only: Sequence[str]) -> list[Trial]:
    """Trials of some rows; of all if none is named.

    Raises:
        UsageError: no such row.
    """
    rows = list(dict.fromkeys(trial.row for trial in made))
    for name in only:
        if name not in rows:
            raise UsageError(f"there is no row {name!r}; rows are {', '.join(rows)}")
    return [trial for trial in made if not only or trial.row in only]
