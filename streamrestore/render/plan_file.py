"""A plan, written to a file that its user edits."""

from __future__ import annotations

from pathlib import Path

from streamrestore.decode import input_files
from streamrestore.pipeline.fingerprint import hash_input
from streamrestore.pipeline.plan import Plan
from streamrestore.pipeline.planfile import write_plan
from streamrestore.render.side_file import check_side_file, write_side_file

FLAG = "--plan"


def check_plan_file(path: Path, spec: str, *, overwrite: bool) -> None:
    """Find out, before any work, whether a plan can be written; see `check_side_file`."""
    check_side_file(FLAG, path, (".yaml", ".yml"), [Path(spec)], overwrite=overwrite)


def write_plan_file(path: Path, spec: str, plan: Plan) -> None:
    """Write what would be done with each clip of an input.

    Raises:
        OutputError: the disk is full or failed; nothing incomplete is left.
    """
    files = input_files(spec)
    text = write_plan(plan.info.name, hash_input(files) if files else "", plan.clips)
    write_side_file(FLAG, path, text.encode())
