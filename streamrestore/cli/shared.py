"""What all commands share: --debug, the consoles, and how an error is told."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import click

from streamrestore.render.words import plain

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Session:
    """What one run of the program remembers."""

    debug: bool = False


def debug_option(function: F) -> F:
    """Add ``--debug``; it works before and after the command's name."""
    option = click.option(
        "--debug", is_flag=True, is_eager=True, expose_value=False, callback=_remember_debug,
        help="Show the traceback of an error.",
    )  # fmt: skip
    return option(function)


def _remember_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).debug = True


@dataclass
class Lines:
    """How this process writes its lines on stderr."""

    json: bool = False


LINES = Lines()


def complain(error: BaseException, *, debug: bool, about: str = "") -> None:
    """Tell an error in one line on stderr, after its traceback if asked; its notes in one each.

    Args:
        about: name of what it concerns, told if the error does not tell it.
    """
    known = {"error": type(error).__name__}
    if debug and LINES.json:
        known["traceback"] = "".join(traceback.format_exception(error))
    elif debug:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    say(str(error) if about in str(error) else f"{about}: {error}", level="error", **known)
    for note in getattr(error, "__notes__", ()):
        if "\n" not in note:  # else it is a worker's traceback
            say(note, level="error")


Level = Literal["info", "warning", "error"]


def say(text: str, *, level: Level = "info", **known: str | float) -> None:
    """One line from the program on stderr; see `line_of`."""
    click.echo(line_of(text, level=level, **known), err=True)


def line_of(text: str, *, level: Level = "info", **known: str | float) -> str:
    """A line from the program, for people or as JSON, without its end.

    Args:
        known: what the text says, or more, for machines; left out of lines for people.
    """
    if not LINES.json:
        return f"streamrestore: {plain(text)}"
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": time, "level": level, "text": plain(text), **known})
