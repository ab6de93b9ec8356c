"""The error tree: bases, exit codes, and the drawing of it."""

from __future__ import annotations

import pickle
import re

import pytest

from streamrestore import errors
from streamrestore.errors import StageError, StreamRestoreError

CLASSES = {
    name: item
    for name, item in vars(errors).items()
    if isinstance(item, type) and issubclass(item, StreamRestoreError)
}

EXIT_CODES = {
    "UsageError": 2,
    "InputError": 1,
    "OutputError": 1,
    "WeightsError": 1,
    "DeviceError": 1,
    "StageError": 3,
    "WireError": 1,
    "SessionError": 1,
    "Interrupted": 130,
}

BUILTINS = {
    "UsageError": ValueError,
    "InputNotFound": FileNotFoundError,
    "InputUnreadable": OSError,
    "InputRefused": PermissionError,
    "NoVideo": ValueError,
    "UnsupportedVideo": ValueError,
    "DamagedInput": ValueError,
    "OutputError": OSError,
    "OutputExists": FileExistsError,
    "UnsupportedOutput": ValueError,
    "WeightsError": ValueError,
    "DeviceError": RuntimeError,
    "StageError": RuntimeError,
    "WireError": ValueError,
    "SessionError": RuntimeError,
}


def drawn() -> dict[str, tuple[str, int | None]]:
    """(parent, exit code) of each class in the drawing at the top of the module."""
    tree: dict[str, tuple[str, int | None]] = {}
    branch = "StreamRestoreError"
    for line in (errors.__doc__ or "").splitlines():
        if top := re.match(r"  \+ (\w+) +(\d+) ", line):
            branch = top[1]
            tree[branch] = ("StreamRestoreError", int(top[2]))
        elif leaf := re.match(r"  \|   - (\w+)", line):
            tree[leaf[1]] = (branch, None)
    return tree


def test_the_drawing_is_true() -> None:
    """Every class stands in it, below its base, with its exit code; and nothing else does."""
    tree = drawn()

    assert set(tree) | {"StreamRestoreError"} == set(CLASSES)
    for name, (parent, code) in tree.items():
        assert CLASSES[parent] in CLASSES[name].__bases__
        assert CLASSES[name].exit_code == (code or CLASSES[parent].exit_code)


def test_exit_codes() -> None:
    """Those that the command line promises; a leaf has its branch's."""
    assert {name: code for name, (_, code) in drawn().items() if code} == EXIT_CODES
    assert errors.DONE_WITH_LOSSES == 4
    assert StreamRestoreError.exit_code == 1


@pytest.mark.parametrize(("name", "builtin"), BUILTINS.items())
def test_builtins(name: str, builtin: type[Exception]) -> None:
    """Who does not know our errors can catch Python's."""
    assert issubclass(CLASSES[name], builtin)


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"StageError"}))
def test_message(name: str) -> None:
    """The text is what was said, also where a builtin has ideas of its own."""
    error = CLASSES[name]("a.mp4: there is no such file; check the name")

    assert str(error) == "a.mp4: there is no such file; check the name"
    assert CLASSES[name].__doc__


def test_stage_error() -> None:
    """Stage, frame and cause, and that it is a defect."""
    cause = KeyError("luma")

    error = StageError("restore", cause, 17)

    assert str(error).startswith("the restore stage broke at frame 17: KeyError: 'luma'; this is a defect")
    assert "--debug" in str(error)
    assert (error.stage, error.frame, error.cause) == ("restore", 17, cause)
    assert str(StageError("decode", cause)).startswith("the decode stage broke: KeyError")


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_errors_cross_processes(name: str) -> None:
    """A worker's error reaches its parent as what it is."""
    error = StageError("restore", KeyError("luma"), 3) if name == "StageError" else CLASSES[name]("what")

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own

    assert type(again) is type(error)
    assert str(again) == str(error)
