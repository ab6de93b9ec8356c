"""Pictures from folders, decoded once into memory, and split by scene."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, Self, TypeVar

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


class Place(Protocol):
    """A folder or a file: a `pathlib.Path`, or one of a pack's (`training.shards`)."""

    @property
    def name(self) -> str:
        """Last part."""

    @property
    def stem(self) -> str:
        """Name without the suffix."""

    @property
    def suffix(self) -> str:
        """Last suffix with its dot."""

    def iterdir(self) -> Iterable[Self]:
        """What is in a folder, in any order."""

    def is_dir(self) -> bool:
        """Whether it is a folder that is there."""

    def read_bytes(self) -> bytes:
        """A file's content.

        Raises:
            FileNotFoundError: it is not there.
        """

    def __truediv__(self, name: str, /) -> Self: ...


P = TypeVar("P", bound=Place)

Read = Callable[[Place], Picture]
"""How a file becomes a picture: `read_picture`, or a cache of what it gave (`training.cache`)."""


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


def read_picture(path: Place) -> Picture:
    """RGB, (H, W, 3) uint8.

    Raises:
        FileNotFoundError: it is not there, or no picture.
    """
    return np.asarray(cv2.cvtColor(_decoded(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _decoded(path: Place, flags: int) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    picture = cv2.imdecode(data, flags) if len(data) else None  # OpenCV raises on nothing at all
    if picture is None:
        raise FileNotFoundError(f"{path}: not a picture that OpenCV reads")
    return np.asarray(picture)


def unit(picture: Picture) -> npt.NDArray[np.float32]:
    """Codes to [0, 1]."""
    return picture.astype(np.float32) / np.float32(255)


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


def list_pictures(folder: P, part: Part = "all") -> list[P]:
    """Pictures of a folder in the order of their names."""
    paths = sorted((p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES), key=lambda p: p.name)
    return [p for p in paths if in_part(p.stem, part)]


def read_clean(folders: Iterable[Place], part: Part, read: Read = read_picture) -> list[Picture]:
    """All clean pictures of some folders."""
    return [read(path) for folder in folders for path in list_pictures(folder, part)]


def read_pairs(folder: Place, part: Part = "all", read: Read = read_picture) -> Iterator[Pair]:
    """Pairs ``input/STEM.*`` and ``target/STEM.*``, cropped to the size that both have."""
    targets = {p.stem: p for p in list_pictures(folder / "target")}
    for path in list_pictures(folder / "input", part):
        degraded, target = read(path), read(targets[path.stem])
        height, width = (min(a, b) for a, b in zip(degraded.shape[:2], target.shape[:2], strict=True))
        yield Pair(path.stem, degraded[:height, :width], target[:height, :width])


def read_videos(folder: Place, part: Part) -> Iterator[Clip]:
    """All frames of each video of a folder; a folder of numbered pictures in it is a video, too."""
    for path in sorted(folder.iterdir(), key=lambda p: p.name):
        if path.is_dir() and in_part(path.name, part):
            yield np.stack([read_picture(frame) for frame in list_pictures(path)])
        elif path.suffix.lower() in VIDEO_SUFFIXES and in_part(path.stem, part):
            yield np.stack(decode_video(path)[0])


def decode_video(path: Place) -> tuple[list[Picture], float]:
    """Frames (H, W, 3) RGB of a video file in the order of their times, and frames per second."""
    import av  # not at the top: who trains from a pack needs no PyAV

    with av.open(io.BytesIO(path.read_bytes()), "r") as container:
        rate = container.streams.video[0].average_rate
        frames = [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in container.decode(video=0)]
    return frames, float(rate or 25)


def read_depth(folder: Place, part: Part) -> Iterator[DepthPicture]:
    """``STEM.webp`` with ``STEM.png``, 16-bit inverse depth."""
    for path in list_pictures(folder, part):
        if path.suffix == ".webp":
            beside = folder / f"{path.stem}.png"
            try:
                depth = _decoded(beside, cv2.IMREAD_UNCHANGED)
            except FileNotFoundError as error:
                raise FileNotFoundError(f"{beside}: no depth beside {path.name}") from error
            yield DepthPicture(path.stem, read_picture(path), depth.astype(np.float32) / np.float32(65535))
