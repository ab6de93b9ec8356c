"""Reports as files."""

from __future__ import annotations

import json

import pytest

from streamrestore.errors import OutputError, UsageError
from streamrestore.render import report_file
from streamrestore.render.report_file import check_report, write_report
from tests.render.samples import clips_of, report_of


@pytest.mark.parametrize("name", ["r.json", "r.html"])
def test_complete_or_not_at_all(tmp_path, monkeypatch, name):
    """A disk that is full leaves the old report, and nothing else."""
    path = tmp_path / name
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_report(path, [report_of()])
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert path.read_text() == "old"


def test_readable_by_others(tmp_path):
    """A report has the permissions of any new file, not those of a temporary one."""
    write_report(tmp_path / "r.json", [report_of()])
    (tmp_path / "other").touch()
    assert (tmp_path / "r.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_ending_chooses_the_form(tmp_path):
    """A page or data, in small letters or capitals."""
    for name in ("r.json", "r.HTML"):
        check_report(tmp_path / name, (), overwrite=False)
        write_report(tmp_path / name, [report_of()])
    assert json.loads((tmp_path / "r.json").read_text())["frames"] == 100
    assert (tmp_path / "r.HTML").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["r.txt", "report", "r.html.gz"])
def test_other_endings_are_refused(tmp_path, name):
    """What it may be is said."""
    with pytest.raises(UsageError, match=r"must end in \.json or \.html"):
        check_report(tmp_path / name, (), overwrite=False)


def test_stills_are_shared_out(tmp_path, monkeypatch):
    """A page of many files has fewer of each, and a bounded number in all."""
    asked: list[tuple[str, int]] = []

    def find(report, most, *, stop=None):
        del stop
        asked.append((report.input, most))
        return ()

    monkeypatch.setattr(report_file, "find_stills", find)
    reports = [report_of(input=str(number)) for number in range(20)]
    write_report(tmp_path / "r.html", [report_of(clips=clips_of(["clean"]), input="clean"), *reports])
    assert asked == [("clean", 2)] + [(str(number), 2) for number in range(20)]


def test_who_interrupts_does_not_wait_for_stills(tmp_path, monkeypatch):
    """The page is written without them."""
    monkeypatch.setattr(report_file, "find_stills", lambda *_, **__: pytest.fail("looked for stills"))
    write_report(tmp_path / "r.html", [report_of()], stop=lambda: True)
    assert "100 restored" in (tmp_path / "r.html").read_text()
