"""Run an ablation: ``python -m training.ablate NAME --data DIR --val DIR``.

NAME is ``uffn``, ``addunet``, ``joint`` or ``alpha`` (`configs/ablate-NAME.yaml`), or a YAML of one's own. A
trial that is done is not done again; one that was broken off goes on where it was. Under OUT/NAME lie
``results.jsonl``, ``table.md`` and charts, made anew after each trial.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click
import torch
from torch import nn

from streamrestore.errors import StreamRestoreError
from streamrestore.networks import registry
from streamrestore.networks.cost import gmac_per_megapixel
from streamrestore.seams import Network
from streamrestore.weights import store
from training import objectives
from training.ablate.measure import Bench, measure, open_bench
from training.ablate.report import Findings, charts, markdown
from training.ablate.results import Figures, Result, read_results, write_results
from training.ablate.study import Budget, Study, Trial, chosen, read_study, trials
from training.train import LOG, WEIGHTS, train


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study's data are, and where its results go.

    Attributes:
        runs: folder of the trainings, which studies share.
        cache: of decoded pictures.
    """

    data: Path
    runs: Path
    folder: Path
    cache: Path
    workers: int
    threads: int


def run(
    study: Study, made: Sequence[Trial], only: Sequence[str], bench: Bench, place: Place, command: str
) -> None:
    """Train and measure what is not done yet of some rows; show what is known of all.

    Raises:
        UsageError: no such row, or a file of results that cannot be read.
    """
    wanted = chosen(made, only)
    path = place.folder / "results.jsonl"
    place.folder.mkdir(parents=True, exist_ok=True)
    results = read_results(path)
    for number, trial in enumerate(wanted, 1):
        about = f"{number} of {len(wanted)}: {trial.config.name}, seed {trial.seed}"
        if _result(results, trial, bench) is not None:
            click.echo(f"{about}: done before")
            continue
        click.echo(about)
        result = one(study, trial, bench, place)
        results.append(result)
        write_results(path, results)
        show(Findings(study, _results(results, made, bench)), place.folder, command)
    show(Findings(study, _results(results, made, bench)), place.folder, command)


def one(study: Study, trial: Trial, bench: Bench, place: Place) -> Result:
    """Train and measure one trial."""
    folder = place.runs / trial.run
    train(trial.config, place.data, folder, place.workers, place.threads, place.cache)
    weights = store.read(folder / WEIGHTS)
    network = weights.build()
    figures = measure(study.measure, trial.config, network, bench)
    series = {**figures.series, "loss": loss_curve(folder / LOG)}
    return Result(
        row=trial.row,
        condition=trial.condition,
        seed=trial.seed,
        run=trial.run,
        pictures=bench.pictures,
        network=trial.config.network,
        parameters=sum(p.numel() for p in network.parameters()),
        gmac_per_megapixel=round(_cost(network), 2),
        steps=int(weights.notes["steps"]),
        minutes=float(weights.notes["minutes"]),
        commit=commit(),
        device=str(bench.device),
        figures=Figures(figures.values, series),
    )


def show(findings: Findings, folder: Path, command: str) -> None:
    """Write the table and the charts."""
    (folder / "table.md").write_text(markdown(findings, command))
    for name, drawn in charts(findings).items():
        (folder / f"{name}.svg").write_text(drawn)


def loss_curve(log: Path) -> list[tuple[float, float]]:
    """(step, mean loss) from a run's log."""
    if not log.exists():
        return []
    with log.open(newline="") as file:
        rows = [*csv.reader(file)]
    return [(float(step), float(loss.partition("=")[2])) for step, _, loss, *_ in rows]


def commit() -> str:
    """Of the code; nothing where git or a checkout is not there."""
    git = shutil.which("git")
    if git is None:
        return ""
    words = [git, "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    asked = subprocess.run(words, check=False, capture_output=True, text=True)  # noqa: S603 - our own words
    return asked.stdout.strip() if asked.returncode == 0 else ""


def check(made: Sequence[Trial]) -> None:
    """Find out before the first training whether each can be done.

    Raises:
        UsageError: a network that its objective cannot ask.
        WeightsError: no such network, or field of its shape.
    """
    for trial in made:
        network = registry.build(trial.config.network, trial.config.shape)
        classes = 10 if trial.config.labelled else len(trial.config.tasks)
        objectives.check(trial.config, network, classes)


def _cost(module: nn.Module) -> float:
    network = cast("Network", module)
    return gmac_per_megapixel(network, network.branches[0])


def _result(results: Sequence[Result], trial: Trial, bench: Bench) -> Result | None:
    """What was found of a trial, the last time."""
    wanted = (trial.row, trial.condition, trial.run, bench.pictures)
    found = [r for r in results if (r.row, r.condition, r.run, r.pictures) == wanted]
    return found[-1] if found else None


def _results(results: Sequence[Result], made: Sequence[Trial], bench: Bench) -> list[Result]:
    return [found for trial in made if (found := _result(results, trial, bench)) is not None]


@click.command()
@click.argument("name")
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="Training data.")
@click.option("--val", required=True, type=click.Path(exists=True, path_type=Path), help="Validation sets.")
@click.option("--out", default="runs/ablate", show_default=True, type=click.Path(path_type=Path))
@click.option("--minutes", type=click.FloatRange(min=0), help="Of each trial, over the study's budget.")
@click.option("--steps", type=click.IntRange(min=1), help="Of each trial, over the study's budget.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--width", type=click.IntRange(min=1), help="Maps of every network, over the study's.")
@click.option(
    "--pictures", default=0, type=click.IntRange(min=0), help="Of each set at most; all by default."
)
@click.option("--only", multiple=True, metavar="ROW", help="Train these rows; all by default.")
@click.option("--workers", default=1, show_default=True, help="Processes that make batches; 0: none.")
@click.option("--threads", default=1, show_default=True, help="Threads of torch.")
@click.pass_context
def main(
    context: click.Context,
    name: str,
    data: Path,
    val: Path,
    out: Path,
    minutes: float | None,
    steps: int | None,
    seeds: int,
    width: int | None,
    pictures: int,
    only: tuple[str, ...],
    workers: int,
    threads: int,
) -> None:
    """Train and measure the rows of the study NAME."""
    if minutes is not None and steps is not None:
        raise click.UsageError("give --minutes or --steps, not both")
    try:
        study = read_study(name)
        made = trials(study, seeds, Budget(steps, minutes, width))
        check(chosen(made, only))
        bench = open_bench(val, study.sets, pictures)
        title = Path(name).stem.removeprefix("ablate-")
        place = Place(data, out / "runs", out / title, out / "cache", workers, threads)
        torch.set_num_threads(threads)
        run(study, made, only, bench, place, told(context))
    except (StreamRestoreError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{place.folder / 'table.md'}")


def told(context: click.Context) -> str:
    """The command without where things lie."""
    shown = {
        key: value for key, value in context.params.items() if key in ("minutes", "steps", "seeds", "width")
    }
    words = [f"--{key} {value:g}" for key, value in shown.items() if value is not None]
    return " ".join(
        ["python -m training.ablate", str(context.params["name"]), "--data DIR --val DIR", *words]
    )


if __name__ == "__main__":
    main()
