"""The JSON Schema of JSON reports: ``python -m streamrestore.render.schema > docs/report.schema.json``."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from streamrestore.pipeline.report import JobReport
from streamrestore.render.report_json import JobFailure, JobSkipped, to_json


def report_schema() -> dict[str, Any]:
    """What ``--report FILE.json`` holds: what became of one file, or a list of that for several."""
    kinds = (JobReport, JobFailure, JobSkipped)
    references, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    outcome = {"title": "Outcome", "description": "What became of one file.", "anyOf": list(references)}
    several = {"type": "array", "items": {"$ref": "#/$defs/Outcome"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report of streamrestore",
        "description": "One file's outcome, or a list with one for each of several files.",
        "anyOf": [{"$ref": "#/$defs/Outcome"}, several],
        "$defs": {"Outcome": outcome, **definitions},
    }


if __name__ == "__main__":
    sys.stdout.write(to_json(report_schema()).decode())
