"""The published schema of JSON reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.report import JobReport
from streamrestore.render.report_file import write_report
from streamrestore.render.report_json import JobFailure, JobSkipped, to_json
from streamrestore.render.schema import report_schema
from streamrestore.settings import JobSettings
from tests.media import write_video
from tests.render.samples import report_of
from tests.restorers import small_restorer, without_weights

PUBLISHED = Path(__file__).parents[2] / "docs" / "report.schema.json"
KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def complaints(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """What a document has that its schema does not allow, for the words that ours uses."""
    if "$ref" in schema:
        return complaints(value, report_schema()["$defs"][schema["$ref"].rpartition("/")[2]], where)
    if "anyOf" in schema:
        tries = [complaints(value, choice, where) for choice in schema["anyOf"]]
        return min(tries, key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value}"]
    if schema["type"] == "array":
        if not isinstance(value, list):
            return [f"{where}: no array"]
        return [text for item in value for text in complaints(item, schema["items"], f"{where}[]")]
    if schema["type"] == "object":
        if not isinstance(value, dict):
            return [f"{where}: no object"]
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        found = [f"{where}.{name}: missing" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            if name not in known and not isinstance(rest, dict):
                found.append(f"{where}.{name}: unknown")
            else:
                found += complaints(item, known.get(name, rest), f"{where}.{name}")
        return found
    return [] if isinstance(value, KINDS[schema["type"]]) else [f"{where}: {value!r}"]


def test_published_is_generated():
    """The file in docs is what the command prints."""
    command = "python -m streamrestore.render.schema > docs/report.schema.json"
    assert PUBLISHED.read_bytes() == to_json(report_schema()), f"it is out of date: {command}"


@pytest.mark.parametrize(
    "document",
    [
        report_of(("rain", "clean", "rain+haze"), losses={"missing pictures": 2}, notes=("a note",)),
        JobSkipped("a.mp4", "b.mp4"),
        [report_of(), JobFailure("a.mp4", "b.mp4", "broke", 3), JobSkipped("a.mp4", "b.mp4")],
    ],
    ids=("one", "skipped", "several"),
)
def test_reports_are_as_published(document):
    """Every key is known, none is missing, and the values are of their kinds."""
    assert complaints(json.loads(to_json(document)), report_schema()) == []


def test_report_of_a_real_run(tmp_path, monkeypatch):
    """What a job gives is as published, and the same struct comes back from its file."""
    without_weights(monkeypatch)
    write_video(tmp_path / "a.mp4", frames=10, size=(64, 48), audio=True)
    report = restore_file(
        str(tmp_path / "a.mp4"), tmp_path / "b.mp4", JobSettings(), restorer=small_restorer()
    )
    write_report(tmp_path / "r.json", [report])
    written = (tmp_path / "r.json").read_bytes()
    assert complaints(json.loads(written), report_schema()) == []
    assert msgspec.json.decode(written, type=JobReport) == report


def test_complaints_are_made():
    """The check itself finds what is wrong."""
    document = json.loads(to_json(report_of()))
    document["frames"] = "many"
    document["clips"][0]["colour"] = "red"
    assert complaints(document, {"$ref": "#/$defs/JobReport"}) == [
        ".frames: 'many'", ".clips[].colour: unknown"
    ]  # fmt: skip
