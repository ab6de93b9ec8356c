"""Pictures before and after."""

from __future__ import annotations

import av
import numpy as np
import pytest

from streamrestore.decode import open_source
from streamrestore.pipeline.job import restore_file
from streamrestore.render.stills import find_stills, spread, strongest
from streamrestore.settings import JobSettings, read_settings
from tests.media import truncate, write_pictures, write_video
from tests.render.samples import clips_of, report_of
from tests.restorers import small_restorer, without_weights


def flat(levels, size=(64, 48), chroma=(128, 128)):
    """Pictures of one colour each."""
    width, height = size
    half = (height // 2, width // 2)
    return [
        [np.full((height, width), level, np.uint8), *(np.full(half, code, np.uint8) for code in chroma)]
        for level in levels
    ]


def decoded(data: bytes) -> np.ndarray:
    """RGB (h, w, 3) of a JPEG file."""
    context = av.CodecContext.create("mjpeg", "r")
    (frame,) = [*context.decode(av.Packet(data)), *context.decode(None)]
    return frame.to_ndarray(format="rgb24")


def report(folder, labels, *, before="a.mkv", after="b.mkv", seconds=0.4, **more):
    """Of two files in a folder, with clips of ten frames."""
    return report_of(
        input=str(folder / before),
        output=str(folder / after),
        clips=clips_of(labels, seconds=seconds),
        **more,
    )


def write_pair(folder, changes, *, before="a.mkv", after="b.mkv", **more):
    """Two files with ten frames for each change of luma between them."""
    levels = [100 + index % 10 for index in range(10 * len(changes))]
    write_video(folder / before, planes=flat(levels), **more)
    changed = [level + changes[index // 10] for index, level in enumerate(levels)]
    write_video(folder / after, planes=flat(changed))


class TestChoice:
    """Which moments are shown."""

    def test_strongest_of_every_branch(self, tmp_path):
        """Each branch has its strongest; then the strongest of all; what was left alone is not shown."""
        write_pair(tmp_path, [3, 40, 20, 0, 10, 30])
        found = find_stills(report(tmp_path, ["rain", "rain", "rain", "clean", "haze", "rain"]), 3)
        assert [(still.branch, still.frame // 10) for still in found] == [
            ("rain", 1),
            ("haze", 4),
            ("rain", 5),
        ]
        expected = [change * 255 / 219 for change in (40, 10, 30)]
        assert [still.difference for still in found] == pytest.approx(expected, abs=1)
        assert [still.seconds for still in found] == [still.frame / 25 for still in found]

    def test_before_and_after_are_the_same_moment(self, tmp_path):
        """Both show the very frame that is named."""
        write_pair(tmp_path, [0, 50])
        (still,) = find_stills(report(tmp_path, ["clean", "rain"]))
        level = 100 + still.frame % 10
        for data, luma in ((still.before, level), (still.after, level + 50)):
            assert decoded(data).mean() == pytest.approx((luma - 16) * 255 / 219, abs=1.5)

    def test_spread_over_branches_and_time(self):
        """A rare branch is looked at; a frequent one from its start to its end."""
        chosen = spread(clips_of(["rain"] * 100 + ["haze"]), 5)
        assert [clip.branch for clip in chosen] == ["rain"] * 4 + ["haze"]
        assert [clip.start_frame // 50 for clip in chosen[:4]] == [12, 37, 62, 87]
        assert len(spread(clips_of(["rain"] * 3), 8)) == 3

    def test_strongest_first(self):
        """One of each branch before a second one of any."""
        measured = [("rain", 1.0), ("rain", 9.0), ("rain", 8.0), ("haze", 2.0)]
        assert strongest(measured, 4) == [1, 3, 2, 0]


class TestPicture:
    """What is shown."""

    @pytest.mark.parametrize("container", ["b.mkv", "b.avi"])
    def test_portrait_is_upright(self, tmp_path, container):
        """A video that is stored sideways is shown as displayed, its output without a tag as well."""
        pictures = flat([60] * 10, size=(64, 48))
        for luma, *_ in pictures:
            luma[:, 48:] = 220  # the right quarter: after a quarter turn counterclockwise, the top
        write_video(tmp_path / "a.mkv", planes=pictures, rotation=90)
        write_video(tmp_path / container, planes=pictures, rotation=0 if container == "b.avi" else 90)
        (still,) = find_stills(report(tmp_path, ["rain"], after=container))
        assert (still.width, still.height) == (48, 64)
        for data in (still.before, still.after):
            picture = decoded(data)
            assert picture.shape == (64, 48, 3)
            assert picture[:12].mean() > 200
            assert picture[20:].mean() < 80

    @pytest.mark.parametrize(("matrix", "range_"), [(1, 1), (6, 1), (1, 2)])
    def test_colour_is_right(self, tmp_path, matrix, range_):
        """The same orange, whatever matrix and range the file is tagged with."""
        kr, kb = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}[matrix]
        red, green, blue = 0.8, 0.4, 0.1
        y = kr * red + (1 - kr - kb) * green + kb * blue
        cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
        scale, offset, span = (255, 0, 255) if range_ == 2 else (219, 16, 224)
        codes = [round(y * scale + offset), round(cb * span + 128), round(cr * span + 128)]
        for name in ("a.mkv", "b.mkv"):
            write_video(
                tmp_path / name, planes=flat([codes[0]] * 10, chroma=codes[1:]), matrix=matrix, range=range_
            )
        (still,) = find_stills(report(tmp_path, ["rain"]))
        expected = [255 * red, 255 * green, 255 * blue]
        assert decoded(still.before).mean(axis=(0, 1)) == pytest.approx(expected, abs=4)

    def test_large_pictures_are_reduced(self, tmp_path):
        """The long side is at most what is asked for, and the shape stays."""
        for name in ("a.mkv", "b.mkv"):
            write_video(tmp_path / name, frames=10, size=(200, 100), pattern="smooth")
        (still,) = find_stills(report(tmp_path, ["rain"]), longest=80)
        assert (still.width, still.height) == (80, 40)
        assert decoded(still.after).shape == (40, 80, 3)


class TestInputs:
    """Where pictures come from."""

    def test_other_start_of_time(self, tmp_path):
        """A file whose clock begins late and an output that begins at 0 are matched."""
        write_pair(tmp_path, [0, 50], before="a.ts", start=90)
        with open_source(tmp_path / "a.ts") as source:
            begin = next(iter(source))
        assert begin.seconds(begin.frames[0]) > 1
        (still,) = find_stills(report(tmp_path, ["clean", "rain"], before="a.ts"))
        assert still.difference == pytest.approx(50 * 255 / 219, abs=1)
        assert still.seconds == pytest.approx(still.frame / 25)

    def test_damaged_input(self, tmp_path):
        """What decodes of a damaged file is shown."""
        write_pair(tmp_path, [50, 50])
        truncate(tmp_path / "a.mkv", 0.9)
        found = find_stills(report(tmp_path, ["rain", "rain"], losses={"missing pictures": 1}))
        assert found
        assert found[0].difference == pytest.approx(50 * 255 / 219, abs=1)

    def test_numbered_pictures(self, tmp_path):
        """They are passed through once."""
        write_pictures(tmp_path, "%05d.png", range(20))
        write_video(tmp_path / "b.mkv", frames=20, size=(32, 24))
        assert len(find_stills(report(tmp_path, ["rain", "rain"], before="%05d.png"))) == 2

    @pytest.mark.parametrize("gone", ["a.mkv", "b.mkv"])
    def test_file_that_is_gone(self, tmp_path, gone):
        """A page without stills is better than none."""
        write_pair(tmp_path, [50])
        (tmp_path / gone).unlink()
        assert find_stills(report(tmp_path, ["rain"])) == ()

    def test_url(self, tmp_path):
        """A stream is not opened again."""
        assert find_stills(report_of(input="rtsp://camera/1", output=str(tmp_path / "b.mkv"))) == ()

    def test_stop(self, tmp_path):
        """Asked to stop, it shows what it has."""
        write_pair(tmp_path, [50, 50, 50])
        assert len(find_stills(report(tmp_path, ["rain"] * 3), stop=lambda: True)) == 1

    def test_real_job(self, tmp_path, monkeypatch):
        """A file that was restored has stills, taken from it and its output."""
        without_weights(monkeypatch)
        write_video(tmp_path / "a.mp4", frames=10, size=(64, 48), pattern="smooth")
        settings = read_settings(JobSettings, {"restore": {"branch": "rain"}})
        done = restore_file(
            str(tmp_path / "a.mp4"), tmp_path / "b.mp4", settings, restorer=small_restorer()
        )  # fmt: skip
        (still,) = find_stills(done)
        assert decoded(still.before).shape == decoded(still.after).shape == (48, 64, 3)
        assert still.difference > 0
