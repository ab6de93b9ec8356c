"""Samples and tags through the sink."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamrestore.encode import FileSink
from streamrestore.encode.codecs import CODECS
from streamrestore.encode.pictures import PictureWriter, as_array, ffmpeg_name, plan_layout
from streamrestore.errors import UnsupportedOutput
from streamrestore.frames import ColorInfo, Frame, FrameBatch, PixelFormat, Range
from streamrestore.seams import Restored, SourceInfo, StreamInfo
from streamrestore.settings import EncodeSettings
from streamrestore.weather import Decision
from tests.encode.helpers import ffprobe, pixel_format, restore
from tests.media import Planes, from_frame, random_planes, read_planes, write_video

BT709, BT601, BT2020 = (1, 1, 1), (6, 6, 6), (9, 9, 14)


def make_batch(
    pix_fmt: str, size: tuple[int, int], color: ColorInfo, count: int = 2
) -> tuple[list[Planes], FrameBatch]:
    """Noise over the whole code range."""
    pictures = [random_planes(pix_fmt, size, seed=seed) for seed in range(count)]
    frames = tuple(Frame(tuple(planes), index, 1, index) for index, planes in enumerate(pictures))
    return pictures, FrameBatch(frames, *size, pixel_format(pix_fmt), Fraction(1, 25), color)


def write(path: Path, batch: FrameBatch, **settings: object) -> tuple[str, ...]:
    """Write one batch; return the notes."""
    stream = StreamInfo(0, "video", "", batch.time_base, None, None)
    info = SourceInfo(
        "arrays", "", (stream,), stream, batch.width, batch.height, batch.format, "", batch.color,
        batch.time_base, Fraction(25),
    )  # fmt: skip
    sink = FileSink(path, info, EncodeSettings(**settings), source_path=None)  # type: ignore[arg-type]
    sink.write(Restored(batch, Decision()))
    return sink.finish().notes


@pytest.mark.parametrize("tags", [BT709, BT601, BT2020])
@pytest.mark.parametrize("code_range", [Range.LIMITED, Range.FULL])
@pytest.mark.parametrize("sampling", [420, 422, 444])
@pytest.mark.parametrize("depth", ["", "10le"])
def test_lossless_is_exact(
    tmp_path: Path, depth: str, sampling: int, code_range: int, tags: tuple[int, int, int]
) -> None:
    """Every sample comes back, codes outside the limited range and odd sizes included; tags, too."""
    pix_fmt = f"yuv{sampling}p{depth}"
    color = ColorInfo(tags[0], code_range, tags[1], tags[2])
    pictures, batch = make_batch(pix_fmt, (63, 47), color)

    notes = write(tmp_path / "out.mkv", batch, codec="ffv1")

    back = read_planes(tmp_path / "out.mkv")
    assert notes == ()
    assert back.pix_fmt == pix_fmt
    assert back.tags == (tags[0], code_range, tags[1], tags[2])
    for old, new in zip(pictures, back.planes, strict=True):
        for a, b in zip(old, new, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gbrp10le", "yuv440p", "yuv422p12le"])
def test_rare_formats_are_exact_in_ffv1(tmp_path: Path, pix_fmt: str) -> None:
    """FFV1 takes what hardly anything else takes."""
    pictures, batch = make_batch(pix_fmt, (62, 47), ColorInfo())

    write(tmp_path / "out.mkv", batch, codec="ffv1")

    back = read_planes(tmp_path / "out.mkv")
    for old, new in zip(pictures, back.planes, strict=True):
        for a, b in zip(old, new, strict=True):
            np.testing.assert_array_equal(a, b)


def test_rgb_is_exact_in_ffv1(tmp_path: Path) -> None:
    """FFV1 stores 8-bit RGB in another order, and nothing else changes."""
    pictures, batch = make_batch("gbrp", (63, 47), ColorInfo(0, 2))

    assert write(tmp_path / "out.mkv", batch, codec="ffv1") == ()

    back = read_planes(tmp_path / "out.mkv")
    assert back.pix_fmt == "bgr0"
    for old, new in zip(pictures, back.planes, strict=True):
        packed = new[0].reshape(47, 63, 4)
        for plane, channel in zip(old, (2, 1, 0), strict=True):
            np.testing.assert_array_equal(plane, packed[..., channel])


@pytest.mark.parametrize("color", [ColorInfo(1, 1, 1, 1), ColorInfo(5, 2, 5, 6), ColorInfo(9, 1, 9, 16)])
@pytest.mark.parametrize(
    ("codec", "extension"),
    [("h264", ".mp4"), ("h264", ".mov"), ("h264", ".mkv"), ("h264", ".ts"), ("h264", ".avi"),
     ("hevc", ".mp4"), ("hevc", ".ts"), ("av1", ".mp4"), ("av1", ".webm"), ("auto", ".webm")],
)  # fmt: skip
def test_tags_are_kept(tmp_path: Path, codec: str, extension: str, color: ColorInfo) -> None:
    """Matrix, range, primaries and transfer, in every codec and container."""
    path = tmp_path / f"out{extension}"
    _, batch = make_batch("yuv420p", (64, 48), color)

    write(path, batch, codec=codec)

    assert read_planes(path).tags == (color.matrix, color.range, color.primaries, color.transfer)


def test_chroma_location_is_kept(tmp_path: Path) -> None:
    """Chroma sited at the top left stays there, as ffprobe sees."""
    _, batch = make_batch("yuv420p", (64, 48), ColorInfo(1, 1, 1, 1, chroma_location=3))

    write(tmp_path / "out.mp4", batch)

    assert ffprobe(tmp_path / "out.mp4", "-show_streams")["streams"][0]["chroma_location"] == "topleft"


@pytest.mark.parametrize(
    ("source", "size", "codec", "target"),
    [
        ("yuv420p12le", (64, 48), "h264", "yuv420p10le"),
        ("yuv420p", (63, 47), "h264", "yuv444p"),
        ("yuv422p10le", (64, 48), "av1", "yuv420p10le"),
        ("gbrp", (64, 48), "h264", "yuv444p"),
        ("gbrp10le", (64, 48), "h264", "yuv444p10le"),
        ("gray", (64, 48), "av1", "yuv420p"),
        ("yuv411p", (64, 48), "h264", "yuv422p"),
        ("yuv411p", (62, 48), "ffv1", "yuv422p"),
        ("yuv444p16le", (64, 48), "hevc", "yuv444p12le"),
        ("gbrp14le", (64, 48), "hevc", "gbrp12le"),
        ("yuv420p9le", (64, 48), "h264", "yuv420p10le"),
    ],
)
def test_nearest_format_is_taken_with_a_note(
    source: str, size: tuple[int, int], codec: str, target: str
) -> None:
    """What a codec does not take is converted with the least loss, and the user is told."""
    layout = plan_layout(CODECS[codec], pixel_format(source), ColorInfo(1, 1), *size)

    assert layout.target == target
    assert layout.note is not None
    assert source in layout.note
    assert target in layout.note


@pytest.mark.parametrize("code_range", [Range.LIMITED, Range.FULL, Range.UNSPECIFIED])
def test_twelve_bits_become_ten(code_range: int) -> None:
    """The reduction is right to a code and a half (FFmpeg dithers), in both ranges."""
    pictures, batch = make_batch("yuv420p12le", (64, 48), ColorInfo(1, code_range), 1)
    layout = plan_layout(CODECS["h264"], batch.format, batch.color, 64, 48)

    picture = PictureWriter(layout, batch.color)(batch.frames[0], batch)

    scale = 1023 / 4095 if code_range == Range.FULL else 1 / 4
    for old, new in zip(pictures[0], from_frame(picture), strict=True):
        assert np.abs(old * scale - new).max() < 1.5  # dithered
    assert picture.color_range == code_range


@pytest.mark.parametrize(("size", "weights"), [((64, 48), (0.299, 0.114)), ((1280, 16), (0.2126, 0.0722))])
@pytest.mark.parametrize("tags", [ColorInfo(0, 2, 1, 13), ColorInfo(1, 1), ColorInfo()])
def test_rgb_becomes_yuv_by_the_tagged_matrix(
    size: tuple[int, int], weights: tuple[float, float], tags: ColorInfo
) -> None:
    """BT.601 for small pictures, BT.709 for large ones; limited range, and tagged so."""
    pictures, batch = make_batch("gbrp", size, tags, 1)
    layout = plan_layout(CODECS["h264"], batch.format, batch.color, *size)

    picture = PictureWriter(layout, batch.color)(batch.frames[0], batch)

    red, green, blue = (plane.astype(float) for plane in pictures[0])
    kr, kb = weights
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    y, u, v = from_frame(picture)
    assert np.abs(y - (16 + luma * 219 / 255)).max() <= 1
    assert np.abs(u - (128 + (blue - luma) / (2 - 2 * kb) * 224 / 255)).max() <= 1
    assert np.abs(v - (128 + (red - luma) / (2 - 2 * kr) * 224 / 255)).max() <= 1
    assert (picture.colorspace, picture.color_range) == (6 if size[0] == 64 else 1, 1)


def test_odd_luma_is_untouched_when_chroma_is_enlarged() -> None:
    """An odd 4:2:0 picture goes to H.264 as 4:4:4, with its luma as it was."""
    pictures, batch = make_batch("yuv420p", (63, 47), ColorInfo(1, 1), 1)
    layout = plan_layout(CODECS["h264"], batch.format, batch.color, 63, 47)

    picture = PictureWriter(layout, batch.color)(batch.frames[0], batch)

    np.testing.assert_array_equal(from_frame(picture)[0], pictures[0][0])


def test_gray_keeps_its_luma() -> None:
    """Grey becomes luma with neutral chroma."""
    pictures, batch = make_batch("gray", (64, 48), ColorInfo(), 1)
    layout = plan_layout(CODECS["av1"], batch.format, batch.color, 64, 48)

    y, u, v = from_frame(PictureWriter(layout, batch.color)(batch.frames[0], batch))

    np.testing.assert_array_equal(y, pictures[0][0])
    assert set(np.unique(u)) == set(np.unique(v)) == {128}


@pytest.mark.parametrize("depth", [8, 10])
def test_tensors_are_taken(depth: int) -> None:
    """Planes may be torch tensors, strided ones, too."""
    torch = pytest.importorskip("torch")
    pix_fmt = "yuv420p" if depth == 8 else "yuv420p10le"
    pictures, batch = make_batch(pix_fmt, (64, 48), ColorInfo(), 1)
    tensors = tuple(torch.from_numpy(np.repeat(plane, 2, axis=1))[:, ::2] for plane in pictures[0])
    layout = plan_layout(CODECS["h264"], batch.format, batch.color, 64, 48)

    picture = PictureWriter(layout, batch.color)(Frame(tensors, 0), batch)

    for old, new in zip(pictures[0], from_frame(picture), strict=True):
        np.testing.assert_array_equal(old, new)


def test_dlpack_is_taken() -> None:
    """Anything with `__dlpack__` will do."""

    class Capsule:
        def __init__(self, array: np.ndarray) -> None:
            self.array = array

        def __dlpack__(self, **keywords: object) -> object:
            return self.array.__dlpack__()

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.array.__dlpack_device__()

    array = np.arange(6, dtype=np.uint8).reshape(2, 3)

    np.testing.assert_array_equal(as_array(Capsule(array)), array)


def test_planes_are_not_written_to(tmp_path: Path) -> None:
    """Decoder memory is read only: the sink takes it as it is."""
    pictures, batch = make_batch("yuv420p", (64, 48), ColorInfo())
    for plane in (plane for frame in batch.frames for plane in frame.planes):
        plane.flags.writeable = False

    write(tmp_path / "out.mp4", batch)

    assert np.array_equal(pictures[0][0], batch.frames[0].planes[0])


def test_unknown_layouts_are_refused() -> None:
    """A depth that FFmpeg has no format for is a clear error."""
    with pytest.raises(UnsupportedOutput, match="no pixel format"):
        ffmpeg_name(PixelFormat("yuv", 11, 1, 1))


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".webm"])
def test_rotation_and_pixel_shape_are_kept(tmp_path: Path, extension: str, rotation: int) -> None:
    """A portrait video stays one."""
    source, target = tmp_path / "in.mp4", tmp_path / f"out{extension}"
    write_video(source, frames=3, rotation=rotation, sample_aspect_ratio=Fraction(4, 3))

    report = restore(source, target)

    back = read_planes(target)
    assert back.rotation % 360 == rotation
    if extension == ".webm":
        assert any("pixel shape 4:3" in note for note in report.notes)
    else:
        assert back.sample_aspect_ratio == Fraction(4, 3)
        assert report.notes == ()
    assert back.size == (64, 48)


@pytest.mark.parametrize("extension", [".avi", ".ts"])
def test_lost_rotation_is_reported(tmp_path: Path, extension: str) -> None:
    """Containers without a display matrix say so; the pixel shape they keep."""
    source, target = tmp_path / "in.mp4", tmp_path / f"out{extension}"
    write_video(source, frames=3, rotation=90, sample_aspect_ratio=Fraction(4, 3))

    report = restore(source, target)

    assert any("rotation by 90 degrees" in note for note in report.notes)
    assert read_planes(target).sample_aspect_ratio == Fraction(4, 3)
