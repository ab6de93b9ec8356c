"""Reports as files."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from streamrestore.errors import OutputError
from streamrestore.render.report_json import to_json, write_report
from streamrestore.render.summary import job_summary
from tests.render.samples import report_of


def test_complete_or_not_at_all(tmp_path, monkeypatch):
    """A disk that is full leaves the old report, and nothing else."""
    path = tmp_path / "r.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_report(path, [report_of()])
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]
    assert path.read_text() == "old"


def test_readable_by_others(tmp_path):
    """A report has the permissions of any new file, not those of a temporary one."""
    write_report(tmp_path / "r.json", [report_of()])
    (tmp_path / "other").touch()
    assert (tmp_path / "r.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_values_without_a_form_in_json():
    """Fractions are written out; bytes in names that are no text are replaced."""
    assert json.loads(to_json({"rate": Fraction(30000, 1001), "name": "a\udcff"})) == {
        "rate": "30000/1001", "name": "a\N{REPLACEMENT CHARACTER}"
    }  # fmt: skip


def test_summary_of_a_copied_and_damaged_file():
    """What matters stands in the summary: copied, left out, assumed, damaged."""
    lines = job_summary(report_of(copied=True, assumed=("matrix", "range"), losses={"missing pictures": 2}))
    assert lines[0] == "out.mp4: 100 frames copied packet by packet, in 10.0 s"
    assert "colour matrix and range" in lines[1]
    assert lines[2] == "  damaged: 2 x missing pictures; what decodes was restored"
