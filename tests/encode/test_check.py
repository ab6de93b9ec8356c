"""What is refused before the first frame, and the tables behind it."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamrestore.encode import check_output
from streamrestore.encode.codecs import CODECS, check_quality, encoder_options
from streamrestore.encode.containers import CONTAINERS, find_container
from streamrestore.errors import OutputError, OutputExists, UnsupportedOutput, UsageError
from streamrestore.frames import MasteringDisplay
from streamrestore.seams import SourceInfo
from streamrestore.settings import EncodeSettings
from tests.encode.helpers import read_source
from tests.media import write_video


@pytest.fixture
def source(tmp_path: Path) -> tuple[Path, SourceInfo]:
    """A video in a folder of its own."""
    path = tmp_path / "in" / "in.mp4"
    path.parent.mkdir()
    write_video(path, frames=2, audio=True)
    return path, read_source(path)[0]


def test_good_output_leaves_no_trace(source: tuple[Path, SourceInfo], tmp_path: Path) -> None:
    """The check writes nothing, and tells what will be done."""
    path, info = source

    plan = check_output(tmp_path / "out.mp4", path, EncodeSettings(), info)

    assert [p.name for p in tmp_path.iterdir()] == ["in"]
    assert (plan.container.name, plan.codec.name) == ("mp4", "h264")
    assert plan.passengers is not None
    assert plan.passengers.copied == (1,)


def test_losses_are_refused(source: tuple[Path, SourceInfo], tmp_path: Path) -> None:
    """Before the start, with every stream, the reason, and two ways out."""
    path, info = source
    with pytest.raises(UnsupportedOutput) as caught:
        check_output(tmp_path / "out.webm", path, EncodeSettings(), info)
    assert str(caught.value) == (
        f"{tmp_path / 'out.webm'}: webm cannot hold all streams of {path} (audio stream 1 (aac, und): "
        "webm does not take it); write mkv, or give --drop-unsupported to leave them out"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_what_will_be_dropped_is_known(source: tuple[Path, SourceInfo], tmp_path: Path) -> None:
    """Where it is allowed."""
    path, info = source
    plan = check_output(tmp_path / "out.webm", path, EncodeSettings(drop_unsupported=True), info)
    assert plan.passengers is not None
    (line,) = plan.passengers.dropped
    assert line.startswith("audio stream 1 (aac, und): webm does not take it")


@pytest.mark.parametrize("name", ["out.xyz", "out", "out.", ".mp4"])
def test_unknown_extension(source: tuple[Path, SourceInfo], tmp_path: Path, name: str) -> None:
    """The known ones are listed."""
    path, info = source
    with pytest.raises(UsageError, match=r"known are \.mp4, \.m4v, \.mov, \.mkv") as caught:
        check_output(tmp_path / name, path, EncodeSettings(), info)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("how", ["same", "hardlink", "symlink", "dots"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_output_equals_input(
    source: tuple[Path, SourceInfo], tmp_path: Path, how: str, overwrite: bool
) -> None:
    """By whatever name, and with --overwrite, too; the input stays."""
    path, info = source
    before = path.read_bytes()
    target = tmp_path / "other.mp4"
    if how == "same":
        target = path
    elif how == "hardlink":
        os.link(path, target)
    elif how == "symlink":
        target.symlink_to(path)
    else:
        target = tmp_path / "in" / ".." / "in" / "in.mp4"

    with pytest.raises(OutputError, match="is the input itself"):
        check_output(target, path, EncodeSettings(overwrite=overwrite), info)

    assert path.read_bytes() == before


def test_existing_output(source: tuple[Path, SourceInfo], tmp_path: Path) -> None:
    """Kept without --overwrite."""
    path, info = source
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(OutputExists, match="give --overwrite"):
        check_output(tmp_path / "out.mp4", path, EncodeSettings(), info)
    check_output(tmp_path / "out.mp4", path, EncodeSettings(overwrite=True), info)
    assert (tmp_path / "out.mp4").read_bytes() == b"old"


def test_folders(source: tuple[Path, SourceInfo], tmp_path: Path) -> None:
    """A folder as target, and a folder that is not there."""
    path, info = source
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path / "out.mp4", path, EncodeSettings(overwrite=True), info)
    with pytest.raises(OutputError, match="create it first"):
        check_output(tmp_path / "no" / "out.mp4", path, EncodeSettings(), info)
    with pytest.raises(OutputError, match="not a folder"):
        check_output(path / "out.mp4", path, EncodeSettings(), info)


@pytest.mark.parametrize(
    ("name", "codec", "says"),
    [
        ("out.webm", "h264", "goes into mp4, mov, mkv"),
        ("out.avi", "hevc", "it holds h264, ffv1"),
        ("out.ts", "ffv1", "it holds h264, hevc"),
        ("out.mov", "av1", "goes into mp4, mkv, webm"),
    ],
)
def test_codec_that_the_container_does_not_hold(
    source: tuple[Path, SourceInfo], tmp_path: Path, name: str, codec: str, says: str
) -> None:
    """Both ways out are named: another codec, another container."""
    path, info = source
    settings = EncodeSettings(codec=codec)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedOutput, match=says):
        check_output(tmp_path / name, path, settings, info)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (EncodeSettings(preset="quick"), "ultrafast, superfast"),
        (EncodeSettings(codec="av1", preset="medium"), "av1 takes 13, 12"),
        (EncodeSettings(codec="ffv1", preset="fast"), "none: leave it out"),
        (EncodeSettings(codec="h264", crf=52.0), "0 .best. to 51"),
        (EncodeSettings(codec="ffv1", crf=0.0), "lossless"),
    ],
)
def test_quality_is_checked(settings: EncodeSettings, says: str) -> None:
    """FFmpeg would ignore some of it silently."""
    name = "h264" if settings.codec == "auto" else settings.codec
    with pytest.raises(UsageError, match=says):
        check_quality(CODECS[name], settings)


@pytest.mark.parametrize("name", CODECS)
def test_codec_table_is_true(name: str) -> None:
    """Every format, option and default exists in this build of FFmpeg."""
    spec = CODECS[name]
    codec = av.Codec(spec.encoder, "w")
    known = {taken.name for taken in codec.video_formats or ()}
    assert set(spec.formats) <= known
    context = av.CodecContext.create(spec.encoder, "w")
    supported = context.supported_options
    options = {option.name for option in (*supported.generic, *supported.private)}
    assert set(encoder_options(spec, EncodeSettings())) <= options
    check_quality(spec, EncodeSettings(crf=spec.crf, preset=spec.preset))


@pytest.mark.parametrize(
    ("codec", "option", "told"),
    [
        (
            "h264", "x264-params",
            "mastering-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):cll=1000,400",
        ),
        (
            "hevc", "x265-params",
            (
                "log-level=error:pools=2:master-display=G(13250,34500)B(7500,3000)R(34000,16000)"
                "WP(15635,16450)L(10000000,50):max-cll=1000,400"
            ),
        ),
        (
            "av1", "svtav1-params",
            (
                "mastering-display=G(0.265000,0.690000)B(0.150000,0.060000)R(0.680000,0.320000)"
                "WP(0.312700,0.329000)L(1000.000000,0.005000):content-light=1000,400"
            ),
        ),
    ],
)  # fmt: skip
def test_encoders_are_told_of_light(codec: str, option: str, told: str) -> None:
    """Each in its own words, and nothing where nothing is known."""
    numbers = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
    primaries = tuple(Fraction(number).limit_denominator(50_000) for number in numbers)
    display = MasteringDisplay(primaries, (Fraction(1, 200), Fraction(1000)))

    options = encoder_options(CODECS[codec], EncodeSettings(), display, (1000, 400))

    assert options[option] == told
    dark = encoder_options(CODECS[codec], EncodeSettings(), None, (0, 0))
    assert dark == encoder_options(CODECS[codec], EncodeSettings())


@pytest.mark.parametrize("extension", CONTAINERS)
def test_container_table_is_true(extension: str) -> None:
    """Every muxer is there and takes its codecs."""
    spec = find_container(Path(f"x{extension}"))
    for name in spec.codecs:
        with av.open(io.BytesIO(), "w", format=spec.format) as output:
            stream = output.add_stream(CODECS[name].encoder, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"  # type: ignore[union-attr]
            output.start_encoding()
