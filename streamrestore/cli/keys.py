"""``streamrestore keys``: who may watch a service over the network."""

from __future__ import annotations

from pathlib import Path

import click

from streamrestore.cli.shared import debug_option
from streamrestore.render.words import plain

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group(short_help="Make keys, so that other machines may watch a service.")
@debug_option
def command() -> None:
    """Make CURVE keys: frames travel encrypted, and only to clients that are allowed.

    The folder DIR belongs to the machine that runs 'streamrestore live --keys DIR'; a client gets the folder
    DIR/CLIENT, and nothing else. Nothing is ever overwritten.
    """


@command.command(short_help="Make the keys of a service and of its first client.")
@_FOLDER
@debug_option
def new(folder: Path) -> None:
    """Make the keys of a service, and of one client, named 'client'."""
    from streamrestore.transport.keys import new_keys

    new_keys(folder)
    _say(f"{folder} stays with the service: streamrestore live --keys {folder}")
    _tell_client(folder, "client")
    _say(f"{folder / 'allowed'} says who may watch: one public key for each client")


@command.command(short_help="Make the keys of one more client, and allow it.")
@_FOLDER
@click.argument("client", metavar="CLIENT")
@debug_option
def add(folder: Path, client: str) -> None:
    """Make the keys of another client, and allow it. DIR is what 'streamrestore keys new' made.

    A service that runs lets it in after SIGHUP. To shut a client out, remove DIR/allowed/CLIENT.key.
    """
    from streamrestore.transport.keys import new_client

    new_client(folder, client)
    _tell_client(folder, client)
    _say("a service that runs takes notice at SIGHUP (systemctl reload, kill -HUP)")


def _tell_client(folder: Path, client: str) -> None:
    home = folder / client
    _say(f"{home} goes to the client, by a safe way: streamrestore watch tcp://HOST:PORT --keys {home}")


def _say(text: str) -> None:
    click.echo(plain(text))
