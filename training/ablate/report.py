"""Results as a Markdown table and charts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.ablate.measure import LEVEL
from training.ablate.results import Result
from training.ablate.study import Study, Variant
from training.plots import Chart, Series, svg

NOT_RUN = "not run"
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure over the seeds: its mean, and its standard deviation if there are several."""

    mean: float
    spread: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Cell:
        """At least one value."""
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), spread)

    def told(self, name: str) -> str:
        """In decibels with two digits behind the point, otherwise with four."""
        digits = 2 if name.endswith("PSNR") else 4
        spread = "" if self.spread is None else f" ± {self.spread:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


@dataclass(frozen=True, slots=True)
class Findings:
    """A study and the results of its trials."""

    study: Study
    results: Sequence[Result]

    def of(self, row: Variant, condition: Variant) -> list[Result]:
        """Those of all seeds."""
        return [r for r in self.results if (r.row, r.condition) == (row.name, condition.name)]

    def cell(self, row: Variant, condition: Variant, figure: str) -> Cell | None:
        """None: not run, or a network that has no such figure."""
        found = [r.figures.values[figure] for r in self.of(row, condition) if figure in r.figures.values]
        return Cell.of(found) if found else None

    def names(self, condition: Variant) -> list[str]:
        """Figures that there are under a condition."""
        return list(
            dict.fromkeys(
                name for row in self.study.rows for r in self.of(row, condition) for name in r.figures.values
            )
        )


def markdown(findings: Findings, command: str) -> str:
    """The study's page: a table for each condition, and the charts."""
    study = findings.study
    lines = [f"# {study.title}", "", f"`{command}`", ""]
    lines.append("Means over the seeds, ± their standard deviation where there are several.")
    for condition in study.conditions:
        lines += ["", f"## {condition.name}", ""] if condition.name else [""]
        lines += _table(findings, condition)
    published = [row for row in study.rows if row.published]
    if published:
        lines += ["", "The paper's figures, on its data, by its protocol:", ""]
        lines += _published(published)
    lines += ["", *(f"![{name}]({name}.svg)" for name in charts(findings)), ""]
    return "\n".join(lines)


def _table(findings: Findings, condition: Variant) -> list[str]:
    names = findings.names(condition)
    heads = ["", "parameters", "GMAC/MP", "seeds", "steps", "minutes", "on", *names]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in findings.study.rows:
        found = findings.of(row, condition)
        if not found:
            lines.append(f"| {row.name} | {NOT_RUN} |" + " |" * (len(heads) - 2))
            continue
        cells = [(findings.cell(row, condition, name), name) for name in names]
        about = [
            f"{found[0].parameters:,}",
            f"{found[0].gmac_per_megapixel:.1f}",
            str(len(found)),
            f"{np.mean([r.steps for r in found]):.0f}",
            f"{np.mean([r.minutes for r in found]):.1f}",
            " / ".join(sorted({f"{r.device} {r.commit}".strip() for r in found})),
        ]
        told = [cell.told(name) if cell else NOTHING for cell, name in cells]
        lines.append(f"| {row.name} | {' | '.join(about + told)} |")
    return lines


def _published(rows: Sequence[Variant]) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row.published))
    heads = ["", *names]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [
        f"| {row.name} | {' | '.join(str(row.published.get(name, NOTHING)) for name in names)} |"
        for row in rows
    ]
    return lines


def charts(findings: Findings) -> dict[str, str]:
    """SVG files by name, of what there are results of."""
    drawn = {
        "tasks": _task_charts,
        "noise": _noise_charts,
        "joint": _joint_charts,
        "gates": _gate_charts,
    }[findings.study.measure]
    return {name: svg(chart) for name, chart in drawn(findings) if any(s.points for s in chart.series)}


def _task_charts(findings: Findings) -> Iterator[tuple[str, Chart]]:
    (condition,) = findings.study.conditions
    names = [name for name in findings.names(condition) if name.endswith(("PSNR", "told"))]
    for kind in ("PSNR", "told"):
        wanted = [name for name in names if name.endswith(kind)]
        series = [_over(findings, row, [(condition, name) for name in wanted]) for row in findings.study.rows]
        title = "Restoration" if kind == "PSNR" else "Share that the router tells"
        sets = [name.removesuffix(f" {kind}") for name in wanted]
        yield kind.lower(), Chart(title, "", "PSNR, dB" if kind == "PSNR" else "share", series, sets)
    yield from _curves(findings)


def _noise_charts(findings: Findings) -> Iterator[tuple[str, Chart]]:
    conditions = findings.study.conditions
    names = [condition.name for condition in conditions]
    for kind, unit in (("PSNR", "PSNR, dB"), ("SSIM", "SSIM")):
        series = [_over(findings, row, [(c, kind) for c in conditions]) for row in findings.study.rows]
        yield kind.lower(), Chart("Kodak with white noise", "", unit, series, names)
    yield from _curves(findings)


def _joint_charts(findings: Findings) -> Iterator[tuple[str, Chart]]:
    rows = findings.study.rows
    for condition in findings.study.conditions:
        gates = [name for name in findings.names(condition) if re.fullmatch(r"a_\d+", name)]
        series = [_over(findings, row, [(condition, name) for name in gates]) for row in rows]
        title = f"Gates, {condition.name}"
        yield f"gates-{slug(condition.name)}", Chart(title, "level", "gate", series, gates)
    for kind, unit in (("PSNR", "PSNR, dB"), ("told", "share told right")):
        for condition in findings.study.conditions:
            series = [_over(findings, row, [(condition, kind)]) for row in rows]
            chart = Chart("", "", unit, series, [condition.name])
            yield f"{kind.lower()}-{slug(condition.name)}", chart


def _gate_charts(findings: Findings) -> Iterator[tuple[str, Chart]]:
    for condition in findings.study.conditions:
        for kind in ("PSNR", "SSIM"):
            series = [
                Series(
                    _seeded(row, result),
                    result.figures.series[kind],
                    mark=result.figures.values[f"a_{LEVEL}"],
                )
                for row in findings.study.rows
                for result in findings.of(row, condition)
            ]
            title = f"{kind} over a_{LEVEL}, {condition.name}; dashed: learned"
            unit = "PSNR, dB" if kind == "PSNR" else kind
            yield f"sweep-{kind.lower()}-{slug(condition.name)}", Chart(title, f"a_{LEVEL}", unit, series)
        for row in findings.study.rows:
            for result in findings.of(row, condition)[:1]:
                levels = [n for n in result.figures.series if n.startswith("r_")]
                chart = Chart(
                    f"Spectra of r_i, {row.name}, {condition.name}",
                    "cycles per pixel",
                    "share of power",
                    [Series(level, result.figures.series[level]) for level in levels],
                    log=True,
                )
                yield f"spectra-{slug(row.name)}-{slug(condition.name)}", chart


def _curves(findings: Findings) -> Iterator[tuple[str, Chart]]:
    """Training losses, every seed a curve of its own."""
    for condition in findings.study.conditions:
        series = [
            Series(_seeded(row, result), result.figures.series.get("loss", []))
            for row in findings.study.rows
            for result in findings.of(row, condition)
        ]
        title = " ".join(word for word in ("Training loss", condition.name) if word)
        yield f"{slug(title)}", Chart(title, "step", "loss", series, log=True)


def _seeded(row: Variant, result: Result) -> str:
    return f"{row.name}, seed {result.seed}"


def _over(findings: Findings, row: Variant, places: Sequence[tuple[Variant, str]]) -> Series:
    """A row's figures as points over names."""
    cells = [findings.cell(row, condition, figure) for condition, figure in places]
    known = [(place, cell) for place, cell in enumerate(cells) if cell is not None]
    points = [(float(place), cell.mean) for place, cell in known]
    return Series(row.name, points, [cell.spread or 0.0 for _, cell in known])


def slug(name: str) -> str:
    """A name for a file: letters, digits and dashes."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
