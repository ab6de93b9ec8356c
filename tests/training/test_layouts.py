"""Published sets are read as their archives unpack, and what does not lie so is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamrestore.errors import UsageError
from tests.training.pictures import picture, write
from training import layouts
from training.config import read_config
from training.data import in_part
from training.samples import Samples

ROOT = Path(__file__).parents[2]


def ddn(folder: Path, rainy: str = "rainy_image", clean: str = "ground_truth") -> None:
    """Two scenes, two rains each."""
    for scene in ("901", "902"):
        write(folder / clean / f"{scene}.jpg", picture(int(scene)))
        for rain in (1, 2):
            write(folder / rainy / f"{scene}_{rain}.jpg", picture(int(scene)) // 2)


def reside(folder: Path, clear: str = "clear", hazy: str = "{}_1_0.85.png") -> None:
    """Two scenes; what is clear has a margin of 10 pixels more."""
    for scene in ("1400", "1401"):
        whole = picture(int(scene), (80, 96))
        write(folder / clear / f"{scene}.png", whole)
        write(folder / "hazy" / hazy.format(scene), whole[10:-10, 10:-10] // 2 + 100)


def raindrop(folder: Path) -> None:
    """Two scenes."""
    for scene in (0, 10):
        write(folder / "data" / f"{scene}_rain.png", picture(scene) // 2)
        write(folder / "gt" / f"{scene}_clean.png", picture(scene))


def rain100(rainy: str, clean: str) -> Callable[[Path], None]:
    """Two scenes, under these names."""

    def make(folder: Path) -> None:
        for scene in ("001", "012"):
            write(folder / rainy.format(scene), picture(int(scene)) // 2)
            write(folder / clean.format(scene), picture(int(scene)))

    return make


PAIRS: list[tuple[str, Callable[[Path], None], list[str]]] = [
    ("ddn", ddn, ["901_1", "901_2", "902_1", "902_2"]),
    ("ddn", lambda folder: ddn(folder, "rainy image", "ground truth"), ["901_1", "901_2", "902_1", "902_2"]),
    ("raindrop", raindrop, ["0_rain", "10_rain"]),
    ("rain100", rain100("rain-{}.png", "norain-{}.png"), ["rain-001", "rain-012"]),
    ("rain100", rain100("rainy/rain-{}.png", "norain-{}.png"), ["rain-001", "rain-012"]),
    ("rain100", rain100("rainy/rain-{}.png", "norain/norain-{}.png"), ["rain-001", "rain-012"]),
    ("rain100", rain100("rain/norain-{}.png", "norain/norain-{}.png"), ["norain-001", "norain-012"]),
    ("rain100", rain100("rain/X2/norain-{}x2.png", "norain/norain-{}.png"), ["norain-001x2", "norain-012x2"]),
]


class TestPairs:
    """`layouts.pairs`."""

    @pytest.mark.parametrize(("layout", "make", "names"), PAIRS)
    def test_variants(
        self, layout: str, make: Callable[[Path], None], names: list[str], tmp_path: Path
    ) -> None:
        """Each damaged picture has its own clean one; inputs are half as bright here."""
        make(tmp_path / "set" / "train")

        pairs = list(layouts.pairs(tmp_path, f"{layout}:set/train", "all"))

        assert [pair.name for pair in pairs] == names
        for pair in pairs:  # JPEG is a little off
            assert abs(pair.target.astype(int) - 2 * pair.degraded.astype(int)).mean() < 8
        assert len({pair.target.tobytes() for pair in pairs}) == 2

    @pytest.mark.parametrize(
        ("clear", "hazy"), [("clear", "{}_1_0.85.png"), ("gt", "{}_10.png"), ("GT", "{}_0.8_0.2.png")]
    )
    def test_reside(self, clear: str, hazy: str, tmp_path: Path) -> None:
        """The margin of the clear pictures is cut on all sides, so that both show the same."""
        reside(tmp_path, clear, hazy)

        pairs = list(layouts.pairs(tmp_path, "reside:", "all"))

        assert [pair.name[:5] for pair in pairs] == ["1400_", "1401_"]
        for pair in pairs:
            assert pair.degraded.shape == pair.target.shape == (60, 76, 3)
            assert abs(pair.degraded.astype(int) - pair.target // 2 - 100).mean() < 4

    def test_a_scene_is_on_one_side(self, tmp_path: Path) -> None:
        """Whatever rain lies over it: the clean picture's name decides."""
        held = next(str(n) for n in range(1000) if in_part(str(n), "split"))
        kept = next(str(n) for n in range(1000) if in_part(str(n), "train"))
        for scene in (held, kept):
            write(tmp_path / "ground_truth" / f"{scene}.png", picture(1))
            for rain in range(3):
                write(tmp_path / "rainy_image" / f"{scene}_{rain}.png", picture(2))

        for part, scene in (("split", held), ("train", kept)):
            pairs = layouts.pairs(tmp_path, "ddn:", part)  # type: ignore[arg-type]
            assert [pair.name for pair in pairs] == [f"{scene}_{rain}" for rain in range(3)]

    def test_other_files_are_left_alone(self, tmp_path: Path) -> None:
        """Rain's own layers lie beside the rainy pictures in some archives."""
        rain100("rain-{}.png", "norain-{}.png")(tmp_path)
        write(tmp_path / "rainstreak-001.png", picture(5))

        assert len(list(layouts.pairs(tmp_path, "rain100:", "all"))) == 2


class TestDepth:
    """`layouts.depth`."""

    def test_reside(self, tmp_path: Path) -> None:
        """A transmission exp(-beta d) of d, 2 d and 4 d is an inverse depth of 1, 1/2 and 1/4."""
        scene = picture(1, (80, 96))
        write(tmp_path / "clear" / "7.png", scene)
        distance = np.repeat([0.35, 0.7, 1.4], 20)[:, None, None] * np.ones((60, 76, 3))
        for beta in (1, 2):
            transmission = np.rint(255 * np.exp(-beta * distance)).astype(np.uint8)
            write(tmp_path / "trans" / f"7_{beta}.png", transmission)

        (one,) = layouts.depth(tmp_path, "reside:", "all")

        assert one.inverse_depth.dtype == np.float32
        assert one.inverse_depth[::20, 0] == pytest.approx([1, 1 / 2, 1 / 4], rel=0.02)
        assert np.array_equal(one.picture, scene[10:-10, 10:-10])


class TestClean:
    """`layouts.clean`."""

    def test_bsd(self, tmp_path: Path) -> None:
        """Pictures to train on, never those to test on."""
        for part in ("train", "val", "test"):
            write(tmp_path / "BSR" / "images" / part / "8143.png", picture(len(part)))

        (found,) = layouts.clean(tmp_path, "bsd:BSR", "all")

        assert np.array_equal(found, picture(len("train")))

    def test_kodak(self, tmp_path: Path) -> None:
        """In order, without what else is there."""
        for name in ("kodim02", "kodim01", "thumbnail"):
            write(tmp_path / f"{name}.png", picture(len(name) + int(name[-1] == "2")))

        found = list(layouts.clean(tmp_path, "kodak:.", "all"))

        assert [f.tobytes() for f in found] == [picture(7).tobytes(), picture(8).tobytes()]


class TestRefused:
    """What was expected, and where."""

    @pytest.mark.parametrize(
        ("layout", "make", "words"),
        [
            ("ddn", raindrop, r"expected a folder 'rainy_image' or 'rainy image' in it; there is data, gt"),
            ("reside", lambda f: f.mkdir(), "expected a folder 'hazy' or 'haze' in it; there is none"),
            ("rain100", raindrop, r"expected pictures named .* in it; there is no picture"),
            ("raindrop", lambda f: write(f / "gt/1.png", picture(1)), "expected a folder 'data'"),
        ],
    )
    def test_another_layout(
        self, layout: str, make: Callable[[Path], None], words: str, tmp_path: Path
    ) -> None:
        """The folder is named, and what it has instead."""
        make(tmp_path / "set")
        with pytest.raises(FileNotFoundError, match=rf"set: {words}"):
            list(layouts.pairs(tmp_path, f"{layout}:set", "all"))

    def test_a_missing_picture(self, tmp_path: Path) -> None:
        """A clean one that is not there is named, with its damaged one."""
        ddn(tmp_path)
        (tmp_path / "ground_truth" / "902.jpg").unlink()

        with pytest.raises(FileNotFoundError, match=r"ground_truth: expected '902', .* of .*902_1\.jpg"):
            list(layouts.pairs(tmp_path, "ddn:", "all"))

    def test_unknown_layout(self, tmp_path: Path) -> None:
        """With those that are known; layouts of pairs are none of clean pictures."""
        with pytest.raises(UsageError, match=r"'dnn'.*known are ddn, rain100, raindrop, reside"):
            list(layouts.pairs(tmp_path, "dnn:x", "all"))
        with pytest.raises(UsageError, match=r"'ddn'.*known are bsd, kodak"):
            list(layouts.clean(tmp_path, "ddn:x", "all"))


def published(tmp_path: Path) -> None:
    """All published sets, side by side."""
    ddn(tmp_path / "rainy_image_dataset/training")
    rain100("rain-{}.png", "norain-{}.png")(tmp_path / "RainTrainL")
    rain100("rain-{}.png", "norain-{}.png")(tmp_path / "RainTrainH")
    reside(tmp_path / "ITS_v2")
    for scene in ("1400", "1401"):
        write(tmp_path / "ITS_v2" / "trans" / f"{scene}_1.png", picture(3, (80, 96))[10:-10, 10:-10])
    raindrop(tmp_path / "raindrop/train")
    write(tmp_path / "BSR/BSDS500/data/images/train/8143.jpg", picture(4, (320, 480)))


def test_published_config(tmp_path: Path) -> None:
    """The configurations for the published sets run on their layouts as they stand."""
    published(tmp_path)
    made = {}
    for name in ("train-published", "train-published-haze"):
        samples = Samples(read_config(ROOT / f"configs/{name}.yaml"), tmp_path)
        for task, diet in samples.config.tasks.items():
            made[task] = {samples.sample(np.random.default_rng(n), task, diet)[0].shape for n in range(8)}

    assert made == {"rain": {(1, 3, 128, 128)}, "raindrop": {(1, 3, 160, 160)}, "haze": {(1, 3, 256, 256)}}


@pytest.mark.parametrize(("name", "side", "count"), [("uffn", 240, 8), ("addunet", 64, 16)])
def test_papers_config(name: str, side: int, count: int, tmp_path: Path) -> None:
    """Likewise those of the two papers, whose batches have all tasks."""
    published(tmp_path)
    samples = Samples(read_config(ROOT / f"configs/train-paper-{name}.yaml"), tmp_path)

    batch = samples[0]

    assert batch.degraded.shape == (count, 1, 3, side, side)
    assert len(set(batch.tasks)) > 1
