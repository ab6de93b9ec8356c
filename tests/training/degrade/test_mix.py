"""Tests of training/degrade/mix.py and sheet.py."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from training.degrade import LABELS, WEATHERS, Recipe, apply_recipe, distract, draw_recipe, haze, rain
from training.degrade.sheet import main

from .clips import make_clip


class TestBranchDiet:
    """What a restoration branch is trained on."""

    @pytest.mark.parametrize("branch", WEATHERS)
    def test_one_weather_at_most(self, branch: str) -> None:
        """A branch sees its own weather, mild grain and codecs, and a few clean clips."""
        clean, identity = make_clip((32, 32)), 0
        for seed in range(60):
            rng = np.random.default_rng(seed)
            recipe = draw_recipe(rng, branch)
            present = {name for name in WEATHERS if getattr(recipe, name) is not None}
            sample = apply_recipe(clean, recipe, rng)
            identity += branch not in present

            assert present <= {branch, "noise"}
            assert recipe.distract is None
            assert set(sample.severity) == {*LABELS, "codec"}
            assert set(sample.labels) == set(LABELS)
            assert 0.0 <= float(sample.target.min()) <= float(sample.target.max()) <= 1.0

        assert 0 < identity < 15

    def test_identity_is_exact(self) -> None:
        """A clip to which nothing of the branch's happens has itself as target, coded or not."""
        for seed in range(20):
            rng = np.random.default_rng(seed)
            recipe = draw_recipe(rng, "rain", identity=1.0, coded=0.5)
            sample = apply_recipe(make_clip((33, 40)), recipe, rng)

            assert torch.equal(sample.frames, sample.target)
            assert not any(sample.labels.values())

    def test_target_lacks_only_the_branchs_weather(self) -> None:
        """Without codec and grain the target is the clean clip; the codec is on both sides."""
        clean = make_clip((48, 48), 2)
        params = rain.draw(np.random.default_rng(0), "heavy")
        sample = apply_recipe(clean, Recipe("rain", rain=params), np.random.default_rng(1), (0.0, 0.04))

        assert torch.equal(sample.target, clean)
        assert not torch.equal(sample.frames, clean)
        assert sample.labels == {name: name == "rain" for name in LABELS}

    def test_unknown_branch_is_refused(self) -> None:
        """A wrong name is an error that lists the right ones."""
        with pytest.raises(ValueError, match="rain, haze, raindrop, noise"):
            draw_recipe(np.random.default_rng(0), "sleet")

    def test_depth_reaches_the_haze(self) -> None:
        """A given depth map decides where the haze is."""
        clean = torch.full((1, 3, 32, 32), 0.2)
        depth = torch.zeros(32, 32)
        depth[16:] = 1.0
        recipe = Recipe("haze", haze=haze.draw(np.random.default_rng(0), night=False))
        out = apply_recipe(clean, recipe, np.random.default_rng(1), depth=depth).frames

        assert float(out[0, :, :16].mean()) > float(out[0, :, 16:].mean()) + 0.02


class TestRouterDiet:
    """What the router is trained on."""

    def test_all_labels_occur_and_mix(self) -> None:
        """Every label occurs, clean clips and pairs of weathers too."""
        clean = make_clip((32, 32))
        counts = dict.fromkeys(LABELS, 0)
        totals = []
        for seed in range(120):
            rng = np.random.default_rng(seed)
            sample = apply_recipe(clean, draw_recipe(rng), rng)
            totals.append(sum(sample.labels.values()))
            for name, on in sample.labels.items():
                counts[name] += on
                assert on or sample.severity[name] < 3.0

            assert torch.equal(sample.target, clean)

        assert min(counts.values()) > 8
        assert totals.count(0) > 8
        assert sum(total > 1 for total in totals) > 15

    @pytest.mark.parametrize("kind", distract.KINDS)
    def test_distraction_is_unknown_alone(self, kind: distract.Kind) -> None:
        """A distraction changes the picture and claims no weather."""
        clean = make_clip((64, 64))
        recipe = Recipe(None, distract=distract.draw(np.random.default_rng(1), kind))
        sample = apply_recipe(clean, recipe, np.random.default_rng(0))

        assert sample.labels == {name: name == "unknown" for name in LABELS}
        assert float((sample.frames - clean).abs().mean()) > 0.002


class TestSheet:
    """The command that draws contact sheets."""

    @pytest.mark.parametrize("flags", [[], ["--clip"]])
    def test_writes_a_png(self, tmp_path: Path, flags: list[str]) -> None:
        """The command writes one page of the asked size."""
        rng = np.random.default_rng(0)
        for index in range(2):
            cv2.imwrite(str(tmp_path / f"{index}.png"), rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
        page = tmp_path / "sheet.png"
        options = ["--data", str(tmp_path), "-o", str(page), "--rows", "1", "--columns", "4", "--size", "48"]
        result = CliRunner().invoke(main, [*options, *flags])

        assert result.exit_code == 0, result.output
        written = cv2.imread(str(page))
        assert written is not None
        assert written.shape == (6 * 48, 4 * 48, 3)

    def test_empty_folder_is_said(self, tmp_path: Path) -> None:
        """A folder without pictures is an error, not an empty page."""
        result = CliRunner().invoke(main, ["--data", str(tmp_path), "-o", str(tmp_path / "x.png")])

        assert result.exit_code == 1
        assert "no pictures" in result.output
