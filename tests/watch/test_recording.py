"""What was received, as files."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from streamrestore.errors import OutputExists, UsageError
from streamrestore.settings import EncodeSettings
from streamrestore.watch.recording import Recorder, names_for
from tests.watch.items import frame, other


def times(path: Path) -> list[float]:
    """Presentation times of a file's pictures, in seconds."""
    with av.open(str(path)) as container:
        return [picture.time for picture in container.decode(video=0)]


def colors(path: Path) -> list[tuple[int, ...]]:
    """Mean red, green and blue of a file's pictures."""
    with av.open(str(path)) as container:
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    return [tuple(np.rint(picture.mean(axis=(0, 1))).astype(int)) for picture in pictures]


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_gaps_keep_their_time(tmp_path: Path, ending: str) -> None:
    """What was lost leaves its time empty; after a reconnect the time that passed is there, too."""
    path = tmp_path / f"out{ending}"
    recorder = Recorder(names_for(path), EncodeSettings())
    for item in (frame(0), frame(1), other("gap", missing=23), frame(25), frame(3, epoch=2, received=3.0)):
        recorder.take(item)
    assert not path.exists()

    (report,) = recorder.finish()

    assert (report.path, report.frames) == (path, 4)
    assert times(path) == pytest.approx([0, 0.04, 1, 3], abs=0.002)


def test_colours(tmp_path: Path) -> None:
    """By the tags that the file has."""
    recorder = Recorder(names_for(tmp_path / "out.mkv"), EncodeSettings(crf=4))
    wanted = [(200, 30, 40), (20, 180, 60), (10, 40, 220)]
    for number, color in enumerate(wanted):
        recorder.take(frame(number, image=np.full((48, 64, 3), color, np.uint8)))
    recorder.finish()

    np.testing.assert_allclose(colors(tmp_path / "out.mkv"), wanted, atol=4)


def test_ffv1_keeps_every_sample(tmp_path: Path) -> None:
    """Of odd sizes, too."""
    images = [np.random.default_rng(n).integers(0, 256, (33, 47, 3), np.uint8) for n in range(3)]
    recorder = Recorder(names_for(tmp_path / "out.mkv"), EncodeSettings(codec="ffv1"))
    for number, image in enumerate(images):
        recorder.take(frame(number, size=(47, 33), image=image))
    recorder.finish()

    with av.open(str(tmp_path / "out.mkv")) as container:
        stored = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    np.testing.assert_array_equal(stored, images)


def test_a_folder_has_a_file_for_each_stream(tmp_path: Path) -> None:
    """Named by stream and time; another size is another file."""
    recorder = Recorder(names_for(tmp_path / "new" / "folder"), EncodeSettings())
    for number in range(3):
        recorder.take(frame(number))
        recorder.take(frame(number, stream="cam2", size=(65, 33)))
    recorder.take(frame(3, size=(32, 32)))

    reports = recorder.finish()

    assert {report.path.name: report.frames for report in reports} == {
        "cam1-20270115T080000.000Z.mkv": 3,
        "cam1-20270115T080000.120Z.mkv": 1,
        "cam2-20270115T080000.000Z.mkv": 3,
    }
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {r.path.name for r in reports}


def test_another_size_in_a_file(tmp_path: Path) -> None:
    """Goes into a second one beside it."""
    recorder = Recorder(names_for(tmp_path / "out.mp4"), EncodeSettings())
    recorder.take(frame(0))
    recorder.take(frame(1, size=(32, 32)))

    assert [report.path.name for report in recorder.finish()] == ["out.mp4", "out-2.mp4"]


def test_what_fails_leaves_the_others(tmp_path: Path) -> None:
    """Nothing is overwritten, and the other stream's file is complete."""
    (tmp_path / "cam1-20270115T080000.000Z.mkv").write_text("mine")
    recorder = Recorder(names_for(tmp_path), EncodeSettings())
    recorder.take(frame(0, stream="cam2"))
    with pytest.raises(OutputExists):
        recorder.take(frame(0))

    (report,) = recorder.finish()

    assert times(report.path) == [0]
    assert (tmp_path / "cam1-20270115T080000.000Z.mkv").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(("name", "words"), [("out.avi", "mkv"), ("out.wmv", "'.wmv'")])
def test_files_that_cannot_be_recorded_to(tmp_path: Path, name: str, words: str) -> None:
    """Are refused before anything is recorded."""
    with pytest.raises(UsageError, match=words):
        names_for(tmp_path / name)

    assert list(tmp_path.iterdir()) == []
