"""The command, on pictures that are made: tables, charts, and nothing done twice."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from training import toy
from training.ablate import __main__ as ablate
from training.ablate.results import read_results
from training.ablate.study import CONFIGS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train`` and ``val``."""
    folder = tmp_path_factory.mktemp("toy")
    toy.write_all(folder, 4, 64)
    return folder


def small(name: str, folder: Path, rows: int = 2) -> Path:
    """One of our studies with few rows, one condition of each kind, and small batches."""
    study = yaml.safe_load((CONFIGS / f"ablate-{name}.yaml").read_text())
    conditions = study.get("conditions", [])
    study["conditions"] = conditions if name == "joint" else conditions[:1]
    for part in (study.get("train", {}), *(condition["change"] for condition in study["conditions"])):
        for task in part.get("tasks", {}).values():
            task |= {"batch": 4, "crop": 24}
    study["rows"] = study["rows"][:rows]
    study["sets"] = study["sets"][:3]
    if not study["conditions"]:
        del study["conditions"]
    path = folder / f"ablate-{name}.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def run(study: Path, data: Path, out: Path, *more: str) -> Result:
    """The command."""
    places = ["--data", str(data / "train"), "--val", str(data / "val"), "--out", str(out)]
    budget = ["--steps", "2", "--width", "4", "--pictures", "1", "--workers", "0"]
    return CliRunner().invoke(ablate.main, [str(study), *places, *budget, *more])


def drawn(folder: Path) -> dict[str, str]:
    """Words of each chart; every one of them is a file that can be read, and small."""
    found = {}
    for path in folder.glob("*.svg"):
        assert path.stat().st_size < 200_000
        found[path.stem] = " ".join(ET.parse(path).getroot().itertext())  # noqa: S314 - we wrote it
    return found


def test_uffn(data: Path, tmp_path: Path) -> None:
    """Restoration of each set, what the router tells, and the training; the paper's figures beside."""
    result = run(small("uffn", tmp_path), data, tmp_path / "out")

    assert result.exit_code == 0, result.output
    table = (tmp_path / "out/uffn/table.md").read_text()
    for words in (
        "rain100h PSNR",
        "sots_indoor SSIM",
        "rain100l told",
        "28.36",
        "| single expert, no gate | ",
    ):
        assert words in table
    assert "not run" not in table
    charts = drawn(tmp_path / "out/uffn")
    assert set(charts) == {"psnr", "told", "training-loss"}
    assert "single expert, no gate" in charts["psnr"]
    assert all(f"![{name}]({name}.svg)" in table for name in charts)


def test_addunet_and_alpha(data: Path, tmp_path: Path) -> None:
    """Baselines, then the gates of the same networks without training them again."""
    study, alpha = small("addunet", tmp_path, rows=5), small("alpha", tmp_path)
    # one condition of both
    changed = yaml.safe_load(alpha.read_text()) | {
        "conditions": yaml.safe_load(study.read_text())["conditions"]
    }
    alpha.write_text(yaml.safe_dump(changed, sort_keys=False))

    assert run(study, data, tmp_path / "out").exit_code == 0
    trained = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out/runs").glob("*/log.csv")}
    result = run(alpha, data, tmp_path / "out")

    assert result.exit_code == 0, result.output
    rows = read_results(tmp_path / "out/addunet/results.jsonl")
    assert [r.row for r in rows] == ["real", "pseudo", "concatenating U-Net", "auto-encoder", "DnCNN"]
    assert {r.steps for r in rows} == {2}
    assert rows[0].parameters == rows[1].parameters < rows[2].parameters
    assert set(drawn(tmp_path / "out/addunet")) == {"psnr", "ssim", "training-loss-sigma-15"}

    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out/runs").glob("*/log.csv")} == trained
    swept = read_results(tmp_path / "out/alpha/results.jsonl")
    assert [r.run for r in swept] == [r.run for r in rows[:2]]
    for result in swept:
        assert [x for x, _ in result.figures.series["PSNR"]] == pytest.approx([n / 10 for n in range(11)])
        for level in range(1, 6):
            assert sum(share for _, share in result.figures.series[f"r_{level}"]) == pytest.approx(
                1, abs=1e-4
            )
        assert result.figures.values["PSNR"] == pytest.approx(rows[0].figures.values["PSNR"], abs=0.5)
        assert "checker SSIM" in result.figures.values
    names = {"sweep-psnr", "sweep-ssim", "spectra-real", "spectra-pseudo"}
    assert set(drawn(tmp_path / "out/alpha")) == {f"{name}-sigma-15" for name in names}


def test_joint(data: Path, tmp_path: Path) -> None:
    """Damage and digits: figures and gates of both; restoration alone has nothing to tell."""
    result = run(small("joint", tmp_path), data, tmp_path / "out")

    assert result.exit_code == 0, result.output
    found = {
        (r.row, r.condition): r.figures.values for r in read_results(tmp_path / "out/joint/results.jsonl")
    }
    assert len(found) == 4
    for (row, condition), values in found.items():
        assert {"PSNR", "a_1", "a_5"} <= set(values)
        assert ("told" in values) == (row != "restoration alone")
        assert ("digits PSNR" in values) == (condition == "noisy digits")
    charts = drawn(tmp_path / "out/joint")
    kinds = {f"{kind}-{c}" for kind in ("gates", "psnr", "told") for c in ("type-of-damage", "noisy-digits")}
    assert set(charts) == kinds


def test_nothing_is_done_twice(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are done stay; a line more in the study is a row more in the table; seeds have a spread."""
    study, out = small("addunet", tmp_path, rows=2), tmp_path / "out"
    assert run(study, data, out, "--only", "real").exit_code == 0
    assert "| pseudo | not run |" in (out / "addunet/table.md").read_text()
    first = (out / "addunet/results.jsonl").read_bytes()

    values: dict[str, Any] = yaml.safe_load(study.read_text())
    values["rows"].append({"name": "three levels", "change": {"shape": {"kernels": [7, 5, 3]}}})
    study.write_text(yaml.safe_dump(values, sort_keys=False))
    trained = []
    monkeypatch.setattr(ablate, "train", recorded(ablate.train, trained))
    result = run(study, data, out, "--seeds", "2")

    assert result.exit_code == 0, result.output
    assert "1 of 6: real sigma 15, seed 0: done before" in result.output
    assert trained == [("pseudo sigma 15", 0), ("three levels sigma 15", 0)] + [
        (f"{row} sigma 15", 1) for row in ("real", "pseudo", "three levels")
    ]
    assert (out / "addunet/results.jsonl").read_bytes().startswith(first)
    (row,) = [
        x for x in (out / "addunet/table.md").read_text().splitlines() if x.startswith("| three levels")
    ]
    assert " ± " in row


def recorded(train: Any, seen: list[tuple[str, int]]) -> Any:
    """The loop, and a note of what it trained."""

    def noted(config: Any, *more: Any) -> None:
        seen.append((config.name, config.seed))
        train(config, *more)

    return noted


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--minutes", "1"], "not both"),
        (["--only", "unreal"], "there is no row 'unreal'; rows are real, pseudo"),
    ],
)
def test_refused(more: list[str], words: str, data: Path, tmp_path: Path) -> None:
    """In a line, before anything is trained."""
    result = run(small("addunet", tmp_path), data, tmp_path / "out", *more)

    assert result.exit_code != 0
    assert words in result.output
    assert not (tmp_path / "out").exists()


def test_sets_that_are_not_there(data: Path, tmp_path: Path) -> None:
    """Found before the first training, not after."""
    study = small("uffn", tmp_path)
    values = yaml.safe_load(study.read_text())
    study.write_text(yaml.safe_dump(values | {"sets": ["rain100x"]}, sort_keys=False))
    assert "no validation set 'rain100x'; known are rain100l" in run(study, data, tmp_path / "out").output

    study.write_text(yaml.safe_dump(values, sort_keys=False))
    result = CliRunner().invoke(
        ablate.main, [str(study), "--data", str(data / "train"), "--val", str(data / "train")]
    )
    assert result.exit_code == 1
    assert "the validation set 'rain100l' is not in it" in result.output


def test_results_that_are_damaged(tmp_path: Path, data: Path) -> None:
    """A line that is none is named; nothing is overwritten."""
    out = tmp_path / "out/addunet"
    out.mkdir(parents=True)
    (out / "results.jsonl").write_text('{"row": \n')

    result = run(small("addunet", tmp_path), data, tmp_path / "out")

    assert result.exit_code == 1
    assert "results.jsonl, line 1: not a result" in result.output
    assert (out / "results.jsonl").read_text() == '{"row": \n'


def test_toy_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    """A folder that is there stays."""
    result = CliRunner().invoke(toy.main, [str(data)])

    assert result.exit_code == 2
    assert "is there already" in result.output
    made = CliRunner().invoke(toy.main, [str(tmp_path / "toy"), "--count", "1", "--side", "40"])
    assert made.exit_code == 0
    assert sorted(p.name for p in (tmp_path / "toy").iterdir()) == ["train", "val"]
