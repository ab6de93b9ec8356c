"""Tables of what the shipped weights do: ``python -m training.evaluate --data DIR --clips DIR``.

The first DIR holds the validation sets. Each is restored by its branch, forced, and with the router
deciding; through arrays (the float or 8-bit RGB that the set has), and through native 4:2:0 planes as a
video has them. The second holds clean videos (`training.evaluate_clips`). Nothing should be selected
or tuned on either; RESULTS.md says where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import click
import cv2
import msgspec
import numpy as np
import numpy.typing as npt
import torch

from streamrestore.engine import Restorer, load_restorer
from streamrestore.frames import Coding, ColorInfo, Frame, FrameBatch, Matrix, PixelFormat, Range
from streamrestore.planes import add_rgb_residual, to_rgb
from training.benchmark import pictures_v1, raindrops_v1
from training.data import list_pictures, read_pairs, read_picture, unit
from training.evaluate_clips import ClipRow, HarmRow, clip_rows, clip_table, free_clips, harm_row, harm_table
from training.measures import align_brightness, psnr, ssim, to_8bit, y_full, y_studio

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Case:
    """One picture of a set: (H, W, 3) float32, the input as networks see it."""

    degraded: Floats
    target: Floats


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One row of the table."""

    name: str
    branch: str
    cases: Callable[[Path], Iterator[Case]]


class Row(msgspec.Struct, frozen=True):
    """Means over the pictures of a set."""

    name: str
    branch: str
    pictures: int
    input_psnr: float
    psnr: float
    y_full: float
    y_studio: float
    ssim: float
    routed_psnr: float
    planes_input_psnr: float
    planes_psnr: float
    aligned_psnr: float
    seconds_per_megapixel: float
    routed_to: dict[str, int]


def _pairs(name: str) -> Callable[[Path], Iterator[Case]]:
    def cases(data: Path) -> Iterator[Case]:
        for pair in read_pairs(data / name):
            yield Case(unit(pair.degraded), unit(pair.target))

    return cases


def _noise(sigma: float, *, stored: bool = False) -> Callable[[Path], Iterator[Case]]:
    def cases(data: Path) -> Iterator[Case]:
        for index, path in enumerate(list_pictures(data / "kodak24")):
            clean = read_picture(path)
            noisy = pictures_v1.awgn(clean, sigma, index)
            yield Case(to_8bit(noisy).astype(np.float32) if stored else noisy, unit(clean))

    return cases


def _drops(data: Path) -> Iterator[Case]:
    for index, path in enumerate(list_pictures(data / "kodak24")):
        clean = read_picture(path)
        yield Case(unit(raindrops_v1.degrade(clean, index)[0]), unit(clean))


BENCHMARKS = (
    Benchmark("rain100l", "rain", _pairs("rain100l")),
    Benchmark("rain100h", "rain", _pairs("rain100h")),
    Benchmark("sots_indoor", "haze", _pairs("sots_indoor")),
    Benchmark("kodak24 sigma 25", "noise", _noise(25)),
    Benchmark("kodak24 sigma 25, 8 bit", "noise", _noise(25, stored=True)),
    Benchmark("kodak24 sigma 50", "noise", _noise(50)),
    Benchmark("raindrop_pairs", "raindrop", _pairs("raindrop_pairs")),
    Benchmark("synthesised raindrops", "raindrop", _drops),
)


@dataclass(slots=True)
class Sums:
    """Figures of each picture, by name."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, **figures: float) -> None:
        """Take one picture's figures."""
        for name, value in figures.items():
            self.values.setdefault(name, []).append(value)

    def mean(self, name: str) -> float:
        """Mean over pictures."""
        return round(float(np.mean(self.values[name])), 3)


def evaluate(restorer: Restorer, benchmark: Benchmark, data: Path) -> Row:
    """One row."""
    sums, routed_to = Sums(), dict[str, int]()
    for case in benchmark.cases(data):
        target = case.target
        megapixels = target.shape[0] * target.shape[1] / 1e6
        given = np.ascontiguousarray(case.degraded.transpose(2, 0, 1)[None])
        restorer.restore(given[..., :64, :64], branch=benchmark.branch)  # loads the network
        began = time.perf_counter()
        restored = restorer.restore(given, branch=benchmark.branch).frames
        seconds = time.perf_counter() - began
        output = to_8bit(restored[0].transpose(1, 2, 0))
        routed = restorer.restore(given)
        routed_to[routed.decision.label] = routed_to.get(routed.decision.label, 0) + 1
        batch = as_planes(case.degraded)
        planes_out = restorer.restore(batch, branch=benchmark.branch).frames
        sums.add(
            input=psnr(np.clip(case.degraded, 0, 1), target),
            psnr=psnr(output, target),
            y_full=psnr(y_full(output), y_full(target)),
            y_studio=psnr(y_studio(output), y_studio(target)),
            ssim=ssim(output, target),
            routed=psnr(to_8bit(routed.frames[0].transpose(1, 2, 0)), target),
            planes_input=psnr(from_planes(batch), target),
            planes=psnr(from_planes(planes_out), target),
            aligned=psnr(align_brightness(output, target), target),
            speed=seconds / megapixels,
        )
    return Row(
        benchmark.name,
        benchmark.branch,
        len(sums.values["psnr"]),
        sums.mean("input"),
        sums.mean("psnr"),
        sums.mean("y_full"),
        sums.mean("y_studio"),
        sums.mean("ssim"),
        sums.mean("routed"),
        sums.mean("planes_input"),
        sums.mean("planes"),
        sums.mean("aligned"),
        sums.mean("speed"),
        routed_to,
    )


CODING = Coding(Matrix.BT601, full=False)
FORMAT = PixelFormat("yuv", 8, 1, 1)


def as_planes(picture: Floats) -> FrameBatch:
    """A picture as a stored 8-bit 4:2:0 frame, BT.601, limited range."""
    height, width = picture.shape[:2]
    rgb = torch.from_numpy(picture.transpose(2, 0, 1).copy()).clamp(0, 1)
    empty = [
        torch.full(size, 16 if i == 0 else 128, dtype=torch.uint8)
        for i, size in enumerate(FORMAT.plane_sizes(width, height))
    ]
    planes = tuple(p.numpy() for p in add_rgb_residual(empty, rgb, 1.0, CODING))
    color = ColorInfo(matrix=Matrix.BT601, range=Range.LIMITED)
    return FrameBatch((Frame(planes, 0),), width, height, FORMAT, Fraction(1, 25), color)


def from_planes(batch: FrameBatch) -> npt.NDArray[np.float64]:
    """The picture of a frame, its chroma enlarged by linear interpolation, (H, W, 3) in [0, 1]."""
    luma, *chroma = (np.array(p) for p in batch.frames[0].planes)
    full = [luma, *(cv2.resize(c, luma.shape[::-1], interpolation=cv2.INTER_LINEAR) for c in chroma)]
    rgb = to_rgb([torch.from_numpy(p) for p in full], CODING)
    return to_8bit(rgb.permute(1, 2, 0).numpy())


def table(rows: list[Row]) -> str:
    """Rows as Markdown."""
    names = "set, branch, n, input, RGB, routed, Y-full, Y-studio, SSIM, 4:2:0 in, 4:2:0 out, s/MP, routed to"
    heads = names.split(", ")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for r in rows:
        to = ", ".join(f"{name} {count}" for name, count in sorted(r.routed_to.items()))
        lines.append(
            f"| {r.name} | {r.branch} | {r.pictures} | {r.input_psnr:.2f} | {r.psnr:.2f} "
            f"| {r.routed_psnr:.2f} | {r.y_full:.2f} | {r.y_studio:.2f} | {r.ssim:.4f} "
            f"| {r.planes_input_psnr:.2f} | {r.planes_psnr:.2f} | {r.seconds_per_megapixel:.3f} | {to} |"
        )
    return "\n".join(lines)


class Report(msgspec.Struct, frozen=True):
    """All rows."""

    tier: str
    sets: list[Row]
    clips: list[ClipRow]
    harm: list[HarmRow]


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Validation sets.")
@click.option("--clips", type=click.Path(exists=True, path_type=Path), help="Clean videos.")
@click.option("--tier", default="fast", show_default=True)
@click.option("--only", multiple=True, help="Names of sets; all by default.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the rows there, too.")
def main(
    data: Path | None, clips: Path | None, tier: str, only: tuple[str, ...], json_path: Path | None
) -> None:
    """Measure a tier on the validation sets, on clips, or on both."""
    if data is None and clips is None:
        raise click.UsageError("nothing to measure on: give --data, --clips or both")
    restorer = load_restorer(tier=tier)
    report = Report(tier, [], [], [])
    if data is not None:
        report.sets.extend(evaluate(restorer, b, data) for b in BENCHMARKS if not only or b.name in only)
        click.echo(table(report.sets))
    if clips is not None:
        for clip in free_clips(clips):
            report.clips.extend(clip_rows(restorer, clip))
            report.harm.append(harm_row(restorer, clip))
        click.echo(f"\n{clip_table(report.clips)}\n\n{harm_table(report.harm)}")
    if json_path is not None:
        json_path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


if __name__ == "__main__":
    main()
