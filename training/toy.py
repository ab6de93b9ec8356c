"""A small data set that is made, to try things where there is none: ``python -m training.toy DIR``.

DIR gets ``train`` and ``val`` with the folders that our configurations name. The pictures are dead leaves:
discs of random size and colour that cover each other, whose edges and sizes are distributed as in photographs
(Lee, Mumford, Huang, IJCV 41, 2001). Figures on them say that something runs, and nothing else.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
import torch

from training import degrade
from training.data import Picture, unit
from training.samples import to_tensor

LEAVES = 400
GRAIN = 3.0
"""Standard deviation of the texture, codes."""


def leaves(rng: np.random.Generator, height: int, width: int) -> Picture:
    """A picture, (H, W, 3)."""
    picture = np.full((height, width, 3), 128, np.uint8)
    # Radii with a density of r^-3, the one under which nothing changes when the picture is scaled.
    least, most = 2.0, min(height, width) / 3
    radii = 1 / np.sqrt(rng.uniform(1 / most**2, 1 / least**2, LEAVES))
    for radius in radii:
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        color = tuple(int(c) for c in rng.integers(20, 236, 3))
        cv2.circle(picture, centre, round(float(radius)), color, -1, cv2.LINE_AA)
    grain = rng.normal(0, GRAIN, (height, width, 1))
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def damaged(rng: np.random.Generator, clean: Picture, weather: str) -> Picture:
    """The same under a weather."""
    recipe = degrade.draw_recipe(rng, weather, identity=0.0, coded=0.0)
    frames = degrade.apply_recipe(to_tensor(unit(clean)), recipe, rng).frames
    codes = (255 * frames[0].clamp(0, 1)).round().to(torch.uint8)
    return codes.permute(1, 2, 0).numpy()


def write(path: Path, picture: Picture) -> None:
    """Without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def write_pairs(folder: Path, weather: str, count: int, side: int, seed: int) -> None:
    """Folders ``input`` and ``target``."""
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        clean = leaves(rng, side, side + 16)
        write(folder / "target" / f"leaves-{seed}-{index}.png", clean)
        write(folder / "input" / f"leaves-{seed}-{index}.png", damaged(rng, clean, weather))


def write_clean(folder: Path, count: int, side: int, seed: int) -> None:
    """A folder of pictures."""
    for index in range(count):
        write(
            folder / f"leaves-{seed}-{index}.png",
            leaves(np.random.default_rng([seed, index]), side, side + 16),
        )


def write_depth(folder: Path, count: int, side: int, seed: int) -> None:
    """Pictures whose lower parts are nearer."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        picture = leaves(np.random.default_rng([seed, index]), side, side + 16)
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"leaves-{seed}-{index}.webp"), bgr, [cv2.IMWRITE_WEBP_QUALITY, 101])
        rows = np.linspace(0, 65535, side).astype(np.uint16)[:, None]
        cv2.imwrite(str(folder / f"leaves-{seed}-{index}.png"), np.repeat(rows, side + 16, axis=1))


def write_all(folder: Path, count: int, side: int) -> None:
    """``train`` with `count` pictures of each kind, ``val`` with a quarter as many, `side` pixels high."""
    train, val = folder / "train", folder / "val"
    write_clean(train / "clean", count, side, 1)
    write_clean(train / "clean_streets", count, side, 2)
    write_pairs(train / "pairs_rain100", "rain", count, side, 3)
    write_pairs(train / "pairs_haze_sots", "haze", count, side, 4)
    write_depth(train / "rgbd", count, side, 5)
    held = max(1, count // 4)
    write_clean(val / "kodak24", held, side, 6)
    write_pairs(val / "rain100l", "rain", held, side, 7)
    write_pairs(val / "rain100h", "rain", held, side, 8)
    write_pairs(val / "sots_indoor", "haze", held, side, 9)
    write_pairs(val / "raindrop_pairs", "raindrop", held, side, 10)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--count", default=16, show_default=True, help="Pictures of each kind.")
@click.option("--side", default=160, show_default=True, help="Height, pixels.")
def main(folder: Path, count: int, side: int) -> None:
    """Write the data set into FOLDER, which must not be there yet."""
    if folder.exists():
        raise click.UsageError(f"{folder} is there already; remove it first")
    partial = folder.with_name(f".{folder.name}.partial")
    write_all(partial, count, side)
    partial.rename(folder)


if __name__ == "__main__":
    main()
