"""Measures, prints a table, writes JSON, and fails if a promise is broken."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from streamrestore.compute import choose_compute
from streamrestore.live.config import EngineSettings
from streamrestore.live.engines import Classifier, Engine, load_engines
from tests.live.figures.audiences import curve, deaf_subscriber, late_joiners
from tests.live.figures.experiments import eight, fairness, overload, real_time
from tests.live.figures.faults import faults, restarts
from tests.live.figures.parts import Figures
from tests.live.figures.soak import soak


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


def broken(figures: Figures) -> list[str]:
    """Promises that do not hold, in words."""
    return [f"{figures.name}: {p.text}: {p.measured}" for p in figures.promises if not p.kept]


@click.command()
@click.argument("parts", nargs=-1)
@click.option(
    "--seconds", default=20.0, show_default=True, help="Of each measurement that says nothing else."
)
@click.option("--restarts", "killed", default=20, show_default=True, help="Of the camera.")
@click.option("--faults", "others", default=3, show_default=True, help="Of each other kind.")
@click.option("--deaf", default=60.0, show_default=True, help="Seconds in which a subscriber does not read.")
@click.option("--joiners", default=100, show_default=True, help="Subscribers that come late.")
@click.option("--connections", default=10_000, show_default=True, help="Of random bytes.")
@click.option("--minutes", default=30.0, show_default=True, help="Of the soak.")
@click.option("--threads", default=EngineSettings().threads, show_default=True, help="Of torch.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write all figures to this file, too.")
def main(
    parts: tuple[str, ...], seconds: float, killed: int, others: int, deaf: float, joiners: int,
    connections: int, minutes: float, threads: int, file: Path | None,
) -> None:  # fmt: skip
    """Measure what the live service promises, with the fast tier, on this machine.

    PARTS: restarts, faults, overload, deaf, joiners, curve, fairness, eight, 540p, 720p, soak; all of them if
    none is named.
    """
    settings = EngineSettings(threads=threads)
    compute = choose_compute(settings.device, settings.precision, settings.threads)
    engine = Forced(load_engines(settings, spare=False).full)

    def make() -> Engine:
        return engine

    fast_enough = compute.precision == "bf16"
    planned: dict[str, Callable[[], Figures]] = {
        "restarts": lambda: restarts(make, killed),
        "faults": lambda: faults(make, others),
        "overload": lambda: overload(make, seconds),
        "deaf": lambda: deaf_subscriber(make, deaf),
        "joiners": lambda: late_joiners(make, joiners),
        "curve": lambda: curve(make, seconds / 2, connections),
        "fairness": lambda: fairness(make, seconds),
        "eight": lambda: eight(make, seconds),
        "540p": lambda: real_time(make, seconds, (960, 540)),
        "720p": lambda: real_time(make, seconds, (1280, 720), no_drops=fast_enough),
        "soak": lambda: soak(minutes),
    }
    unknown = set(parts) - set(planned)
    if unknown:
        raise click.UsageError(
            f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(planned)}"
        )
    wrong: list[str] = []
    measured: dict[str, Any] = {}
    click.echo("| experiment | promise or figure | measured | kept |\n|---|---|---|---|")
    for name in parts or planned:
        begun = time.monotonic()
        figures = planned[name]()
        click.echo("\n".join(rows(figures)))
        sys.stdout.flush()
        wrong += broken(figures)
        measured[name] = {**asdict(figures), "seconds": round(time.monotonic() - begun, 1)}
        if file is not None:
            file.write_text(
                json.dumps({"precision": compute.precision, "threads": threads, "parts": measured}, indent=2)
                + "\n"
            )
    for text in wrong:
        click.echo(f"broken: {text}", err=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
