"""Pictures from folders, and which of them are never trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.pictures import picture, write, write_clean, write_depth, write_pairs, write_video
from training.data import (
    decode_video,
    in_part,
    list_pictures,
    read_clean,
    read_depth,
    read_pairs,
    read_picture,
    read_videos,
    scene_of,
)


@pytest.mark.parametrize(
    ("stems", "same"),
    [
        (("h_train_norain-12", "l_train_norain-12"), True),
        (("1401_3", "1401_9"), True),
        (("h_test_017", "h_test_018"), False),
        (("bsds_100080", "bsds_100098"), False),
        (("cs_aachen_000001_000019", "cs_aachen_000002_000019"), False),
    ],
)
def test_scenes(stems: tuple[str, str], same: bool) -> None:
    """Two inputs of one scene are one scene; pictures of one collection are not."""
    assert (scene_of(stems[0]) == scene_of(stems[1])) == same


@given(st.lists(st.from_regex(r"[a-z0-9]{1,8}(_[0-9]{1,4}){0,2}", fullmatch=True), max_size=30))
def test_split(stems: list[str]) -> None:
    """Every picture is on one side, its whole scene with it; and always on the same side."""
    sides: dict[str, bool] = {}
    for stem in stems:
        train, split = in_part(stem, "train"), in_part(stem, "split")
        assert train != split
        assert in_part(stem, "all")
        assert sides.setdefault(scene_of(stem), train) == train


def test_split_is_a_part() -> None:
    """About one in sixteen is kept from training."""
    held = sum(in_part(f"bsds_{n}", "split") for n in range(4000))

    assert 180 < held < 320


def test_folders(tmp_path: Path) -> None:
    """By name, pictures only; the parts together are the whole."""
    stems = [f"p_{n:02}" for n in range(40)]
    write_clean(tmp_path, stems)
    (tmp_path / "notes.txt").write_text("no picture")

    everything = list_pictures(tmp_path)

    assert [path.stem for path in everything] == stems
    parts = [list_pictures(tmp_path, part) for part in ("train", "split")]
    assert sorted(parts[0] + parts[1]) == everything
    assert all(parts)
    assert len(read_clean([tmp_path, tmp_path], "split")) == 2 * len(parts[1])


def test_pictures_are_rgb(tmp_path: Path) -> None:
    """Red is first."""
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    write(tmp_path / "a.png", red)

    assert np.array_equal(read_picture(tmp_path / "a.png"), red)
    with pytest.raises(FileNotFoundError, match=r"b\.png"):
        read_picture(tmp_path / "b.png")


def test_pairs(tmp_path: Path) -> None:
    """By stem, whatever the suffix, cropped to what both have."""
    write_pairs(tmp_path, ["1401_1", "1402_1"])
    write(tmp_path / "target" / "1402_1.png", picture(101, (64, 80)))

    pairs = list(read_pairs(tmp_path))

    assert [pair.name for pair in pairs] == ["1401_1", "1402_1"]
    assert all(pair.degraded.shape == pair.target.shape == (56, 72, 3) for pair in pairs)
    assert np.array_equal(pairs[0].degraded, pairs[0].target // 2)


def test_depth(tmp_path: Path) -> None:
    """A picture with 16-bit inverse depth beside it, 0 to 1; without, the file is named."""
    write_depth(tmp_path, ["a"])

    (one,) = read_depth(tmp_path, "all")

    assert one.picture.shape == (56, 72, 3)
    assert one.inverse_depth.dtype == np.float32
    assert one.inverse_depth[0, 0] == 0
    assert one.inverse_depth[-1, 5] == pytest.approx(1)
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png: no depth"):
        list(read_depth(tmp_path, "all"))


def test_videos_as_pictures(tmp_path: Path) -> None:
    """A folder of numbered pictures is a video, too, on the side that a file of its name would be on."""
    for number in (0, 1, 10):
        write(tmp_path / "a.b" / f"{number:04}.png", picture(number))

    (clip,) = read_videos(tmp_path, "all")

    assert np.array_equal(clip, np.stack([picture(number) for number in (0, 1, 10)]))
    assert [len(list(read_videos(tmp_path, part))) for part in ("train", "split")] == [
        int(in_part("a.b", part)) for part in ("train", "split")
    ]


def test_rate(tmp_path: Path) -> None:
    """Frames per second come with the frames."""
    write_video(tmp_path / "a.mp4", frames=3)

    frames, rate = decode_video(tmp_path / "a.mp4")

    assert (len(frames), rate) == (3, 10.0)


def test_videos(tmp_path: Path) -> None:
    """All frames of each video of a part; other files are left alone."""
    write_video(tmp_path / "a.mp4", frames=3)
    write_video(tmp_path / "b.mkv", frames=2)
    (tmp_path / "notes.txt").write_text("no video")

    clips = list(read_videos(tmp_path, "all"))

    assert [clip.shape for clip in clips] == [(3, 48, 64, 3), (2, 48, 64, 3)]
    assert abs(clips[0][1].astype(int) - picture(1, (48, 64))).mean() < 20
