"""Reports as JSON."""

from __future__ import annotations

import json
from fractions import Fraction

from streamrestore.render.report_json import to_json
from streamrestore.render.summary import job_summary
from tests.render.samples import report_of


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
