"""A pack of pictures: shards of encoded bytes, read as if they were folders.

Each shard is a safetensors file whose tensors are files: bytes under a name such as ``clean/a.webp``. The
format is eight bytes, a line of JSON and the data, so that NumPy alone reads it, on machines that have
neither network nor PyAV. ``training.pack`` writes packs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training.data import Place

INDEX = "pack.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """What is packed.

    Attributes:
        folders: names in each folder, by the folder's path; the root is ``.``.
        files: bytes of each file, by its path; views of the shards, which are read from the disk when needed.
    """

    root: Path
    folders: Mapping[str, tuple[str, ...]]
    files: Mapping[str, npt.NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Packed:
    """A folder or a file of a pack, with what `training.data.Place` asks for."""

    pack: Pack
    path: PurePosixPath

    @property
    def name(self) -> str:
        """Last part."""
        return self.path.name

    @property
    def stem(self) -> str:
        """Name without the suffix."""
        return self.path.stem

    @property
    def suffix(self) -> str:
        """Last suffix with its dot."""
        return self.path.suffix

    def iterdir(self) -> Iterator[Packed]:
        """What is in a folder, by name.

        Raises:
            FileNotFoundError: there is no such folder.
        """
        if not self.is_dir():
            raise FileNotFoundError(f"{self}: no such folder in the pack")
        return (self / name for name in self.pack.folders[str(self.path)])

    def is_dir(self) -> bool:
        """Whether it is a folder that is there."""
        return str(self.path) in self.pack.folders

    def read_bytes(self) -> bytes:
        """A file's content.

        Raises:
            FileNotFoundError: it is not there.
        """
        if str(self.path) not in self.pack.files:
            raise FileNotFoundError(f"{self}: no such file in the pack")
        return self.pack.files[str(self.path)].tobytes()

    def __truediv__(self, name: str, /) -> Packed:
        return Packed(self.pack, self.path / name)

    def __str__(self) -> str:
        return f"{self.pack.root}:{self.path}"


def open_data(folder: Path) -> Place:
    """Data as folders: of the file system, or of a pack if one is there.

    Raises:
        ValueError: a pack that is not whole.
    """
    return Packed(read_pack(folder), PurePosixPath()) if (folder / INDEX).is_file() else folder


def read_pack(root: Path) -> Pack:
    """Open a pack; every shard is compared with the hash that the index has of it.

    Raises:
        ValueError: another format, a shard that is missing, cut or altered.
    """
    index = json.loads((root / INDEX).read_bytes())
    if index["format"] != FORMAT:
        raise ValueError(f"{root / INDEX}: format {index['format']}; this version reads {FORMAT}")
    missing = [name for name in index["shards"] if not (root / name).is_file()]
    if missing:
        raise ValueError(f"{root}: of {len(index['shards'])} shards there is no {', '.join(missing)}")
    files: dict[str, npt.NDArray[np.uint8]] = {}
    for name, digest in index["shards"].items():
        shard = np.memmap(root / name, np.uint8, "r")
        if hashlib.sha256(shard.data).hexdigest() != digest:
            raise ValueError(f"{root / name}: not what {INDEX} says it is; copy it again")
        files |= tensors_of(shard)
    folders: dict[str, dict[str, None]] = {".": {}}  # a dict is a set that keeps the order
    for path in map(PurePosixPath, sorted(files)):
        for part in (path, *path.parents[:-1]):
            folders.setdefault(str(part.parent), {})[part.name] = None
    return Pack(root, {name: tuple(names) for name, names in folders.items()}, files)


def tensors_of(shard: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.uint8]]:
    """Tensors of bytes of a safetensors file, by name, as views."""
    size = int.from_bytes(shard[:8].tobytes(), "little")
    header: dict[str, dict[Literal["data_offsets"], Any]] = json.loads(shard[8 : 8 + size].tobytes())
    data = np.asarray(shard)[8 + size :]
    return {
        name: data[slice(*entry["data_offsets"])] for name, entry in header.items() if name != "__metadata__"
    }
