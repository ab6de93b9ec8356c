"""What every module of training/degrade promises alike."""

from types import ModuleType

import numpy as np
import pytest
import torch

from training import degrade
from training.degrade import codec, distract, haze, noise, rain, raindrop

from .clips import SIZES, make_clip

MODULES = [rain, haze, raindrop, noise, codec, distract]
WEATHERS = [rain, haze, raindrop, noise]


def name_of(module: ModuleType) -> str:
    """The module's own name, for pytest's ids."""
    return module.__name__.rsplit(".", 1)[-1]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
class TestEveryModule:
    """Weather, codec and distractions alike."""

    def test_same_seed_same_clip(self, module: ModuleType) -> None:
        """Parameters and pixels follow from the seeds alone."""
        clean, times = make_clip(frames=2), (0.0, 0.04)
        runs = []
        for _ in range(2):
            params = module.draw(np.random.default_rng(5))
            runs.append((params, *module.apply(clean, params, np.random.default_rng(6), times=times)))

        assert runs[0][0] == runs[1][0]
        assert torch.equal(runs[0][1], runs[1][1])
        assert runs[0][2] == runs[1][2]

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("frames", [1, 3])
    def test_shape_and_type_are_kept(self, module: ModuleType, size: tuple[int, int], frames: int) -> None:
        """Any size, odd and tiny ones too, comes back as it went in: contiguous float32, no NaN."""
        clean = make_clip(size, frames)
        times = [0.04 * i for i in range(frames)]
        for seed in range(6):
            rng = np.random.default_rng(seed)
            out, severity = module.apply(clean, module.draw(rng), rng, times=times)

            assert out.shape == clean.shape
            assert out.dtype == torch.float32
            assert out.is_contiguous()
            assert torch.isfinite(out).all()
            assert isinstance(severity, float)
            assert severity >= 0.0

    def test_range(self, module: ModuleType) -> None:
        """Values stay in [0, 1], except for white noise, which is not clipped."""
        clean = make_clip()
        for seed in range(12):
            rng = np.random.default_rng(seed)
            params = module.draw(rng)
            out, _ = module.apply(clean, params, rng)

            if getattr(params, "kind", "") != "awgn":
                assert 0.0 <= float(out.min()) <= float(out.max()) <= 1.0

    def test_input_is_untouched(self, module: ModuleType) -> None:
        """The clean clip is not written to."""
        clean = make_clip()
        before = clean.clone()
        for seed in range(6):
            rng = np.random.default_rng(seed)
            module.apply(clean, module.draw(rng), rng)

        assert torch.equal(clean, before)

    def test_wrong_shapes_are_refused(self, module: ModuleType) -> None:
        """A picture without time, or times that do not fit, is an error that says so."""
        rng = np.random.default_rng(0)
        params = module.draw(rng)

        with pytest.raises(ValueError, match="a clip is"):
            module.apply(make_clip()[0], params, rng)
        with pytest.raises(ValueError, match="1 frames but 2 times"):
            module.apply(make_clip(), params, rng, times=(0.0, 0.1))


@pytest.mark.parametrize("module", WEATHERS, ids=name_of)
class TestEveryWeather:
    """The four weathers, which can be scaled."""

    def test_nothing_at_factor_zero(self, module: ModuleType) -> None:
        """Weather scaled to nothing leaves the clip as it was, with severity 0."""
        clean = make_clip()
        for seed in range(8):
            rng = np.random.default_rng(seed)
            params = module.scale(module.draw(rng), 0.0)
            out, severity = module.apply(clean, params, rng)

            # 8-bit rounding of stored noise is the only change allowed
            limit = 0.51 / 255.0 if getattr(params, "kind", "") == "clipped" else 2e-5
            assert float((out - clean).abs().max()) <= limit
            assert severity == pytest.approx(0.0, abs=1e-3)

    def test_severity_grows_with_the_weather(self, module: ModuleType) -> None:
        """Twice the weather is a larger severity and a larger change."""
        clean = make_clip((96, 96))
        params = module.draw(np.random.default_rng(11))
        severities, errors = [], []
        for factor in (0.25, 0.5, 1.0):
            out, severity = module.apply(clean, module.scale(params, factor), np.random.default_rng(3))
            severities.append(severity)
            errors.append(float(((out - clean) ** 2).mean()))

        assert severities == sorted(severities)
        assert errors == sorted(errors)
        assert severities[0] < severities[-1]


def test_exported_names_are_sorted_and_exist() -> None:
    """`__all__` is sorted the way ruff sorts it, and each name is there."""
    upper = [name for name in degrade.__all__ if name.isupper()]
    classes = [name for name in degrade.__all__ if name[0].isupper() and not name.isupper()]
    lower = [name for name in degrade.__all__ if name[0].islower()]

    assert degrade.__all__ == sorted(upper) + sorted(classes) + sorted(lower)
    assert all(hasattr(degrade, name) for name in degrade.__all__)
