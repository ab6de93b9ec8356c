"""``python -m tests.reliability [NAME...]``: a table of what held and what did not."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from streamrestore import __version__
from tests.reliability import containers, damage, full_disk, killing, memory, tampering
from tests.reliability.result import Asked, Row, table

EXPERIMENTS: dict[str, Callable[[Asked], list[Row]]] = {
    "containers": containers.run,
    "damage": damage.run,
    "killing": killing.run,
    "tampering": tampering.run,
    "full-disk": full_disk.run,
    "memory": memory.run,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(EXPERIMENTS)))
@click.option("--count", type=int, help="Cases of each; minutes of the long file.")
@click.option("--seed", default=0, show_default=True, help="Draws the cases.")
@click.option("--first", default=0, show_default=True, help="Number of the first case, to try one again.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for damaged inputs that fail.")
@click.option("--out", type=click.Path(path_type=Path), default="reliability.json", show_default=True)
def main(
    names: tuple[str, ...], count: int | None, seed: int, first: int, keep: Path | None, out: Path
) -> None:
    """Try what is promised, all of it or what is named; exit with 1 if a promise is broken."""
    asked = Asked(count, seed, first, keep)
    found: dict[str, list[Row]] = {}
    for name in names or EXPERIMENTS:
        began = time.monotonic()
        found[name] = EXPERIMENTS[name](asked)
        click.echo(f"{name}: {time.monotonic() - began:.0f} s", err=True)
        data = {"version": __version__, "seed": seed, "experiments": found}
        out.write_bytes(msgspec.json.format(msgspec.json.encode(data), indent=1))
    rows = [row for group in found.values() for row in group]
    click.echo(table(rows))
    failures = [failure for row in rows for failure in row.failures]
    for failure in failures:
        click.echo(f"{failure.number}: {failure.case}: {failure.what}", err=True)
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
