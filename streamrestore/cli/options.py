"""Settings as options: type, limits and default of each stand in `settings` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
import msgspec

from streamrestore.errors import UsageError
from streamrestore.settings import JobSettings, S, Settings, read_settings

F = TypeVar("F", bound=Callable[..., Any])


def setting(
    flag: str,
    path: str,
    help: str,
    *,
    metavar: str | None = None,
    read: Callable[[str], Any] | None = None,
    of: type[Settings] = JobSettings,
) -> Callable[[F], F]:
    """An option for the field of `of` that `path` names, such as ``restore.tier``.

    The command receives it, if given, under that path with ``__`` for the dots; `settings_from` takes
    all of these together.

    Args:
        read: makes a value of the text, or raises ValueError.
    """
    field = _field(of, path)
    name = path.replace(".", "__")
    if field.type is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help)
    if field.default is not None:
        help = f"{help}  [default: {field.default}]"  # noqa: A001 - click's word
    if get_origin(field.type) is Literal:
        words = click.Choice([str(value) for value in get_args(field.type)])
        return click.option(flag, name, type=words, help=help, callback=_checked(field))
    return click.option(flag, name, help=help, metavar=metavar, callback=_checked(field, read))


def encode_options(function: F) -> F:
    """Add ``--codec``, ``--crf``, ``--preset`` and ``--overwrite``."""
    own = "[default: the codec's]"
    for option in reversed((
        setting("--codec", "encode.codec", "Video codec of the output; auto is the container's own."),
        setting("--crf", "encode.crf", f"Constant quality, smaller is better.  {own}", metavar="NUMBER"),
        setting("--preset", "encode.preset", f"Speed of the encoder, in its words.  {own}", metavar="NAME"),
        setting("--overwrite", "encode.overwrite", "Replace files that are there."),
    )):  # fmt: skip
        function = option(function)
    return function


def settings_option(function: F) -> F:
    """Add ``--settings FILE.yaml``."""
    option = click.option(
        "--settings", "settings_file", type=click.Path(path_type=Path), metavar="FILE.yaml",
        help="Read settings from a file; options win over it.",
    )  # fmt: skip
    return option(function)


def job_settings(file: Path | None, chosen: Mapping[str, Any]) -> JobSettings:
    """See `settings_from`."""
    return settings_from(JobSettings, file, chosen)


def settings_from(kind: type[S], file: Path | None, chosen: Mapping[str, Any], flag: str = "--settings") -> S:
    """The settings of a file, if any, with the options that were given put over them.

    Args:
        flag: the option that names the file.

    Raises:
        UsageError: the file cannot be read, or a key or value in it is wrong.
    """
    values: dict[str, Any] = {}
    if file is not None:
        from streamrestore.cli.settings_file import read_yaml

        values = read_yaml(file, flag)
        _check_file(kind, file, values)
    for name, value in chosen.items():
        if value is None:
            continue
        *parents, leaf = name.split("__")
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = value
    return read_settings(kind, values)


def _check_file(kind: type[Settings], file: Path, values: Mapping[str, Any]) -> None:
    """Refuse the file by itself: an option must not hide what is wrong in it."""
    try:
        read_settings(kind, values)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error


def _field(kind: type[Settings], path: str) -> msgspec.structs.FieldInfo:
    *parents, leaf = path.split(".")
    for parent in parents:
        kind = _fields(kind)[parent].type
    return _fields(kind)[leaf]


def _fields(kind: type[Settings]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(kind)}


def _checked(
    field: msgspec.structs.FieldInfo, read: Callable[[str], Any] | None = None
) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback that turns text into the field's type, or names the limit that it breaks."""

    def convert(context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
        if text is None:
            return None
        value: Any = text
        if read is not None:
            try:
                value = read(text)
            except ValueError as error:
                raise click.BadParameter(str(error), context, parameter) from error
        if any(get_origin(kind) is tuple for kind in (field.type, *get_args(field.type))):
            value = [item.strip() for item in text.split(",")]
        try:
            return msgspec.convert(value, field.type, strict=False)
        except msgspec.ValidationError as error:
            reason = str(error).partition(" - at")[0].removeprefix("Expected ")
            wanted = reason.replace("`float`", "a number").replace("`int`", "an integer")
            raise click.BadParameter(
                f"{text!r} is not good, it takes {wanted}", context, parameter
            ) from error

    return convert
