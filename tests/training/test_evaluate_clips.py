"""Rows for clips: what goes in, what is measured, and that it is written."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from streamrestore.engine import Restorer
from tests.restorers import small_restorer, without_weights
from tests.training.pictures import picture, write_video
from training import evaluate
from training.benchmark.clips_v1 import degrade_clip
from training.evaluate_clips import (
    DAMAGES,
    FreeClip,
    clip_rows,
    clip_table,
    free_clips,
    harm_row,
    harm_table,
    mean_psnr,
)
from training.measures import psnr

CLIP = FreeClip(3, "a", np.stack([np.roll(picture(1, (48, 64)), 2 * t, axis=1) for t in range(3)]), 10.0)


@pytest.fixture
def restorer(monkeypatch: pytest.MonkeyPatch) -> Restorer:
    """Small random networks."""
    without_weights(monkeypatch)
    return small_restorer()


class TestRows:
    """`clip_rows` and `harm_row`."""

    def test_what_does_nothing(self, restorer: Restorer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Gains nothing, flickers as its input does, and harms nothing."""
        monkeypatch.setattr(restorer, "restore", lambda frames, branch: SimpleNamespace(frames=frames))  # noqa: ARG005
        rows = list(clip_rows(restorer, CLIP))

        assert [row.weather for row in rows] == list(DAMAGES)
        for row in rows:
            degraded = np.stack(degrade_clip(list(CLIP.frames), row.weather, 3, 10.0)[0])  # type: ignore[arg-type]
            assert row.psnr == row.input_psnr == mean_psnr(degraded, CLIP.frames)
            assert row.flicker == 1
            assert row.warping == row.input_warping
        assert set(harm_row(restorer, CLIP).psnr.values()) == {math.inf}

    def test_branches_work(self, restorer: Restorer) -> None:
        """Each weather goes through its own branch; the router's choice counts apart."""
        rows = {row.weather: row for row in clip_rows(restorer, CLIP)}

        for weather, row in rows.items():
            degraded = np.stack(degrade_clip(list(CLIP.frames), weather, 3, 10.0)[0])  # type: ignore[arg-type]
            output = restorer.restore(degraded, branch=weather).frames
            assert row.psnr == mean_psnr(output, CLIP.frames)
            routed = restorer.restore(degraded)
            assert row.routed_to == routed.decision.label
            assert row.routed_psnr == mean_psnr(routed.frames, CLIP.frames)
        assert {row.psnr for row in rows.values()}.isdisjoint(row.input_psnr for row in rows.values())

    def test_harm(self, restorer: Restorer) -> None:
        """The clean clip against what each branch makes of it."""
        found = harm_row(restorer, CLIP).psnr

        assert list(found) == ["rain", "haze", "raindrop", "noise"]
        for branch, value in found.items():
            assert value == mean_psnr(restorer.restore(CLIP.frames, branch=branch).frames, CLIP.frames)

    def test_mean_psnr(self) -> None:
        """Of frames, not of all samples at once: 20 and 40 dB are 30 dB."""
        clean = np.full((2, 16, 16, 3), 100, np.uint8)
        clip = clean + np.array([51, 5], np.uint8)[:, None, None, None]

        each = [psnr(np.zeros(1), np.full(1, e / 255)) for e in (51, 5)]
        assert mean_psnr(clip, clean) == pytest.approx(sum(each) / 2, abs=1e-3)


class TestCommand:
    """`python -m training.evaluate --clips`."""

    def test_report(self, restorer: Restorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tables on the screen, the same rows as JSON."""
        for name in ("b.mp4", "a.mkv"):
            write_video(tmp_path / "clips" / name, frames=3)
        (tmp_path / "clips" / "README.md").write_text("no clip")
        monkeypatch.setattr(evaluate, "load_restorer", lambda **_: restorer)

        arguments = ["--clips", str(tmp_path / "clips"), "--json", str(tmp_path / "report.json")]
        done = CliRunner().invoke(evaluate.main, arguments)

        assert done.exit_code == 0, done.output
        report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=evaluate.Report)
        assert [(row.clip, row.weather) for row in report.clips] == [
            (clip, weather) for clip in ("a", "b") for weather in DAMAGES
        ]
        assert [row.clip for row in report.harm] == ["a", "b"]
        assert clip_table(report.clips) in done.output
        assert harm_table(report.harm) in done.output
        assert list(report.sets) == []

    def test_clips(self, tmp_path: Path) -> None:
        """By name, with the rate in which things move."""
        write_video(tmp_path / "b.mp4", frames=3)
        write_video(tmp_path / "a.mp4", frames=2)

        assert [(c.index, c.name, len(c.frames), c.fps) for c in free_clips(tmp_path)] == [
            (0, "a", 2, 10.0),
            (1, "b", 3, 10.0),
        ]

    def test_nothing_to_do(self) -> None:
        """Is said."""
        done = CliRunner().invoke(evaluate.main, [])

        assert done.exit_code == 2
        assert "--clips" in done.output
