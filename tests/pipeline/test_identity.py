"""Untouched is exact: what is not restored leaves with the very samples it came with."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamrestore.engine import Restorer
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.report import JobReport
from streamrestore.settings import JobSettings, read_settings
from tests.media import Read, read_planes, write_video

MATRICES = {"601": 6, "709": 1}
RANGES = {"limited": 1, "full": 2}
FORMATS = {
    ("420", 8): "yuv420p",
    ("422", 8): "yuv422p",
    ("444", 8): "yuv444p",
    ("420", 10): "yuv420p10le",
    ("422", 10): "yuv422p10le",
    ("444", 10): "yuv444p10le",
}
FFV1 = {"codec": "ffv1", "force_encode": True}


def run(source: Path, target: Path, restorer: Restorer, encode: Any = None, **restore: Any) -> JobReport:
    """Restore one file into another."""
    settings = read_settings(JobSettings, {"restore": restore, "encode": encode or {}})
    return restore_file(str(source), target, settings, restorer=restorer)


def assert_same(before: Read, after: Read) -> None:
    """Planes, tags, orientation and times."""
    assert after.pix_fmt == before.pix_fmt
    assert len(after.planes) == len(before.planes)
    for a, b in zip(before.planes, after.planes, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert after.tags == before.tags
    assert after.rotation == before.rotation
    assert after.seconds == pytest.approx(before.seconds, abs=0.001)


@pytest.mark.parametrize(
    "how", [{"branch": "none"}, {"branch": "rain", "strength": 0}], ids=["bypass", "zero"]
)
@pytest.mark.parametrize("size", [(48, 32), (37, 21)], ids=["even", "odd"])
@pytest.mark.parametrize(("sampling", "depth"), FORMATS)
@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", MATRICES)
def test_matrix(
    tmp_path: Path,
    restorer: Restorer,
    matrix: str,
    range_: str,
    sampling: str,
    depth: int,
    size: tuple[int, int],
    how: dict[str, Any],
) -> None:
    """Bypassed, or at strength 0, every sample over the whole code range comes out as it went in."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    tags = {"matrix": MATRICES[matrix], "range": RANGES[range_], "primaries": 1, "transfer": 1}
    made = write_video(source, pix_fmt=FORMATS[sampling, depth], size=size, frames=3, **tags)
    assert np.ptp(made[0][0]) > 0.98 * 2**depth  # white noise

    report = run(source, target, restorer, FFV1, **how)

    before, after = read_planes(source), read_planes(target)
    assert before.tags == (MATRICES[matrix], RANGES[range_], 1, 1)
    assert_same(before, after)
    assert not report.copied
    assert (report.frames, report.frames_restored, report.codec) == (3, 0, "ffv1")


@pytest.mark.parametrize(
    "pix_fmt", ["gray", "gray10le", "bgr0", "gbrp10le", "yuv440p", "yuv411p", "yuv420p12le"]
)
def test_other_formats(tmp_path: Path, restorer: Restorer, pix_fmt: str) -> None:
    """Grey, RGB and what else there is."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    write_video(source, pix_fmt=pix_fmt, size=(48, 32), frames=2)

    run(source, target, restorer, FFV1, branch="none")

    before, after = read_planes(source), read_planes(target)
    if pix_fmt in ("bgr0", "gbrp10le"):  # says now that it is RGB
        assert after.tags == (0, 2, 2, 2)
        after.tags = before.tags
    assert_same(before, after)


def test_untagged_stays_untagged(tmp_path: Path, restorer: Restorer) -> None:
    """What is assumed for the networks is reported, and not written into the file."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    write_video(source, frames=2)

    report = run(source, target, restorer, FFV1, branch="none")

    assert_same(read_planes(source), read_planes(target))
    assert set(report.assumed) >= {"matrix"}


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_orientation_stays_a_tag(tmp_path: Path, restorer: Restorer, rotation: int) -> None:
    """Planes are written as they are stored."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    write_video(source, size=(64, 32), frames=2, rotation=rotation)

    report = run(source, target, restorer, FFV1, branch="none")

    assert read_planes(target).rotation % 360 == rotation
    assert_same(read_planes(source), read_planes(target))
    assert (report.width, report.height) == ((32, 64) if rotation != 180 else (64, 32))


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(
    "how", [{"branch": "none"}, {"branch": "rain", "strength": 0}], ids=["bypass", "zero"]
)
def test_a_file_without_damage_is_copied(
    tmp_path: Path, restorer: Restorer, extension: str, how: dict[str, Any]
) -> None:
    """Packet by packet, the sound too, and the report says so."""
    source, target = tmp_path / f"in{extension}", tmp_path / f"out{extension}"
    write_video(source, frames=12, rate=Fraction(30000, 1001), codec="libx264", audio=True, pattern="moving")

    report = run(source, target, restorer, **how)

    assert packets(source) == packets(target)
    assert report.copied
    assert (report.frames, report.frames_restored) == (12, 0)
    assert report.codec == "h264"
    assert [s.outcome for s in report.streams] == ["copied", "copied"]
    assert not list(tmp_path.glob(".*"))


def packets(path: Path) -> list[tuple[str, bytes]]:
    """Payloads of a file, by kind, in the order of each stream."""
    with av.open(str(path)) as container:
        found = [(p.stream.type, bytes(p)) for p in container.demux() if p.size]
    return sorted(found, key=lambda item: item[0])
