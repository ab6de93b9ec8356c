"""What is packed reads like the folders, where there is neither network nor PyAV."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open

from streamrestore.networks.routernet import RouterNetConfig
from streamrestore.settings import read_settings
from tests.training.pictures import picture, write, write_clean, write_depth, write_pairs, write_video
from tests.training.test_samples import ALL, STEMS, config, equal
from training import layouts
from training.data import list_pictures, read_clean, read_depth, read_pairs, read_videos
from training.pack import main, pack
from training.router_samples import REAL_LABELS, RouterConfig, RouterSamples
from training.samples import Samples
from training.shards import INDEX, Packed, open_data

MIB = 2**20


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of each kind, and files that are no pictures."""
    folder = tmp_path_factory.mktemp("data")
    write_clean(folder / "clean", STEMS)
    write_pairs(folder / "pairs", STEMS[:3])
    write_depth(folder / "rgbd", STEMS[:2])
    write_video(folder / "sequences" / f"{STEMS[0]}.mp4", frames=3)
    for weather in REAL_LABELS:
        write_clean(folder / "real" / weather, STEMS[:2])
    (folder / "rgbd" / "depth.csv").write_text("stem,kind\n")
    return folder


@pytest.fixture(scope="module")
def packed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, in several small shards."""
    out = tmp_path_factory.mktemp("packed") / "out"
    pack(data, out, limit=60_000)
    return out


class TestPack:
    """`pack`."""

    def test_shards(self, packed: Path) -> None:
        """As many as it takes, none larger than asked for; any safetensors reader knows them."""
        shards = sorted(packed.glob("*.safetensors"))

        assert len(shards) > 1
        assert all(path.stat().st_size <= 60_000 for path in shards)
        with safe_open(str(shards[0]), framework="pt") as file:
            assert file.get_tensor(f"clean/{STEMS[0]}.png").dtype == torch.uint8

    def test_original_bytes(self, data: Path, packed: Path) -> None:
        """Pictures are not encoded again; other files stay behind."""
        place = open_data(packed)

        for path in (*list_pictures(data / "clean"), *list_pictures(data / "rgbd")):
            assert (place / path.parent.name / path.name).read_bytes() == path.read_bytes()
        assert [p.name for p in (place / "rgbd").iterdir()] == [p.name for p in list_pictures(data / "rgbd")]

    def test_some_folders(self, data: Path, tmp_path: Path) -> None:
        """Those that are named, with what the command says of them."""
        folders = ["--folder", "pairs", "--folder", "real"]
        done = CliRunner().invoke(main, ["--data", str(data), "--out", str(tmp_path / "out"), *folders])

        assert done.exit_code == 0, done.output
        assert "pairs: 6 pictures" in done.output
        assert "shard-000.safetensors" in done.output
        assert [p.name for p in open_data(tmp_path / "out").iterdir()] == ["pairs", "real"]

    def test_refused(self, data: Path, tmp_path: Path) -> None:
        """A folder that is in use, a picture that is none, a shard that is too small."""
        with pytest.raises(FileExistsError, match="not empty"):
            pack(data, data, MIB)
        with pytest.raises(ValueError, match=r"clean/.* do not fit into a shard of 1000"):
            pack(data, tmp_path / "small", 1000)
        (tmp_path / "bad" / "clean").mkdir(parents=True)
        (tmp_path / "bad" / "clean" / "a.png").write_bytes(b"no picture")
        with pytest.raises(ValueError, match=r"a\.png: not a picture"):
            pack(tmp_path / "bad", tmp_path / "out", MIB)


class TestShards:
    """`open_data`."""

    def test_folders_of_our_kinds(self, data: Path, packed: Path) -> None:
        """Clean pictures, pairs and depth are the very same."""
        place = open_data(packed)
        assert isinstance(place, Packed)

        a, b = (read_clean([folder / "clean"], "all") for folder in (place, data))
        assert all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))
        for p, q in zip(read_pairs(place / "pairs"), read_pairs(data / "pairs"), strict=True):
            assert p.name == q.name
            assert np.array_equal(p.degraded, q.degraded)
            assert np.array_equal(p.target, q.target)
        for d, e in zip(read_depth(place / "rgbd", "all"), read_depth(data / "rgbd", "all"), strict=True):
            assert np.array_equal(d.picture, e.picture)
            assert np.array_equal(d.inverse_depth, e.inverse_depth)

    def test_frames_of_videos(self, data: Path, packed: Path) -> None:
        """All of them, as near as WebP of quality 95, on the same side of the split."""
        for part in ("all", "train", "split"):
            clips = list(read_videos(open_data(packed) / "sequences", part))  # type: ignore[arg-type]
            wanted = list(read_videos(data / "sequences", part))  # type: ignore[arg-type]
            assert [c.shape for c in clips] == [w.shape for w in wanted]
            for clip, want in zip(clips, wanted, strict=True):
                assert abs(clip.astype(int) - want).mean() < 8  # blocks of colour, halved chroma

    def test_published_layouts(self, tmp_path: Path) -> None:
        """Packed as they are, and read as they are."""
        write(tmp_path / "data/DDN/rainy_image/901_1.png", picture(1) // 2)
        write(tmp_path / "data/DDN/ground_truth/901.png", picture(1))
        pack(tmp_path / "data", tmp_path / "out", MIB)

        (pair,) = layouts.pairs(open_data(tmp_path / "out"), "ddn:DDN", "all")

        assert np.array_equal(pair.target, picture(1))

    def test_samples(self, data: Path, packed: Path) -> None:
        """With the same configuration, every batch is the same."""
        from_folders, from_shards = Samples(config(**ALL), data), Samples(config(**ALL), packed)

        assert all(equal(from_folders[step], from_shards[step]) for step in range(6))

    def test_router_samples(self, data: Path, packed: Path) -> None:
        """Those of the router, too."""
        values = {
            "clean": ["clean"],
            "depth": ["rgbd"],
            "real": "real",
            "pairs": {"pairs": "rain"},
            "batch": 4,
        }
        shape = RouterNetConfig(thumbnail=32, crop=32, crops=2)
        made = [RouterSamples(read_settings(RouterConfig, values), shape, d)[0] for d in (data, packed)]

        assert torch.equal(made[0].crops, made[1].crops)
        assert torch.equal(made[0].labels, made[1].labels)

    def test_what_is_not_there(self, packed: Path) -> None:
        """Is named with the pack."""
        place = open_data(packed)

        assert not (place / "clean" / "z.png").is_dir()
        with pytest.raises(FileNotFoundError, match=r"out:clean/z\.png"):
            (place / "clean" / "z.png").read_bytes()
        with pytest.raises(FileNotFoundError, match="out:foggy: no such folder"):
            list_pictures(place / "foggy")

    @pytest.mark.parametrize("harm", ["missing", "cut", "altered", "newer"])
    def test_not_whole(self, harm: str, data: Path, tmp_path: Path) -> None:
        """A shard that was left behind, cut or altered on its way, a pack of a later version."""
        pack(data, tmp_path / "out", 60_000)
        shard = tmp_path / "out" / "shard-001.safetensors"
        content = bytearray(shard.read_bytes())
        if harm == "missing":
            shard.unlink()
        elif harm == "cut":
            shard.write_bytes(content[:-100])
        elif harm == "altered":
            content[-100] ^= 1
            shard.write_bytes(content)
        else:
            index = tmp_path / "out" / INDEX
            index.write_text(index.read_text().replace('"format":1', '"format":2'))

        with pytest.raises(ValueError, match=r"format 2" if harm == "newer" else r"shard-001"):
            open_data(tmp_path / "out")


BARE = """
import sys
for name in {missing}:
    sys.modules[name] = None  # as if it were not installed
from pathlib import Path
{then}
"""


class TestBareMachine:
    """Where little is installed."""

    def run(self, missing: list[str], then: str) -> str:
        """What a new process without these packages prints."""
        code = BARE.format(missing=missing, then=then)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_reader_needs_numpy_and_opencv(self, packed: Path) -> None:
        """Neither safetensors nor msgspec, YAML, click or PyAV."""
        out = self.run(
            ["av", "safetensors", "msgspec", "yaml", "click", "lightning_fabric", "torch"],
            "from training.shards import open_data\n"
            "from training.data import read_clean, read_videos\n"
            f"place = open_data(Path({str(packed)!r}))\n"
            "print(len(read_clean([place / 'clean'], 'all')))\n"
            "print(len(list(read_videos(place / 'sequences', 'all'))))",
        )

        assert out.split() == [str(len(STEMS)), "1"]

    def test_ablations_need_no_pyav(self) -> None:
        """Nor what is left of the tools that only some of them use."""
        assert self.run(["av", "kornia", "sklearn"], "import training.ablate.__main__; print(1)").split() == [
            "1"
        ]

    def test_training_needs_no_pyav(self, packed: Path, tmp_path: Path) -> None:
        """A run from shards, from the command line to its weights."""
        (tmp_path / "run.yaml").write_text(
            "{name: a, network: addunet, shape: {widths: [4, 6, 8]}, clean: [clean], precision: 32-true,\n"
            " tasks: {noise: {batch: 2, crop: 32, coded: 1.0}}}"
        )
        arguments = [tmp_path / "run.yaml", "--data", packed, "--run", tmp_path / "run", "--workers", 0]
        words = [str(word) for word in (*arguments, "--minutes", 0.005)]

        self.run(["av", "kornia"], f"from training.train import main\nmain({words!r})")

        assert (tmp_path / "run" / "ema.safetensors").is_file()
