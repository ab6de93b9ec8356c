"""High dynamic range: refused unless it is let through, and what survives then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamrestore.decode import open_source
from streamrestore.engine import Restorer
from streamrestore.errors import UnsupportedVideo
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.report import JobReport
from streamrestore.settings import JobSettings, read_settings
from tests.media import read_planes, write_video

PQ, HLG = 16, 18
MASTERING = (
    "log-level=error:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    ":max-cll=1000,400"
)


def write(path: Path, transfer: int = PQ, **more: Any) -> None:
    """A small HDR video: BT.2020, 10 bit."""
    tags = {"matrix": 9, "range": 1, "primaries": 9, "transfer": transfer}
    write_video(path, pix_fmt="yuv420p10le", frames=3, pattern="smooth", **tags, **more)


def run(
    source: Path, target: Path, restorer: Restorer, encode: dict[str, Any] | None = None, **restore: Any
) -> JobReport:
    """Restore one file into another."""
    values = {"restore": {"branch": "rain", **restore}, "encode": encode or {}}
    return restore_file(str(source), target, read_settings(JobSettings, values), restorer=restorer)


class TestRefused:
    @pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
    def test_says_what_and_what_to_do(
        self, tmp_path: Path, restorer: Restorer, transfer: int, name: str
    ) -> None:
        """The networks know SDR only: nothing is written, and the way through is named."""
        write(tmp_path / "a.mp4", transfer)

        with pytest.raises(UnsupportedVideo, match=f"coded as {name}.*--hdr pass") as refused:
            run(tmp_path / "a.mp4", tmp_path / "b.mp4", restorer)

        assert str(tmp_path / "a.mp4") in str(refused.value)
        assert not (tmp_path / "b.mp4").exists()

    @pytest.mark.parametrize("transfer", [1, 6, 14])
    def test_sdr_passes(self, tmp_path: Path, restorer: Restorer, transfer: int) -> None:
        """BT.2020 and 10 bit alone are no HDR."""
        write(tmp_path / "a.mp4", transfer)
        assert run(tmp_path / "a.mp4", tmp_path / "b.mp4", restorer).frames_restored == 3


class TestUntouched:
    def test_copy_is_never_refused(self, tmp_path: Path, restorer: Restorer) -> None:
        """A file in which nothing is restored is copied, tags and all."""
        write(tmp_path / "a.mp4")

        assert run(tmp_path / "a.mp4", tmp_path / "b.mp4", restorer, branch="none").copied

        assert read_planes(tmp_path / "b.mp4").tags == (9, 1, 9, PQ)

    @pytest.mark.parametrize("transfer", [PQ, HLG])
    @pytest.mark.parametrize(
        ("codec", "extension"),
        [
            (codec, extension)
            for codec in ("h264", "hevc", "av1", "ffv1")
            for extension in (".mp4", ".mkv")
            if (codec, extension) != ("ffv1", ".mp4")
        ],
    )
    def test_tags_and_depth_survive_encoding(
        self, tmp_path: Path, restorer: Restorer, codec: str, extension: str, transfer: int
    ) -> None:
        """Encoded although nothing is restored: still 10 bit, and still marked as what it is."""
        write(tmp_path / "a.mkv", transfer)
        target = tmp_path / f"b{extension}"

        run(tmp_path / "a.mkv", target, restorer, {"codec": codec, "force_encode": True}, branch="none")

        after = read_planes(target)
        assert after.tags == (9, 1, 9, transfer)
        assert after.pix_fmt == "yuv420p10le"
        if codec == "ffv1":
            before = read_planes(tmp_path / "a.mkv")
            pairs = zip(before.planes, after.planes, strict=True)
            assert all(np.array_equal(x, y) for a, b in pairs for x, y in zip(a, b, strict=True))


class TestPass:
    def test_restored_as_coded(self, tmp_path: Path, restorer: Restorer) -> None:
        """Let through: restored, 10 bit, and tagged as before."""
        write(tmp_path / "a.mp4", HLG)

        report = run(tmp_path / "a.mp4", tmp_path / "b.mp4", restorer, hdr="pass")

        after = read_planes(tmp_path / "b.mp4")
        assert (report.frames_restored, after.pix_fmt, after.tags) == (3, "yuv420p10le", (9, 1, 9, HLG))

    @pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "copied"])
    def test_light_levels_are_kept(self, tmp_path: Path, restorer: Restorer, codec: str) -> None:
        """What the display was that it was graded on, and how bright it gets."""
        write(tmp_path / "a.mp4", codec="libx265", options={"x265-params": MASTERING})
        how = {"branch": "none"} if codec == "copied" else {"hdr": "pass"}
        encode = {} if codec == "copied" else {"codec": codec}

        report = run(tmp_path / "a.mp4", tmp_path / "b.mp4", restorer, encode, **how)

        with open_source(str(tmp_path / "b.mp4")) as source:
            after = source.info
        assert after.light_level == (1000, 400)
        assert after.mastering is not None
        assert [round(float(value), 4) for value in after.mastering.primaries] == [
            0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329,
        ]  # fmt: skip
        least, most = after.mastering.luminance
        assert (round(float(least), 4), most) == (0.0001, 1000)
        assert not any("mastering" in note for note in report.notes)

    def test_what_is_lost_is_noted(self, tmp_path: Path, restorer: Restorer) -> None:
        """FFV1 has no place for it."""
        write(tmp_path / "a.mp4", codec="libx265", options={"x265-params": MASTERING})

        report = run(tmp_path / "a.mp4", tmp_path / "b.mkv", restorer, {"codec": "ffv1"}, hdr="pass")

        assert "mastering display, content light level: cannot be written with ffv1; lost" in report.notes

    def test_is_a_permission(self) -> None:
        """Work done with it and without is the same work."""
        allowed = read_settings(JobSettings, {"restore": {"hdr": "pass"}})
        assert allowed.digest == JobSettings().digest
