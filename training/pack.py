"""Write training data as shards: ``python -m training.pack --data DIR --out DIR``.

A machine that has neither network nor PyAV trains from the result as it would from the folders
(``python -m training.train CONFIG --data OUT``). Pictures keep the bytes that they have. Frames of videos
become WebP of quality 95: 78 KiB and 42.8 dB for a frame of 640x360, where lossless took 176 KiB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import cv2
import msgspec
import numpy as np
from safetensors.numpy import save

from training.data import SUFFIXES, VIDEO_SUFFIXES, Picture, decode_video
from training.shards import FORMAT, INDEX

FRAME_QUALITY = 95
HEADER_BYTES = 96
"""At most, in a shard's header, for a file beside its name."""


class File(NamedTuple):
    """One encoded picture, by its path in the data."""

    folder: str
    name: str
    content: bytes
    size: tuple[int, int]
    """(height, width)."""

    @property
    def path(self) -> str:
        """Name of its tensor."""
        return f"{self.folder}/{self.name}"


class Index(msgspec.Struct, frozen=True):
    """What a pack holds; written last, so that a pack without it is not whole."""

    format: int
    shards: dict[str, str]
    """SHA-256 of each shard."""
    pictures: dict[str, dict[str, tuple[int, int]]]
    """(height, width) by folder and name."""


def files_of(data: Path, folders: Sequence[str]) -> Iterator[File]:
    """Pictures and frames of videos below some folders of `data`, in the order of their names.

    Raises:
        ValueError: a picture that OpenCV does not read.
    """
    for path in (path for folder in folders for path in walk(data / folder)):
        folder = path.parent.relative_to(data).as_posix()
        if path.suffix.lower() in SUFFIXES:
            yield File(folder, path.name, content := path.read_bytes(), _size_of(path, content))
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            for number, frame in enumerate(decode_video(path)[0]):
                yield File(f"{folder}/{path.stem}", f"{number:04}.webp", _webp(frame), frame.shape[:2])


def walk(folder: Path) -> Iterator[Path]:
    """Files of a folder and of those in it."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from walk(path)
        else:
            yield path


def shards_of(files: Iterable[File], limit: int) -> Iterator[list[File]]:
    """Files in groups whose shards have at most `limit` bytes.

    Raises:
        ValueError: a file that is larger than that by itself.
    """
    shard: list[File] = []
    size = 0
    for file in files:
        cost = len(file.content) + len(file.path.encode()) + HEADER_BYTES
        if cost + HEADER_BYTES > limit:
            raise ValueError(f"{file.path}: {len(file.content)} bytes do not fit into a shard of {limit}")
        if size + cost + HEADER_BYTES > limit:
            yield shard
            shard, size = [], 0
        shard.append(file)
        size += cost
    if shard:
        yield shard


def pack(data: Path, out: Path, limit: int, folders: Sequence[str] = ()) -> Index:
    """Write a pack of some folders of `data`, or of all.

    Raises:
        FileExistsError: there is something in `out`.
        ValueError: a picture that cannot be read, or is larger than a shard.
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise FileExistsError(f"{out}: not empty; pack into a new folder")
    folders = folders or sorted(p.name for p in data.iterdir() if p.is_dir())
    index = Index(FORMAT, {}, {})
    for number, shard in enumerate(shards_of(files_of(data, folders), limit)):
        path = out / f"shard-{number:03}.safetensors"
        content = save({f.path: np.frombuffer(f.content, np.uint8) for f in shard})
        path.write_bytes(content)
        index.shards[path.name] = hashlib.sha256(content).hexdigest()
        for file in shard:
            index.pictures.setdefault(file.folder, {})[file.name] = file.size
    (out / INDEX).write_bytes(msgspec.json.encode(index))
    return index


def _size_of(path: Path, content: bytes) -> tuple[int, int]:
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    if picture is None:
        raise ValueError(f"{path}: not a picture that OpenCV reads")
    return picture.shape[0], picture.shape[1]


def _webp(frame: Picture) -> bytes:
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    done, content = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, FRAME_QUALITY])
    if not done:
        raise RuntimeError(f"OpenCV could not encode a WebP of {frame.shape}")
    return bytes(content)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="Training data.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the shards.")
@click.option("--shard-mb", default=24.0, show_default=True, help="Largest shard, MiB.")
@click.option("--folder", "folders", multiple=True, help="Folders of the data to pack; all by default.")
def main(data: Path, out: Path, shard_mb: float, folders: tuple[str, ...]) -> None:
    """Pack training data into shards."""
    index = pack(data, out, int(shard_mb * 2**20), folders)
    decoded: dict[str, list[int]] = {}
    for folder, pictures in index.pictures.items():
        top = folder.split("/")[0]
        decoded.setdefault(top, []).extend(3 * height * width for height, width in pictures.values())
    for top, sizes in decoded.items():
        click.echo(f"{top}: {len(sizes)} pictures, {sum(sizes) / 2**20:.0f} MiB decoded")
    for name in index.shards:
        click.echo(f"{name}: {(out / name).stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
