"""Published sets as their archives unpack.

A configuration names folders of the data; a layout before a colon says how a published set lies there, as in
``ddn:rainy_image_dataset/training``. Without one a folder is of our own kind: ``input/STEM.*`` with
``target/STEM.*`` for pairs, pictures for clean ones, ``STEM.webp`` with ``STEM.png`` for depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from streamrestore.errors import UsageError
from training import data
from training.data import DepthPicture, Pair, Part, Picture, Place, Read, in_part, list_pictures, read_picture
from training.veil import depth_of

Match = tuple[Place, Place]
"""A damaged picture, or a map of a scene, and the scene's clean picture."""

T = TypeVar("T")


def ddn(folder: Place) -> Iterator[Match]:
    """``rainy_image/N_K.jpg``, ``ground_truth/N.jpg``: DDN, called Rain1400, too (Fu et al., CVPR 2017)."""
    rainy = subfolder(folder, "rainy_image", "rainy image")
    clean = subfolder(folder, "ground_truth", "ground truth")
    return match(named(rainy, r"(\d+)_\d+"), clean, r"\1")


def rain100(folder: Place) -> Iterator[Match]:
    """``rain-N.png``, ``norain-N.png``: Rain100 and 200, L and H (Yang et al., CVPR 2017).

    Side by side, or each in its folder: ``rainy``, ``rain`` or ``rain/X2``, and ``norain``. In a folder of
    their own the rainy ones may be called ``norain-N.png`` or ``norain-Nx2.png``.
    """
    rainy = subfolder(folder, "rainy", "rain", otherwise=folder)
    rainy = subfolder(rainy, "X2", otherwise=rainy)
    clean = subfolder(folder, "norain", otherwise=folder)
    stems = r"rain-(\d+)" if rainy is folder else r"(?:no)?rain-(\d+)(?:x2)?"
    return match(named(rainy, stems), clean, r"norain-\1")


def raindrop(folder: Place) -> Iterator[Match]:
    """``data/N_rain.png``, ``gt/N_clean.png``: drops on glass (Qian et al., CVPR 2018)."""
    return match(named(subfolder(folder, "data"), r"(\d+)_rain"), subfolder(folder, "gt"), r"\1_clean")


def reside(folder: Place) -> Iterator[Match]:
    """``hazy/N_K_A.png``, ``clear/N.png`` or ``gt/N.png``: RESIDE ITS, OTS, SOTS (Li et al., TIP 2019)."""
    hazy = named(subfolder(folder, "hazy", "haze"), r"(\d+)_.+")
    return match(hazy, subfolder(folder, "clear", "gt"), r"\1")


def reside_maps(folder: Place) -> Iterator[Match]:
    """``trans/N_K.png``, ``clear/N.png``: transmission maps of RESIDE ITS, the first of each scene."""
    maps = named(subfolder(folder, "trans"), r"(\d+)_1")
    return match(maps, subfolder(folder, "clear", "gt"), r"\1")


def bsd(folder: Place) -> Iterable[Place]:
    """``images/train/N.jpg``: BSDS300 and BSDS500 without their test pictures (Martin et al., ICCV 2001)."""
    return (path for path, _ in named(subfolder(subfolder(folder, "images"), "train"), r"\d+"))


def kodak(folder: Place) -> Iterable[Place]:
    """``kodim01.png`` to ``kodim24.png``: Kodak's suite; who trains on it cannot report it."""
    return (path for path, _ in named(folder, r"kodim\d+"))


PAIRS = {"ddn": ddn, "rain100": rain100, "raindrop": raindrop, "reside": reside}
DEPTH = {"reside": reside_maps}
VEILED = "veiled"
"""Layout of depth that follows from pairs: ``veiled:FOLDER``, or ``veiled:LAYOUT:FOLDER`` of pairs."""
CLEAN = {"bsd": bsd, "kodak": kodak}


def pairs(place: Place, name: str, part: Part, read: Read = read_picture) -> Iterator[Pair]:
    """Pairs of a folder of `place`, cropped about the middle to the size that both have.

    RESIDE's clear pictures have a margin of 10 pixels that the hazy ones lack.

    Raises:
        UsageError: no such layout.
        FileNotFoundError: the files do not lie as the layout says.
    """
    layout, folder = chosen(PAIRS, place, name)
    if layout is None:
        yield from data.read_pairs(folder, part, read)
        return
    for damaged, clean in layout(folder):
        if in_part(clean.stem, part):
            yield Pair(damaged.stem, *cropped(read(damaged), read(clean)))


def depth(place: Place, name: str, part: Part) -> Iterator[DepthPicture]:
    """Pictures with depth of a folder of `place`; raises what `pairs` does.

    A transmission map is exp(-beta d): its logarithm is the distance, but for a factor. Of a hazy picture
    and a clean one such a map can be told (`training.veil`).
    """
    if name.startswith(f"{VEILED}:"):
        yield from map(depth_of, pairs(place, name.removeprefix(f"{VEILED}:"), part))
        return
    layout, folder = chosen(DEPTH, place, name)
    if layout is None:
        yield from data.read_depth(folder, part)
        return
    for found, clean in layout(folder):
        if in_part(clean.stem, part):
            transmission, picture = cropped(read_picture(found), read_picture(clean))
            distance = -np.log(transmission[..., 0].clip(1, 254) / np.float32(255))
            yield DepthPicture(clean.stem, picture, distance.min() / distance)


def clean(place: Place, name: str, part: Part, read: Read = read_picture) -> Iterator[Picture]:
    """Clean pictures of a folder of `place`; raises what `pairs` does."""
    layout, folder = chosen(CLEAN, place, name)
    if layout is None:
        yield from data.read_clean([folder], part, read)
        return
    yield from (read(path) for path in layout(folder) if in_part(path.stem, part))


def chosen(layouts: Mapping[str, T], place: Place, name: str) -> tuple[T | None, Place]:
    """``layout:folder`` -> the layout, if one is named, and the folder.

    Raises:
        UsageError: no such layout.
    """
    layout, _, folder = name.rpartition(":")
    if layout and layout not in layouts:
        known = ", ".join(sorted(layouts))
        raise UsageError(f"{name}: there is no layout {layout!r} for such data; known are {known}")
    return layouts.get(layout), place / folder


def subfolder(folder: Place, *names: str, otherwise: Place | None = None) -> Place:
    """The first of these folders that is there, in upper or lower case.

    Raises:
        FileNotFoundError: none is, and there is nothing otherwise.
    """
    there = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    for name in names:
        if name.lower() in there:
            return there[name.lower()]
    if otherwise is None:
        wanted, found = " or ".join(map(repr, names)), ", ".join(sorted(there)) or "none"
        raise FileNotFoundError(f"{folder}: expected a folder {wanted} in it; there is {found}")
    return otherwise


def named(folder: Place, stems: str) -> list[tuple[Place, re.Match[str]]]:
    """Pictures of a folder whose whole stem is as an expression says, and how.

    Raises:
        FileNotFoundError: there are none.
    """
    found = [(path, re.fullmatch(stems, path.stem)) for path in list_pictures(folder)]
    matched = [(path, parts) for path, parts in found if parts]
    if not matched:
        there = ", ".join(path.name for path, _ in found[:3]) or "no picture at all"
        raise FileNotFoundError(f"{folder}: expected pictures named {stems!r} in it; there is {there}")
    return matched


def match(damaged: Iterable[tuple[Place, re.Match[str]]], clean: Place, stem: str) -> Iterator[Match]:
    r"""Each damaged picture with the one of the folder `clean` whose stem, such as ``\1_clean``, follows.

    Raises:
        FileNotFoundError: it is not there.
    """
    there = {path.stem: path for path in list_pictures(clean)}
    for path, parts in damaged:
        if (wanted := parts.expand(stem)) not in there:
            raise FileNotFoundError(f"{clean}: expected {wanted!r}, the clean picture of {path}, in it")
        yield path, there[wanted]


def cropped(a: Picture, b: Picture) -> tuple[Picture, Picture]:
    """Both about the middle, at the size that both have."""
    height, width = (min(sides) for sides in zip(a.shape[:2], b.shape[:2], strict=True))
    tops = ((p, (p.shape[0] - height) // 2, (p.shape[1] - width) // 2) for p in (a, b))
    first, second = (p[top : top + height, left : left + width] for p, top, left in tops)
    return first, second
