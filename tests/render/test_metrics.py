"""PSNR and SSIM of two videos."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from streamrestore.render.comparison import compare_files
from streamrestore.render.metrics import FrameMetrics, metrics_summary, write_metrics
from streamrestore.settings import EncodeSettings
from tests.media import random_planes, write_video


def measured(folder, first="a.mkv", second="b.mkv") -> list[FrameMetrics]:
    """Every frame of a comparison."""
    found: list[FrameMetrics] = []
    settings = EncodeSettings(codec="ffv1")
    compare_files(
        str(folder / first), str(folder / second), folder / "c.mkv", settings, on_metrics=found.append
    )
    return found


def changed(planes, by: int):
    """The same pictures with every sample changed."""
    return [[plane ^ by for plane in picture] for picture in planes]


class TestFrames:
    """Values of real files."""

    @pytest.mark.parametrize(("pix_fmt", "peak"), [("yuv420p", 255), ("yuv420p10le", 1023), ("yuv444p", 255)])
    def test_native_samples_count(self, tmp_path, pix_fmt, peak):
        """A change of the lowest bit is seen at any depth, in every plane, and not hidden by labels."""
        stored = write_video(tmp_path / "a.mkv", frames=3, pix_fmt=pix_fmt)
        write_video(tmp_path / "b.mkv", planes=changed(stored, 1), pix_fmt=pix_fmt)
        found = measured(tmp_path)
        assert [one.frame for one in found] == [0, 1, 2]
        assert [one.seconds for one in found] == [0, 0.04, 0.08]
        for one in found:
            assert one.psnr == pytest.approx(20 * math.log10(peak))
            assert one.ssim == pytest.approx(1, abs=1e-3)

    @pytest.mark.parametrize("pix_fmt", ["yuv420p", "bgr0", "gray"])
    def test_identical(self, tmp_path, pix_fmt):
        """What is untouched is said to be."""
        for name in ("a.mkv", "b.mkv"):
            write_video(tmp_path / name, frames=2, pix_fmt=pix_fmt, codec="ffv1")
        assert [(one.identical, one.ssim) for one in measured(tmp_path)] == [(True, 1.0)] * 2

    @pytest.mark.parametrize("rotation", [90, 180, 270])
    def test_other_orientation(self, tmp_path, rotation):
        """Pictures that look the same are, however they are stored."""
        stored = write_video(tmp_path / "a.mkv", frames=2, size=(64, 48), rotation=rotation)
        upright = [[np.rot90(plane, rotation // 90) for plane in planes] for planes in stored]
        write_video(tmp_path / "b.mkv", planes=upright)
        assert all(one.identical for one in measured(tmp_path))

    def test_other_format(self, tmp_path):
        """Where samples do not mean the same, the pictures are compared as they are shown."""
        planes = [random_planes("yuv420p", (64, 48), seed, "smooth") for seed in range(2)]
        deep = [[plane.astype(np.uint16) << 2 for plane in picture] for picture in planes]
        write_video(tmp_path / "a.mkv", planes=planes)
        write_video(tmp_path / "b.mkv", planes=deep, pix_fmt="yuv420p10le")
        assert all(one.identical for one in measured(tmp_path))

    def test_tiny_pictures_have_no_ssim(self, tmp_path):
        """There is no window in them."""
        for seed, name in enumerate(("a.mkv", "b.mkv")):
            write_video(tmp_path / name, frames=1, size=(16, 8), seed=seed)
        (one,) = measured(tmp_path)
        assert one.psnr is not None
        assert one.ssim is None


METRICS = [
    FrameMetrics(0, 0.0, None, 1.0),
    FrameMetrics(1, 0.04, 30.0, 0.9),
    FrameMetrics(2, 0.08, 40.0, 0.8),
]


class TestSummary:
    """What is told of them."""

    def test_mean_and_least(self):
        """PSNR of identical frames has no mean; they are counted."""
        signal = "PSNR 35.00 dB on average, 30.00 dB at least (frame 1)"
        assert metrics_summary(METRICS) == [
            f"{signal}, without the 1 of 3 frames that are identical",
            "SSIM 0.9000 on average, 0.8000 at least (frame 2)",
        ]

    def test_all_identical(self):
        """One line is enough."""
        assert metrics_summary(METRICS[:1] * 2) == ["all 2 frames are identical"]


class TestFile:
    """Values as files."""

    def test_table(self, tmp_path):
        """A row for each frame."""
        write_metrics(tmp_path / "m.csv", [*METRICS, FrameMetrics(3, 0.12, 20.0, None)])
        assert (tmp_path / "m.csv").read_text().splitlines() == [
            "frame,seconds,psnr,ssim",
            "0,0.000000,inf,1.000000",
            "1,0.040000,30.0000,0.900000",
            "2,0.080000,40.0000,0.800000",
            "3,0.120000,20.0000,",
        ]

    def test_data(self, tmp_path):
        """A list of objects; JSON has no infinity."""
        write_metrics(tmp_path / "m.JSON", METRICS)
        found = json.loads((tmp_path / "m.JSON").read_text())
        assert found[0] == {"frame": 0, "seconds": 0.0, "psnr": None, "ssim": 1.0}
        assert len(found) == 3
