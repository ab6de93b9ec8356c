"""Settings from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from streamrestore.errors import UsageError


def read_yaml(path: Path, flag: str = "--settings") -> dict[str, Any]:
    """The mapping that a file holds; empty for an empty file.

    Args:
        flag: the option that names the file.

    Raises:
        UsageError: no such file, no YAML, no mapping, or a key that stands there twice.
    """
    where = f"{flag} {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{where}: it is no text in UTF-8") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _refuse_twice(root, where)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{where}{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{where}: not valid YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"{where}: it must hold named values, such as 'restore: {{tier: fast}}'")
    return values


def _refuse_twice(node: yaml.Node, file: str) -> None:
    """YAML's rule, which PyYAML does not hold: the last one would win in silence."""
    if isinstance(node, yaml.MappingNode):
        seen: set[Any] = set()
        for key, value in node.value:
            if key.value in seen:
                where = f"{file}, line {key.start_mark.line + 1}"
                raise UsageError(f"{where}: {key.value!r} stands there twice; keep one")
            seen.add(key.value)
            _refuse_twice(value, file)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twice(value, file)
