"""``streamrestore doctor``: what is installed, used and missing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, starmap
from typing import TYPE_CHECKING

import click

from streamrestore.cli.shared import debug_option

if TYPE_CHECKING:
    from rich.console import Console

    from streamrestore.cli.checkup import Check, Checkup, Extra


@click.command(short_help="Show what is installed, what would be used, and what is missing.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@debug_option
def command(as_json: bool) -> int:
    """Show what is installed, what would be used and why, and what is missing.

    Encoders are really opened, and weights are compared with their published hashes. The status is 1
    if one of these fails.
    """
    from streamrestore.cli.checkup import check_up

    found = check_up()
    if as_json:
        from streamrestore.render.report_json import to_json

        click.echo(to_json(found), nl=False)
    else:
        from rich.console import Console

        show(found, Console(highlight=False))
    return 1 if found.problems else 0


def show(found: Checkup, console: Console) -> None:
    """Print a checkup for people."""
    from streamrestore.render.streams import pairs
    from streamrestore.render.words import size

    def section(title: str, rows: Iterable[tuple[str, str]]) -> None:
        console.print(title, style="bold underline")
        console.print(pairs(rows))
        console.print()

    machine = found.machine
    memory = size(machine.memory_bytes) if machine.memory_bytes is not None else "unknown"
    free = f", {size(machine.memory_free_bytes)} free" if machine.memory_free_bytes is not None else ""
    section("Installed", found.versions.items())
    section("Machine", [("system", machine.system), ("cores", str(machine.cores)), ("memory", memory + free)])
    section("Used", [(choice.name, f"{choice.value}: {choice.why}") for choice in found.choices])
    section(
        "Tiers", [(tier, ", ".join(starmap(_cost, costs.items()))) for tier, costs in found.tiers.items()]
    )
    section("Weights", map(_told, found.weights))
    section("Encoders", map(_told, found.encoders))
    section("Optional parts", chain.from_iterable(map(_extra, found.extras)))
    for problem in found.problems:
        console.print(f"problem: {problem}", style="bold red", markup=False)
    if not found.problems:
        console.print("everything that is needed works", style="green")


def _cost(branch: str, gmac: float | None) -> str:
    """A branch, and how much there is to compute for it."""
    return branch if gmac is None else f"{branch} {gmac:g}"


def _told(check: Check) -> tuple[str, str]:
    return check.name, f"DOES NOT WORK: {check.problem}" if check.problem else check.detail


def _extra(extra: Extra) -> list[tuple[str, str]]:
    """What is there of an optional part, and on a line of its own how to get the rest."""
    if not extra.missing:
        return [(extra.name, ", ".join(f"{name} {version}" for name, version in extra.installed.items()))]
    return [(extra.name, f"missing: {', '.join(extra.missing)}"), ("", extra.command)]
