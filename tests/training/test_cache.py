"""Pictures are decoded once, and again only if their folder changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.pictures import picture, write, write_clean, write_pairs
from training import cache
from training.cache import PictureCache
from training.data import list_pictures, read_clean, read_pairs, read_picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one of another size."""
    write_clean(tmp_path / "clean", ["a", "b"])
    write(tmp_path / "clean" / "c.png", picture(9, (40, 48)))
    return tmp_path / "clean"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of pictures as they are decoded."""
    names: list[str] = []

    def read(path: Path) -> np.ndarray:
        names.append(path.name)
        return read_picture(path)

    monkeypatch.setattr(cache, "read_picture", read)
    return names


KILLED = """
import os, signal
from pathlib import Path
from training import cache
cache.{where} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
cache.open_cache(Path({folder!r}), Path({cache!r}))
"""


class TestPictureCache:
    """As a reader of pictures."""

    def test_the_same_pictures(self, folder: Path, tmp_path: Path) -> None:
        """Bit for bit, of folders and of pairs, and nobody can change them."""
        write_pairs(tmp_path / "pairs", ["1_1", "2_1"])
        read = PictureCache(tmp_path / "cache")

        found, pairs = read_clean([folder], "all", read), list(read_pairs(tmp_path / "pairs", "all", read))

        assert all(np.array_equal(a, b) for a, b in zip(found, read_clean([folder], "all"), strict=True))
        assert all(np.array_equal(pair.degraded, pair.target // 2) for pair in pairs)
        with pytest.raises(ValueError, match="read-only"):
            found[0][0, 0, 0] = 1

    def test_decoded_once(self, folder: Path, tmp_path: Path, decoded: list[str]) -> None:
        """Another process, or another run, maps what is there."""
        read_clean([folder, folder], "all", PictureCache(tmp_path / "cache"))
        assert decoded == ["a.png", "b.png", "c.png"]

        found = read_clean([folder], "all", PictureCache(tmp_path / "cache"))

        assert len(decoded) == 3
        assert sorted(p.suffix for p in (tmp_path / "cache").iterdir()) == [".bin", ".json"]
        assert np.array_equal(found[2], picture(9, (40, 48)))

    @pytest.mark.parametrize("change", ["content", "time", "added", "removed", "renamed"])
    def test_a_changed_folder(self, change: str, folder: Path, tmp_path: Path, decoded: list[str]) -> None:
        """Is decoded again, and what was kept of it before is gone."""
        read_clean([folder], "all", PictureCache(tmp_path / "cache"))
        decoded.clear()
        if change == "content":
            write(folder / "b.png", picture(77))
        elif change == "time":
            os.utime(folder / "b.png", (1, 1))
        elif change == "added":
            write(folder / "d.png", picture(5))
        elif change == "removed":
            (folder / "b.png").unlink()
        else:
            (folder / "b.png").rename(folder / "e.png")

        found = read_clean([folder], "all", PictureCache(tmp_path / "cache"))

        paths = list_pictures(folder)
        assert decoded == [path.name for path in paths]
        assert all(np.array_equal(a, read_picture(b)) for a, b in zip(found, paths, strict=True))
        assert len(list((tmp_path / "cache").iterdir())) == 2

    @pytest.mark.parametrize("where", ["read_picture", "msgspec.json.encode"])
    def test_killed(self, where: str, folder: Path, tmp_path: Path) -> None:
        """While it decodes, or before the index is written: the next one to come decodes all."""
        code = KILLED.format(where=where, folder=str(folder), cache=str(tmp_path / "cache"))
        done = subprocess.run([sys.executable, "-c", code])
        assert done.returncode == -signal.SIGKILL
        assert not list((tmp_path / "cache").glob("*.json"))

        found = read_clean([folder], "all", PictureCache(tmp_path / "cache"))

        plain = read_clean([folder], "all")
        assert all(np.array_equal(a, b) for a, b in zip(found, plain, strict=True))

    def test_what_is_not_there(self, folder: Path, tmp_path: Path) -> None:
        """Is said as without a cache."""
        with pytest.raises(FileNotFoundError, match=r"z\.png"):
            PictureCache(tmp_path / "cache")(folder / "z.png")
