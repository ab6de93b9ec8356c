"""Measures, prints a table, and fails if a promise is broken."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from streamrestore.live.config import EngineSettings
from streamrestore.live.engines import Classifier, Engine, load_engines
from tests.live.figures import experiments
from tests.live.figures.parts import Figures


class Forced:
    """The fast tier, with one branch for everything: what a rainy day asks for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.apply_each = engine.apply_each

    def stream(self, branch: str, strength: float) -> Classifier:
        """See `Engine`."""
        del branch
        return self._engine.stream("rain", strength)


def rows(figures: Figures) -> list[str]:
    """Of a Markdown table."""
    told = [(p.text, p.measured, "yes" if p.kept else "**no**") for p in figures.promises]
    told += [(name, value, "") for name, value in figures.notes]
    return [f"| {figures.name} | {' | '.join(cells)} |" for cells in told]


@click.command()
@click.option("--seconds", default=20.0, show_default=True, help="Of each measurement.")
@click.option("--restarts", default=20, show_default=True, help="Of the camera.")
@click.option("--only", multiple=True, help="Experiments whose name has this word.")
def main(seconds: float, restarts: int, only: tuple[str, ...]) -> None:
    """Measure what the live service promises, with the fast tier, on this machine."""
    engine = Forced(load_engines(EngineSettings(), spare=False).full)

    def make() -> Engine:
        return engine

    planned: dict[str, Callable[[], Figures]] = {
        "restarts": lambda: experiments.restarts(make, restarts),
        "overload": lambda: experiments.overload(make, seconds),
        "deaf": lambda: experiments.deaf_subscriber(make, seconds),
        "fairness": lambda: experiments.fairness(make, seconds),
        "540p": lambda: experiments.real_time(make, seconds, (960, 540)),
        "720p": lambda: experiments.real_time(make, seconds, (1280, 720)),
    }
    broken = 0
    click.echo("| experiment | promise or figure | measured | kept |\n|---|---|---|---|")
    for name, measure in planned.items():
        if only and not any(word in name for word in only):
            continue
        figures = measure()
        click.echo("\n".join(rows(figures)))
        sys.stdout.flush()
        broken += sum(not promise.kept for promise in figures.promises)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
