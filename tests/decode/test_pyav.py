"""PyAVSource through `open_source`, on real files, against the independent reader of tests.media."""

from __future__ import annotations

import gc
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from streamrestore.decode import open_source
from streamrestore.errors import InputUnreadable, UnsupportedVideo, UsageError
from streamrestore.frames import ColorInfo, Frame, FrameBatch, PixelFormat
from streamrestore.seams import Source
from tests.media import Planes, random_planes, read_planes, to_frame, write_video


def frames_of(source: Source) -> list[Frame]:
    """All frames of a source."""
    return [frame for batch in source for frame in batch.frames]


def read(path: Path, **options: object) -> tuple[list[Frame], Source]:
    """All frames of a file, and the closed source."""
    with open_source(path, **options) as source:  # type: ignore[arg-type]
        return frames_of(source), source


def same(frames: list[Frame], pictures: list[Planes]) -> bool:
    """True if every sample of every plane is equal."""
    return len(frames) == len(pictures) and all(
        np.array_equal(ours, theirs)
        for frame, planes in zip(frames, pictures, strict=True)
        for ours, theirs in zip(frame.planes, planes, strict=True)
    )


class TestPlanes:
    """Samples."""

    @pytest.mark.parametrize("depth", ["", "10le"])
    @pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p", "gray"])
    @pytest.mark.parametrize("size", [(64, 48), (33, 27)])
    def test_every_sample_is_exact(
        self, tmp_path: Path, layout: str, depth: str, size: tuple[int, int]
    ) -> None:
        """Every format comes out as it was written, odd sizes and padding included."""
        path = tmp_path / "a.mkv"
        written = write_video(path, pix_fmt=layout + depth, size=size, frames=4)

        frames, source = read(path)

        assert same(frames, written)
        assert source.info.format.depth == (10 if depth else 8)
        assert [plane.shape for plane in frames[0].planes] == source.info.format.plane_sizes(*size)

    @pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.ts", "a.avi", "a.webm", "a.nut"])
    def test_every_container(self, tmp_path: Path, name: str) -> None:
        """The pictures do not depend on the container."""
        written = write_video(tmp_path / name, frames=5, audio=name not in ("a.nut", "a.avi"))

        frames, source = read(tmp_path / name)

        assert same(frames, written)
        assert source.status.frames == 5
        assert not source.status.losses

    @pytest.mark.parametrize(
        "pix_fmt", ["nv12", "yuyv422", "uyvy422", "rgb24", "bgr24", "rgb48le", "yuv420p10be"]
    )
    def test_packed_formats_are_repacked(self, tmp_path: Path, pix_fmt: str) -> None:
        """Packed samples come out as planes, none changed."""
        path = tmp_path / "a.nut"
        (written,) = write_video(path, pix_fmt=pix_fmt, size=(34, 26), frames=1)

        (frame,), source = read(path)

        assert source.info.pixel_format == pix_fmt
        for ours, theirs in zip(frame.planes, unpack(pix_fmt, written), strict=True):
            assert np.array_equal(ours, theirs)

    def test_planar_rgb_is_in_the_order_r_g_b(self, tmp_path: Path) -> None:
        """FFmpeg stores G, B, R; ours are R, G, B."""
        path = tmp_path / "a.mp4"
        (written,) = write_video(path, pix_fmt="rgb24", frames=1, codec="libx264rgb", options={"qp": "0"})

        (frame,), source = read(path)

        assert source.info.pixel_format == "gbrp"
        assert source.info.format == PixelFormat("rgb")
        for channel, plane in enumerate(frame.planes):
            assert np.array_equal(plane, written[0][:, channel::3])

    def test_deep_planar_rgb(self, tmp_path: Path) -> None:
        """gbrp10 keeps order and depth."""
        written = write_video(tmp_path / "a.mkv", pix_fmt="gbrp10le", frames=2)

        assert same(read(tmp_path / "a.mkv")[0], written)

    def test_pictures_stored_bottom_up(self, tmp_path: Path) -> None:
        """Raw AVI stands on its head in memory; ours does not, and has strides that torch takes."""
        path = tmp_path / "a.avi"
        (written,) = write_video(path, pix_fmt="bgr24", frames=1, codec="rawvideo")

        (frame,), _ = read(path)

        assert np.array_equal(frame.planes[0], written[0][:, 2::3])
        assert all(stride > 0 for plane in frame.planes for stride in plane.strides)

    def test_views_do_not_copy(self, tmp_path: Path) -> None:
        """Planes are views with the decoder's row length, read-only because later pictures need them."""
        write_video(tmp_path / "a.mp4", size=(70, 50), frames=2)

        frames, _ = read(tmp_path / "a.mp4")

        luma = frames[0].planes[0]
        assert luma.strides[0] > luma.shape[1]
        assert not luma.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            luma[0, 0] = 1

    def test_held_planes_do_not_change(self, tmp_path: Path) -> None:
        """Views stay as they are while later frames are decoded, and after the source is gone."""
        path = tmp_path / "a.mp4"
        written = write_video(
            path, pattern="moving", frames=40, codec="libx264", options={"qp": "0", "bf": "3", "g": "40"}
        )
        with open_source(path, batch_size=3) as source:
            frames = frames_of(source)
        del source
        gc.collect()

        assert same(frames, written)

    def test_frames_let_go_of_their_memory(self, tmp_path: Path) -> None:
        """Nothing keeps frames that nobody holds: the decoder uses few buffers over and over."""
        write_video(tmp_path / "a.mp4", frames=60)

        with open_source(tmp_path / "a.mp4", batch_size=2) as source:
            places = {batch.frames[0].planes[0].__array_interface__["data"][0] for batch in source}

        assert len(places) < 20


class TestTimes:
    """Timestamps."""

    def test_variable_rate(self, tmp_path: Path) -> None:
        """Every timestamp of a variable rate comes through."""
        times = [0, 40, 41, 100, 400, 401, 402, 500, 600, 900]
        write_video(tmp_path / "a.mkv", times=times, time_base=Fraction(1, 1000))

        frames, _ = read(tmp_path / "a.mkv")

        assert [frame.pts for frame in frames] == times

    @pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.mp4"])
    def test_start_offset_stays(self, tmp_path: Path, name: str) -> None:
        """A start that is not zero stays, to the tick that the independent reader sees."""
        write_video(tmp_path / name, start=50, frames=5)

        frames, source = read(tmp_path / name)

        assert [frame.pts for frame in frames] == read_planes(tmp_path / name).pts
        assert frames[0].pts * source.info.time_base >= 1.9

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.mov"])
    @pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
    def test_pictures_that_were_reordered(self, tmp_path: Path, name: str, rate: Fraction) -> None:
        """With B-frames the times increase evenly, in AVI too, which has decoding times only."""
        options = {"bf": "3", "g": "12"}
        write_video(tmp_path / name, pattern="moving", frames=30, rate=rate, codec="libx264", options=options)

        frames, source = read(tmp_path / name)

        seconds = [float(frame.pts * source.info.time_base) for frame in frames]
        assert len(frames) == 30
        assert np.allclose(np.diff(seconds), float(1 / rate), atol=0.0011)
        assert [frame.index for frame in frames] == list(range(30))
        assert not source.status.notes

    def test_edit_list_hides_pictures(self, tmp_path: Path) -> None:
        """Pictures before an edit list's start are not given out, and are no loss."""
        write_video(tmp_path / "a.mp4", frames=40, start=-13, codec="libx264", options={"g": "40", "bf": "2"})

        frames, source = read(tmp_path / "a.mp4")

        assert len(frames) == len(read_planes(tmp_path / "a.mp4").pts) < 40
        assert not source.status.losses

    def test_missing_timestamps_are_counted(self, tmp_path: Path) -> None:
        """Raw H.264 has no times: they follow from the rate, and a note says so."""
        write_video(tmp_path / "a.h264", frames=10, container="h264")

        frames, source = read(tmp_path / "a.h264")

        steps = {second.pts - first.pts for first, second in pairwise(frames)}
        assert len(steps) == 1
        assert steps.pop() * source.info.time_base == Fraction(1, 25)
        assert any("timestamps were missing" in note for note in source.status.notes)

    def test_times_that_jump_back_go_on(self, tmp_path: Path) -> None:
        """Recordings joined byte by byte: time goes on, nothing is dropped, a note says so."""
        for number in (1, 2):
            write_video(tmp_path / f"{number}.ts", frames=30, seed=100 * number)
        joined = tmp_path / "joined.ts"
        joined.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())

        frames, source = read(joined)

        assert len(frames) == 60
        assert all(first.pts < second.pts for first, second in pairwise(frames))
        assert frames[-1].pts * source.info.time_base < 4
        assert any("jumped back" in note for note in source.status.notes)


class TestTags:
    """What the stream says about its pictures."""

    def test_colour(self, tmp_path: Path) -> None:
        """Matrix, range, primaries and transfer are the stream's, in info and in batches."""
        path = tmp_path / "a.mp4"
        write_video(path, matrix=9, range=1, primaries=9, transfer=16, pix_fmt="yuv420p10le", frames=2)

        with open_source(path) as source:
            (batch,) = source

        assert batch.color == source.info.color == ColorInfo(9, 1, 9, 16)

    def test_full_range_by_name(self, tmp_path: Path) -> None:
        """FFmpeg's yuvj formats are full range."""
        write_video(tmp_path / "a.mp4", range=2, matrix=1, frames=2)

        _, source = read(tmp_path / "a.mp4")

        assert source.info.pixel_format == "yuvj420p"
        assert source.info.color.range == 2

    def test_untagged(self, tmp_path: Path) -> None:
        """What is not tagged stays unspecified."""
        write_video(tmp_path / "a.mkv", frames=2)

        assert read(tmp_path / "a.mkv")[1].info.color == ColorInfo()

    @pytest.mark.parametrize("degrees", [0, 90, 180, 270])
    def test_rotation(self, tmp_path: Path, degrees: int) -> None:
        """Rotation is counterclockwise, 0 to 270, and the planes stay as stored."""
        path = tmp_path / "a.mp4"
        written = write_video(path, rotation=degrees, frames=2, size=(64, 32))

        with open_source(path) as source:
            (batch,) = source

        assert batch.rotation == source.info.rotation == degrees
        assert batch.displayed_size == ((32, 64) if degrees % 180 else (64, 32))
        assert same(list(batch.frames), written)

    @pytest.mark.parametrize(("turns", "rotation"), [(0, 0), (90, 270), (180, 180), (270, 90)])
    def test_mirrored(self, tmp_path: Path, turns: int, rotation: int) -> None:
        """Only the lower edge counts: a mirror alone is no rotation, though FFmpeg calls it one by 180."""
        with av.open(str(tmp_path / "a.mp4"), "w") as out:
            stream = out.add_stream("libx264", rate=25)
            stream.width, stream.height = 64, 48
            stream.set_display_rotation(turns, hflip=True)
            picture = to_frame(random_planes("yuv420p", (64, 48)), "yuv420p", (64, 48))
            out.mux([*stream.encode(picture), *stream.encode(None)])

        with open_source(tmp_path / "a.mp4") as source:
            (batch,) = source

        assert batch.rotation == source.info.rotation == rotation
        a, b, _, c, d, *_ = source.info.display_matrix
        assert a * d < b * c

    def test_pixels_that_are_not_square(self, tmp_path: Path) -> None:
        """The sample aspect ratio is the stream's; 1 if it has none."""
        write_video(tmp_path / "a.mp4", sample_aspect_ratio=Fraction(64, 45), frames=2)
        write_video(tmp_path / "b.mkv", frames=2)

        assert read(tmp_path / "a.mp4")[1].info.sample_aspect_ratio == Fraction(64, 45)
        assert read(tmp_path / "b.mkv")[1].info.sample_aspect_ratio == 1

    def test_flags(self, tmp_path: Path) -> None:
        """Key and interlaced flags are the decoder's."""
        options = {"g": "4", "bf": "0", "sc_threshold": "0"}
        write_video(tmp_path / "a.mp4", frames=9, pattern="smooth", codec="libx264", options=options)
        write_video(tmp_path / "b.ts", frames=4, codec="mpeg2video", interlaced=True)

        progressive, first = read(tmp_path / "a.mp4")
        interlaced, second = read(tmp_path / "b.ts")

        assert [frame.key for frame in progressive] == read_planes(tmp_path / "a.mp4").keys
        assert sum(frame.key for frame in progressive) == 3
        assert all(frame.interlaced for frame in interlaced)
        assert second.info.interlaced
        assert not first.info.interlaced

    def test_streams(self, tmp_path: Path) -> None:
        """Every stream is listed with kind, codec and times; the container's claims are passed on."""
        write_video(tmp_path / "a.mp4", frames=50, audio={"seconds": 3}, metadata={"title": "rain"})

        info = read(tmp_path / "a.mp4")[1].info

        assert [(stream.kind, stream.codec) for stream in info.streams] == [
            ("video", "h264"),
            ("audio", "aac"),
        ]
        assert info.video == info.streams[0]
        assert (info.rate, info.frame_count, info.duration) == (25, 50, 2)
        assert info.container.startswith("mov,mp4")
        assert not info.is_live


class TestBatches:
    """How frames come together."""

    @pytest.mark.parametrize("size", [1, 3, 8, 100])
    def test_size_is_bounded(self, tmp_path: Path, size: int) -> None:
        """Batches hold at most `batch_size` frames; only the last one holds fewer."""
        write_video(tmp_path / "a.mp4", frames=10)

        with open_source(tmp_path / "a.mp4", batch_size=size) as source:
            lengths = [len(batch) for batch in source]

        assert sum(lengths) == 10
        assert all(length == size for length in lengths[:-1])

    def test_change_of_size_ends_a_batch(self, tmp_path: Path) -> None:
        """A camera that changes its size mid-stream gives batches of one size each, all frames exact."""
        large = write_video(tmp_path / "1.ts", frames=5, size=(64, 48))
        small = write_video(tmp_path / "2.ts", frames=5, size=(32, 32))
        joined = tmp_path / "joined.ts"
        joined.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())

        with open_source(joined, one_kind=False) as source:
            batches = list(source)

        assert [(batch.width, batch.height) for batch in batches] == [(64, 48), (32, 32)]
        assert same([frame for batch in batches for frame in batch.frames], large + small)

    def test_pictures_of_another_size_are_left_out_and_counted(self, tmp_path: Path) -> None:
        """As damage makes them; the pictures before and after keep their times and count on."""
        pieces = []
        for number, size in enumerate([(64, 48), (32, 32), (64, 48)]):
            write_video(tmp_path / "piece.ts", frames=4, size=size, start=4 * number)
            pieces.append((tmp_path / "piece.ts").read_bytes())
        joined = tmp_path / "joined.ts"
        joined.write_bytes(b"".join(pieces))

        with open_source(joined) as source:
            frames = [frame for batch in source for frame in batch.frames]

        assert [frame.index for frame in frames] == [*range(8)]
        assert {plane.shape for frame in frames for plane in frame.planes[:1]} == {(48, 64)}
        assert source.status.losses["picture of another size or format"] == 4
        assert any("the first of 32x32 yuv420p at" in note for note in source.status.notes)

    def test_change_of_colour_ends_a_batch(self, tmp_path: Path) -> None:
        """Frames of another matrix do not share a batch."""
        for number, matrix in ((1, 1), (2, 6)):
            write_video(tmp_path / f"{number}.ts", frames=3, matrix=matrix)
        joined = tmp_path / "joined.ts"
        joined.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())

        with open_source(joined) as source:
            assert [batch.color.matrix for batch in source] == [1, 6]


class TestStart:
    """Beginning in the middle."""

    @pytest.mark.parametrize("seek", [True, False])
    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
    def test_from_the_middle(self, tmp_path: Path, name: str, seek: bool) -> None:
        """From any timestamp on, pictures, times and indices equal those of a whole pass."""
        path = tmp_path / name
        write_video(path, pattern="moving", frames=90, codec="libx264", options={"bf": "3", "g": "15"})
        whole, _ = read(path)

        for index in (0, 44, 45, 46, 89):
            part, source = read(path, start=whole[index].pts, start_index=index, seek=seek)

            assert [(frame.index, frame.pts) for frame in part] == [(f.index, f.pts) for f in whole[index:]]
            assert same(part, [list(frame.planes) for frame in whole[index:]])
            assert not source.status.losses

    def test_to_the_middle(self, tmp_path: Path) -> None:
        """Up to any timestamp, without the picture that has it; what was not read is no loss."""
        write_video(tmp_path / "a.mp4", pattern="moving", frames=40, codec="libx264", options={"g": "15"})
        whole, _ = read(tmp_path / "a.mp4")

        for stop in (0, 1, 20, 40):
            until = whole[stop].pts if stop < 40 else whole[-1].pts + 10**6
            part, source = read(tmp_path / "a.mp4", stop=until)

            assert [frame.pts for frame in part] == [frame.pts for frame in whole[:stop]]
            assert not source.status.losses
        between, _ = read(tmp_path / "a.mp4", start=whole[17].pts, stop=whole[22].pts, start_index=17)
        assert same(between, [list(frame.planes) for frame in whole[17:22]])

    def test_without_timestamps(self, tmp_path: Path) -> None:
        """Where nothing can be looked up, everything before is decoded."""
        write_video(tmp_path / "a.h264", frames=20, container="h264")
        whole, _ = read(tmp_path / "a.h264")

        part, _ = read(tmp_path / "a.h264", start=whole[12].pts, start_index=12)

        assert same(part, [list(frame.planes) for frame in whole[12:]])


class TestLifetime:
    """Open, read, close."""

    def test_read_once(self, tmp_path: Path) -> None:
        """A second pass is refused with a word, not silently empty."""
        write_video(tmp_path / "a.mp4", frames=2)
        with open_source(tmp_path / "a.mp4") as source:
            list(source)
            with pytest.raises(UsageError, match="read once"):
                iter(source)
        with pytest.raises(UsageError, match="closed"):
            iter(source)

    def test_stop_in_the_middle(self, tmp_path: Path) -> None:
        """Leaving the loop early, or closing within it, is no error and reports no losses."""
        write_video(tmp_path / "a.mp4", frames=30)
        with open_source(tmp_path / "a.mp4", batch_size=4) as source:
            batches = iter(source)
            first = next(batches)
            source.close()
            assert len(list(batches)) <= 1

        assert first.frames[0].planes[0].shape == (48, 64)
        assert not source.status.losses

    def test_interrupted_between_frames(self, tmp_path: Path) -> None:
        """An exception thrown into the iteration comes out, and everything closes."""
        write_video(tmp_path / "a.mp4", frames=30)
        with open_source(tmp_path / "a.mp4", batch_size=2) as source:
            batches = iter(source)
            next(batches)
            with pytest.raises(KeyboardInterrupt):
                batches.throw(KeyboardInterrupt)  # type: ignore[attr-defined]

    def test_no_files_stay_open(self, tmp_path: Path) -> None:
        """Good and bad inputs leave no descriptor behind."""
        write_video(tmp_path / "good.mp4", frames=5)
        (tmp_path / "bad.mp4").write_text("no video")
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            read(tmp_path / "good.mp4")
            with pytest.raises(InputUnreadable):
                open_source(tmp_path / "bad.mp4")

        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_status_says_what_and_why(self, tmp_path: Path) -> None:
        """The decoder, its version, its threads and the reason are given in words."""
        write_video(tmp_path / "a.mp4", frames=2)

        status = read(tmp_path / "a.mp4", threads=2)[1].status

        assert av.__version__ in status.decoder
        assert "h264, 2 threads" in status.decoder
        assert status.why
        assert read(tmp_path / "a.mp4", decoder="pyav")[1].status.why == "asked for"

    def test_threads_do_not_change_pictures(self, tmp_path: Path) -> None:
        """An undamaged file decodes to the same samples with any number of threads."""
        options = {"bf": "3", "g": "12", "qp": "30"}
        write_video(tmp_path / "a.mp4", pattern="moving", frames=40, codec="libx264", options=options)

        one, _ = read(tmp_path / "a.mp4")
        three, _ = read(tmp_path / "a.mp4", threads=3)

        assert same(three, [list(frame.planes) for frame in one])
        assert [frame.pts for frame in three] == [frame.pts for frame in one]

    def test_options_are_checked(self, tmp_path: Path) -> None:
        """Unknown decoders and senseless numbers are refused before anything is opened."""
        with pytest.raises(UsageError, match="known are auto, pyav"):
            open_source(tmp_path / "a.mp4", decoder="nvdec")
        with pytest.raises(UsageError, match="batch_size"):
            open_source(tmp_path / "a.mp4", batch_size=0)


class TestRefused:
    """Pictures that are not handled."""

    @pytest.mark.parametrize(("pix_fmt", "word"), [("rgba", "alpha"), ("bgra", "alpha")])
    def test_transparency(self, tmp_path: Path, pix_fmt: str, word: str) -> None:
        """Transparency is refused by name, with a way out."""
        write_video(tmp_path / "a.nut", pix_fmt=pix_fmt, frames=1)

        with pytest.raises(UnsupportedVideo, match=word) as refused:
            open_source(tmp_path / "a.nut")

        assert str(tmp_path / "a.nut") in str(refused.value)
        assert "flatten it first" in str(refused.value)

    def test_transparent_palette(self, tmp_path: Path) -> None:
        """A palette is fine as long as its colours are opaque."""
        path = tmp_path / "a.nut"
        write_video(path, pix_fmt="pal8", frames=1)
        assert read(path)[1].info.format == PixelFormat("rgb")

        picture = to_frame(random_planes("pal8", (16, 16)), "pal8", (16, 16))
        np.frombuffer(picture.planes[1], np.uint8).reshape(256, 4)[:, 3] = 7
        with av.open(str(path), "w") as out:
            stream = out.add_stream("rawvideo", rate=25)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "pal8"
            out.mux(stream.encode(picture))
            out.mux(stream.encode(None))

        with pytest.raises(UnsupportedVideo, match="transparent"), open_source(path) as source:
            list(source)


def unpack(pix_fmt: str, planes: Planes) -> Planes:
    """Planes of packed samples, by indexing alone."""
    if pix_fmt == "nv12":
        return [planes[0], planes[1][:, 0::2], planes[1][:, 1::2]]
    if pix_fmt == "yuv420p10be":
        return [plane.astype("<u2") for plane in planes]
    (row,) = planes
    steps = {
        "yuyv422": ((0, 2), (1, 4), (3, 4)),
        "uyvy422": ((1, 2), (0, 4), (2, 4)),
        "rgb24": ((0, 3), (1, 3), (2, 3)),
        "bgr24": ((2, 3), (1, 3), (0, 3)),
        "rgb48le": ((0, 3), (1, 3), (2, 3)),
    }
    return [row[:, begin::step] for begin, step in steps[pix_fmt]]


def test_batch_is_data() -> None:
    """A batch needs no source: whoever has arrays can make one."""
    planes = tuple(random_planes("yuv420p", (8, 8)))
    batch = FrameBatch((Frame(planes, 0),), 8, 8, PixelFormat("yuv", 8, 1, 1), Fraction(1, 25))

    assert len(batch) == 1
