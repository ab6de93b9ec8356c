"""Contact sheet of the degradations: `python -m training.degrade.sheet --data DIR -o sheet.png`."""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
import torch
from torch import Tensor

from . import distract
from ._arrays import Array, from_8bit, to_8bit, to_arrays, to_tensor
from .mix import WEATHERS, Recipe, apply_recipe, draw_recipe

_SUFFIXES = {".webp", ".png", ".jpg", ".jpeg"}


def load_picture(path: Path, size: int) -> Tensor:
    """A picture's middle, (1, 3, size, size) display-coded RGB in [0, 1]; small pictures are enlarged."""
    data = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if data is None:
        raise click.ClickException(f"{path}: not a picture that OpenCV reads")
    height, width = data.shape[:2]
    if min(height, width) < size:
        factor = size / min(height, width)
        data = cv2.resize(data, (max(size, round(width * factor)), max(size, round(height * factor))))
        height, width = data.shape[:2]
    top, left = (height - size) // 2, (width - size) // 2
    crop = data[top : top + size, left : left + size]
    return to_tensor([from_8bit(crop)])


def caption(frame: Array, text: str) -> Array:
    """A copy of the frame with one line of text over its lower edge."""
    board = to_8bit(frame)  # OpenCV writes text on 8 bit only
    board[-16:] //= 3
    place, font = (4, frame.shape[0] - 5), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(board, text, place, font, 0.4, (255, 255, 160), 1, cv2.LINE_AA)
    return from_8bit(board)


def recipe_for(weather: str, rng: np.random.Generator) -> Recipe:
    """A recipe of one row: a branch's diet without identity, "mixed", or "unknown"."""
    if weather == "mixed":
        return draw_recipe(rng, None)
    if weather == "unknown":
        return Recipe(None, distract=distract.draw(rng))
    return draw_recipe(rng, weather, identity=0.0)


def make_cell(
    picture: Tensor, recipe: Recipe, rng: np.random.Generator, times: tuple[float, ...]
) -> list[Array]:
    """The degraded frames of one sample, the first captioned with PSNR against target and severities."""
    sample = apply_recipe(picture.expand(len(times), -1, -1, -1).contiguous(), recipe, rng, times)
    error = float(((sample.frames.clamp(0.0, 1.0) - sample.target) ** 2).mean())
    psnr = 10.0 * np.log10(1.0 / max(error, 1e-10))
    told = " ".join(f"{name} {value:.2g}" for name, value in sample.severity.items() if value)
    frames = [np.clip(frame, 0.0, 1.0) for frame in to_arrays(sample.frames)]
    frames[0] = caption(frames[0], f"{psnr:.1f} dB {told}")
    return frames


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--weather", default="all", show_default=True, type=click.Choice([*WEATHERS, "unknown", "mixed", "all"])
)
@click.option("--clip", is_flag=True, help="Show each sample at four times, 1/8 s apart.")
@click.option("--rows", default=4, show_default=True, type=click.IntRange(1, 64), help="Rows per weather.")
@click.option("--columns", default=4, show_default=True, type=click.IntRange(1, 16), help="Samples per row.")
@click.option("--size", default=256, show_default=True, type=click.IntRange(16, 2048), help="Cell in pixels.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def main(
    data: Path, output: Path, weather: str, clip: bool, rows: int, columns: int, size: int, seed: int
) -> None:
    """Draw samples of the degradations on the pictures in a folder, side by side."""
    torch.set_num_threads(1)
    paths = sorted(path for path in data.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise click.ClickException(f"{data}: no pictures ({', '.join(sorted(_SUFFIXES))})")
    rng = np.random.default_rng(seed)
    times = (0.0, 0.125, 0.25, 0.375) if clip else (0.0,)
    per_row = 1 if clip else columns
    kinds = [*WEATHERS, "unknown", "mixed"] if weather == "all" else [weather]
    lines = []
    for kind in (kind for kind in kinds for _ in range(rows)):
        cells: list[Array] = []
        for _ in range(per_row):
            picture = load_picture(paths[int(rng.integers(len(paths)))], size)
            cells += make_cell(picture, recipe_for(kind, rng), rng, times)
        lines.append(np.hstack(cells))
    page = to_8bit(np.vstack(lines))
    if not cv2.imwrite(str(output), np.ascontiguousarray(page[..., ::-1])):
        raise click.ClickException(f"{output}: cannot be written")


if __name__ == "__main__":
    main()
