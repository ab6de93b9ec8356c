"""Pictures from folders, decoded once into memory, and split by scene."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""

Clip = npt.NDArray[np.uint8]
"""(T, H, W, 3) RGB."""

Part = Literal["train", "split", "all"]
"""``split`` is kept from training for selection, calibration and thresholds."""

SUFFIXES = {".webp", ".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff"}
VIDEO_SUFFIXES = {".mp4", ".mkv", ".avi", ".mov"}
SPLIT_ONE_IN = 16


@dataclass(frozen=True, slots=True)
class Pair:
    """A damaged picture and the clean one."""

    name: str
    degraded: Picture
    target: Picture


@dataclass(frozen=True, slots=True)
class DepthPicture:
    """A picture and its inverse depth (H, W) float32: 1 is nearest, 0 the sky."""

    name: str
    picture: Picture
    inverse_depth: npt.NDArray[np.float32]


def read_picture(path: Path) -> Picture:
    """RGB, (H, W, 3) uint8."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"{path}: not a picture that OpenCV reads")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def scene_of(stem: str) -> str:
    """Scenes have several pictures: ``h_train_norain-12`` and ``l_train_norain-12``, ``1401_3``."""
    parts = stem.split("_")
    if parts[0] in ("h", "l") and len(parts) > 1:
        return parts[-1]
    return parts[0] if parts[0].isdigit() else stem


def in_part(stem: str, part: Part) -> bool:
    """Whether a picture belongs to a part of the data; all of one scene fall on one side."""
    if part == "all":
        return True
    held = zlib.crc32(scene_of(stem).encode()) % SPLIT_ONE_IN == 0
    return held == (part == "split")


def list_pictures(folder: Path, part: Part = "all") -> list[Path]:
    """Pictures of a folder in the order of their names."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    return [p for p in paths if in_part(p.stem, part)]


def read_clean(folders: Iterable[Path], part: Part) -> list[Picture]:
    """All clean pictures of some folders."""
    return [read_picture(path) for folder in folders for path in list_pictures(folder, part)]


def read_pairs(folder: Path, part: Part = "all") -> Iterator[Pair]:
    """Pairs ``input/STEM.*`` and ``target/STEM.*``, cropped to the size that both have."""
    targets = {p.stem: p for p in list_pictures(folder / "target")}
    for path in list_pictures(folder / "input", part):
        degraded, target = read_picture(path), read_picture(targets[path.stem])
        height, width = (min(a, b) for a, b in zip(degraded.shape[:2], target.shape[:2], strict=True))
        yield Pair(path.stem, degraded[:height, :width], target[:height, :width])


def read_videos(folder: Path, part: Part) -> Iterator[Clip]:
    """All frames of each video of a folder."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in VIDEO_SUFFIXES and in_part(path.stem, part):
            with av.open(str(path)) as container:
                frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
            yield np.stack(frames).astype(np.uint8, copy=False)


def read_depth(folder: Path, part: Part) -> Iterator[DepthPicture]:
    """``STEM.webp`` with ``STEM.png``, 16-bit inverse depth."""
    for path in list_pictures(folder, part):
        if path.suffix == ".webp":
            depth = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_UNCHANGED)
            if depth is None:
                raise FileNotFoundError(f"{path.with_suffix('.png')}: no depth beside {path.name}")
            yield DepthPicture(path.stem, read_picture(path), depth.astype(np.float32) / 65535)
