"""The one object that everything above uses. Networks here are small and random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from streamrestore.engine import Restorer, Stream, forced, load_restorer
from streamrestore.errors import UsageError, WeightsError
from streamrestore.frames import FrameBatch
from streamrestore.settings import PolicySettings
from streamrestore.weather import Weather
from streamrestore.weights import store
from tests.networks.nets import small_addunet, small_expertnet
from tests.restore.test_branch import FORMATS, Grey, make_batch
from tests.restorers import (
    BOTH_LEVEL,
    CLEAN_LEVEL,
    HAZE_LEVEL,
    RAIN_LEVEL,
    SNOW_LEVEL,
    small_restorer,
    without_weights,
)

RAIN, HAZE, DROPS, NOISE = Weather


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Restorer]:
    """Restorers without files of weights."""
    without_weights(monkeypatch)
    return small_restorer


@pytest.fixture
def restorer(make: Callable[..., Restorer]) -> Restorer:
    """One with the defaults."""
    return make()


def part_of(frames: Any, which: slice) -> Any:
    """Some of the frames, of the same kind."""
    if isinstance(frames, FrameBatch):
        return replace(frames, frames=frames.frames[which])
    return frames[which]


def bytes_clip(level: float = RAIN_LEVEL, size: tuple[int, int] = (32, 48), frames: int = 2) -> Any:
    """uint8 (T, H, W, 3) with some noise."""
    noise = np.random.default_rng(0).integers(-20, 21, (frames, *size, 3))
    return np.clip(round(level * 255) + noise, 0, 255).astype(np.uint8)


def as_floats(clip: Any, dtype: Any = np.float32) -> Any:
    """(T, 3, H, W) in [0, 1]."""
    return (clip.transpose(0, 3, 1, 2) / 255).astype(dtype)


KINDS: dict[str, Callable[..., Any]] = {
    "uint8 array": lambda frames=2: bytes_clip(frames=frames),
    "uint8 tensor": lambda frames=2: torch.from_numpy(bytes_clip(frames=frames)),
    "float32 array": lambda frames=2: as_floats(bytes_clip(frames=frames)),
    "float64 array": lambda frames=2: as_floats(bytes_clip(frames=frames), np.float64),
    "float16 array": lambda frames=2: as_floats(bytes_clip(frames=frames), np.float16),
    "float32 tensor": lambda frames=2: torch.from_numpy(as_floats(bytes_clip(frames=frames))),
    "bfloat16 tensor": lambda frames=2: torch.from_numpy(as_floats(bytes_clip(frames=frames))).bfloat16(),
    "FrameBatch": lambda frames=2: make_batch(FORMATS["420"], frames=frames),
    "FrameBatch, 10 bit 4:2:2": lambda frames=2: make_batch(replace(FORMATS["422"], depth=10), frames=frames),
}


def samples(frames: Any) -> Any:
    """What can be compared."""
    if isinstance(frames, FrameBatch):
        return np.concatenate([np.ravel(p) for f in frames.frames for p in f.planes])
    return frames.float().numpy() if isinstance(frames, torch.Tensor) else frames


class TestKinds:
    """What comes in is what goes out."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("branch", ["rain", "noise", "auto"])
    def test_same_kind(self, restorer: Restorer, kind: str, branch: str) -> None:
        """Type, shape and element type are those that were given; the samples are new, the input is not."""
        given = KINDS[kind]()
        before = samples(given).copy()

        result = restorer.restore(given, branch=branch)

        assert type(result.frames) is type(given)
        if not isinstance(given, FrameBatch):
            assert result.frames.dtype == given.dtype
            assert result.frames.shape == given.shape
        assert np.array_equal(samples(given), before)
        assert not np.array_equal(samples(result.frames), before)

    def test_frames_keep_their_place(self, restorer: Restorer) -> None:
        """Times, flags, colour, size and orientation are not touched."""
        given = make_batch(FORMATS["420"], (32, 48), frames=3, rotation=90)
        given = replace(given, frames=tuple(replace(f, duration=40, key=True) for f in given.frames))

        result = restorer.restore(given, branch="rain").frames

        for name in ("width", "height", "rotation", "color", "format", "time_base", "sample_aspect_ratio"):
            assert getattr(result, name) == getattr(given, name)
        for old, new in zip(given.frames, result.frames, strict=True):
            assert (new.pts, new.duration, new.index, new.key) == (old.pts, old.duration, old.index, old.key)
            assert [(p.shape, p.dtype) for p in new.planes] == [(p.shape, p.dtype) for p in old.planes]
            assert all(isinstance(p, np.ndarray) for p in new.planes)

    def test_tensor_planes_stay_tensors(self, restorer: Restorer) -> None:
        """A decoder on the GPU gets tensors back."""
        given = make_batch(FORMATS["420"])
        frame = replace(given.frames[0], planes=tuple(torch.from_numpy(p) for p in given.frames[0].planes))

        result = restorer.restore(replace(given, frames=(frame,)), branch="rain").frames

        assert all(isinstance(p, torch.Tensor) for p in result.frames[0].planes)

    def test_pictures_do_not_know_each_other(self, restorer: Restorer) -> None:
        """A clip is restored as its pictures are, one by one; uint8 as rounded float."""
        clip = bytes_clip(frames=3)

        whole = restorer.restore(clip, branch="haze").frames
        single = np.concatenate([restorer.restore(p[None], branch="haze").frames for p in clip])
        floats = restorer.restore(as_floats(clip), branch="haze").frames

        assert np.array_equal(whole, single)
        rounded = np.rint(np.clip(floats.transpose(0, 2, 3, 1), 0, 1) * 255)
        assert np.abs(whole - rounded).max() <= 1
        assert (whole != rounded).mean() < 0.01

    @pytest.mark.parametrize("size", [(16, 16), (17, 23), (16, 200), (101, 33)])
    def test_any_size(self, restorer: Restorer, size: tuple[int, int]) -> None:
        """Padded inside, cropped back."""
        for branch in ("rain", "noise"):
            assert restorer.restore(bytes_clip(size=size), branch=branch).frames.shape == (2, *size, 3)
        batch = make_batch(FORMATS["420"], size)
        restored = restorer.restore(batch, branch="rain").frames
        assert [p.shape for p in restored.frames[0].planes] == [p.shape for p in batch.frames[0].planes]
        assert restorer.restore(bytes_clip(size=size)).weather is not None

    def test_unusual_memory(self, restorer: Restorer) -> None:
        """OpenCV's BGR turned round has negative strides; arrays may be read-only, or parts of others."""
        clip = bytes_clip()
        expected = restorer.restore(clip, branch="rain").frames
        backwards = clip[..., ::-1].copy()[..., ::-1]
        strided = np.repeat(clip, 2, axis=2)[:, :, ::2]
        read_only = clip.copy()
        read_only.flags.writeable = False

        for odd in (backwards, strided, read_only):
            assert np.array_equal(restorer.restore(odd, branch="rain").frames, expected)
            assert restorer.classify(odd) == restorer.classify(clip)

    def test_gradients_are_not_kept(self, restorer: Restorer) -> None:
        """A tensor that wants gradients is a picture like any other."""
        given = torch.from_numpy(as_floats(bytes_clip())).requires_grad_(True)

        assert not restorer.restore(given, branch="rain").frames.requires_grad


class TestValues:
    """Nothing but the network's estimate changes a sample."""

    def test_values_outside_are_kept(self, restorer: Restorer) -> None:
        """Floats beyond [0, 1] are neither refused nor clipped on the way."""
        restorer._networks["noise"] = Grey(0.0)  # type: ignore[assignment]
        given = np.linspace(-3, 4, 2 * 3 * 16 * 20, dtype=np.float32).reshape(2, 3, 16, 20)

        result = restorer.restore(given, branch="noise").frames

        assert np.abs(result - given).max() < 1e-6
        assert np.isfinite(restorer.restore(given, branch="rain").frames).all()
        assert restorer.classify(given).clean >= 0

    @pytest.mark.parametrize("kind", ["uint8 array", "FrameBatch", "FrameBatch, 10 bit 4:2:2"])
    def test_nothing_estimated_nothing_changed(self, restorer: Restorer, kind: str) -> None:
        """A network that sees no damage leaves every code as it is."""
        restorer._networks["noise"] = Grey(0.0)  # type: ignore[assignment]
        given = KINDS[kind]()

        assert np.array_equal(samples(restorer.restore(given, branch="noise").frames), samples(given))

    def test_strength(self, restorer: Restorer) -> None:
        """Scales the residual, up to 1.5."""
        given = as_floats(bytes_clip())
        one, more = (restorer.restore(given, branch="rain", strength=s).frames for s in (1.0, 1.5))

        assert np.allclose(more - given, 1.5 * (one - given), atol=1e-5)

    def test_gates(self, restorer: Restorer) -> None:
        """The noise branch's own dial."""
        given = as_floats(bytes_clip())
        plain, ones, other = (
            restorer.restore(given, branch="noise", gates=g).frames for g in (None, (1, 1, 1), (1, 0, 1))
        )

        assert np.array_equal(plain, ones)
        assert not np.allclose(plain, other)


class TestBypass:
    """Untouched is exact."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("arguments", [{"branch": "none"}, {"branch": "rain", "strength": 0}])
    def test_the_very_same_object(self, restorer: Restorer, kind: str, arguments: dict[str, Any]) -> None:
        """Not even a copy."""
        given = KINDS[kind]()

        result = restorer.restore(given, **arguments)

        assert result.frames is given
        assert result.decision.bypass
        assert result.decision.reason == "forced"
        assert result.weather is None

    @pytest.mark.parametrize("level", [CLEAN_LEVEL, SNOW_LEVEL])
    def test_clean_and_unsure(self, restorer: Restorer, level: float) -> None:
        """What the router finds nothing in, or does not know, is returned as it is."""
        given = bytes_clip(level)

        result = restorer.restore(given)

        assert result.frames is given
        assert result.decision.reason == ("clean" if level == CLEAN_LEVEL else "unsure")

    def test_strength_zero_with_a_router(self, restorer: Restorer) -> None:
        """It is classified, and left alone."""
        given = bytes_clip()

        result = restorer.restore(given, strength=0.0)

        assert result.frames is given
        assert result.weather is not None

    def test_nothing_is_loaded(self, restorer: Restorer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Branches that are not chosen cost nothing, not even their files."""
        restorer._networks = {}
        restorer._router = None
        monkeypatch.setattr(store, "read_shipped", lambda name: pytest.fail(f"{name} was read"))

        restorer.restore(bytes_clip(), branch="none")
        restorer.restore(bytes_clip(), branch="rain", strength=0)


class TestAuto:
    """The router decides."""

    def test_classified(self, restorer: Restorer) -> None:
        """The branch of what was seen, as if it had been named."""
        given = bytes_clip(RAIN_LEVEL)

        result = restorer.restore(given)

        assert result.decision.branches == (RAIN,)
        assert result.decision.reason == "classified"
        assert result.weather is not None
        assert result.weather.probabilities["rain"] == 1
        assert result.decision.estimate is result.weather
        assert np.array_equal(result.frames, restorer.restore(given, branch="rain").frames)

    def test_two_passes(self, make: Callable[..., Restorer]) -> None:
        """In order, the second on what the first made."""
        two = make(policy=PolicySettings(max_passes=2))
        given = bytes_clip(BOTH_LEVEL)

        result = two.restore(given)

        first, second = result.decision.branches
        assert {first, second} == {RAIN, HAZE}
        once = two.restore(given, branch=first).frames
        assert np.array_equal(result.frames, two.restore(once, branch=second).frames)

    def test_classify(self, restorer: Restorer) -> None:
        """Probabilities by name, and severities, of any kind of frames."""
        for kind in KINDS.values():
            estimate = restorer.classify(kind())
            assert set(estimate.probabilities) == {*map(str, Weather), "clean", "unknown"}
            assert set(estimate.severity) == set(Weather)


class TestRefused:
    """What cannot be restored is told in one line, before anything is computed."""

    @pytest.mark.parametrize(
        ("frames", "words"),
        [
            (None, "not NoneType"),
            ([np.zeros((32, 32, 3), np.uint8)], "not list"),
            (np.zeros((32, 32, 3), np.uint8), r"not \(32, 32, 3\)"),
            (np.zeros((1, 3, 32, 32), np.uint8), r"not \(1, 3, 32, 32\) of uint8"),
            (np.zeros((1, 32, 32, 3), np.float32), r"not \(1, 32, 32, 3\) of float32"),
            (np.zeros((1, 32, 32, 3), np.uint16), "of uint16"),
            (np.zeros((1, 3, 32, 32), np.int64), "of int64"),
            (np.zeros((1, 3, 32, 32), object), "of object"),
            (np.zeros((1, 3, 32, 32), ">f4"), "of >f4"),
            (np.zeros((1, 3, 32, 32), np.complex64), "of complex64"),
            (np.zeros((1, 3, 32, 32), bool), "of bool"),
            (torch.zeros(1, 3, 32, 32, dtype=torch.int16), "of torch.int16"),
            (np.zeros((0, 32, 32, 3), np.uint8), "no frames"),
            (replace(make_batch(FORMATS["420"]), frames=()), "no frames"),
            (np.zeros((1, 15, 32, 3), np.uint8), "pictures of 32x15; 16x16 to 8192x8192"),
            (np.zeros((1, 16, 8193, 3), np.uint8), "pictures of 8193x16"),
            (make_batch(FORMATS["420"], (8, 64)), "pictures of 64x8"),
        ],
    )
    @pytest.mark.parametrize("branch", ["auto", "rain"])
    def test_frames(self, restorer: Restorer, frames: Any, words: str, branch: str) -> None:
        """The message says what was given, and what is taken."""
        with pytest.raises(UsageError, match=words):
            restorer.restore(frames, branch=branch)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"branch": "snow"}, "no branch 'snow'; there are auto, none, rain, haze, raindrop, noise"),
            ({"strength": 1.6}, "strength is 1.6"),
            ({"strength": -0.1}, "strength is -0.1"),
            ({"strength": float("nan")}, "strength is nan"),
            ({"branch": "rain", "gates": (1, 1, 1)}, "gates can be set for the noise branch only"),
            ({"branch": "noise", "gates": (1, 1)}, "2 gates were given; this denoiser has 3 levels"),
            ({"gates": (1, 1)}, "2 gates were given"),
            ({"branch": "noise", "gates": (1, -1, 1)}, "each must be 0 or more"),
            ({"branch": "noise", "gates": (1, float("nan"), 1)}, "each must be 0 or more"),
        ],
    )
    def test_arguments(self, restorer: Restorer, arguments: dict[str, Any], words: str) -> None:
        """Found out before the first frame is looked at."""
        with pytest.raises(UsageError, match=words):
            restorer.restore(bytes_clip(CLEAN_LEVEL), **arguments)
        with pytest.raises(UsageError, match=words):
            restorer.check(**{"branch": "auto", "strength": 1.0, **arguments})

    def test_tiers(self, make: Callable[..., Restorer]) -> None:
        """A tier that is not shipped names those that are; one without a branch says so."""
        with pytest.raises(UsageError, match="no tier 'best'; shipped are bare, fast"):
            make(tier="best")
        with pytest.raises(UsageError, match="tier 'bare' has no branch 'rain'"):
            make(tier="bare").restore(bytes_clip(), branch="rain")

    def test_weights_without_gains(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Routing needs what a branch gains; weights that do not say are named."""
        path = tmp_path / "noise.safetensors"
        store.write(path, "addunet", small_addunet(), {})
        monkeypatch.setattr(store, "read_index", lambda: store.Index({"fast": {"noise": "noise"}}, "", {}))
        monkeypatch.setattr(store, "read_shipped", lambda _: store.read(path))

        with pytest.raises(WeightsError, match="what the noise branch gains"):
            _ = load_restorer(device="cpu").gains


def test_status(restorer: Restorer) -> None:
    """What was chosen and why, as data and as text."""
    names = [name for name, _, _ in restorer.status.lines()]

    assert names == ["device", "precision", "threads", "tier"]
    assert restorer.status.compute.precision == "fp32"
    assert restorer.status.tier == "fast"


def test_shipped_weights_run() -> None:
    """What is installed loads, verified, and restores all weathers; how well is measured elsewhere."""
    restorer = load_restorer(device="cpu", precision="fp32")
    clip = bytes_clip(size=(48, 64), frames=1)
    for weather in Weather:
        assert restorer.restore(clip, branch=weather).frames.shape == clip.shape
    assert restorer.restore(clip).weather is not None
    assert set(restorer.gains) == set(Weather)
    assert {name for name, _, _ in restorer.status.lines()} > {"weights router", "device"}


class Pictures:
    """Frames of a stream by brightness, 25 a second."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.seconds = 0.0
        self.given: list[Any] = []
        self.results: list[Any] = []

    def push(self, level: float, count: int) -> list[Any]:
        """So many frames of a brightness; what came of them."""
        for _ in range(count):
            picture = bytes_clip(level, (32, 32), 1)[0]
            self.given.append(picture)
            self.results.append(self.stream.push(picture, self.seconds))
            self.seconds += 0.04
        return self.results[-count:]


class TestPast:
    """Networks that look back."""

    @pytest.fixture
    def restorer(self, restorer: Restorer) -> Restorer:
        """One whose weather branches see three frames."""
        restorer._networks["weather"] = small_expertnet(temporal_radius=2)
        return restorer

    @pytest.mark.parametrize("kind", KINDS)
    def test_clips_and_streams(self, restorer: Restorer, kind: str) -> None:
        """A clip, its parts with their past, and a stream of its frames come out alike."""
        clip = KINDS[kind](5)
        decision = forced("rain", 1.0)
        assert restorer.past(decision) == 2

        whole = restorer.restore(clip, branch="rain").frames

        first, last = part_of(clip, slice(3)), part_of(clip, slice(3, 5))
        expected = samples(part_of(whole, slice(3, 5)))
        assert np.array_equal(samples(restorer.apply(last, decision, past=first)), expected)
        assert not np.array_equal(samples(restorer.apply(last, decision)), expected)
        stream = restorer.stream("rain")
        frames = [part_of(clip, slice(k, k + 1)) for k in range(5)]
        pushed = [stream.push(f if isinstance(f, FrameBatch) else f[0], k / 25) for k, f in enumerate(frames)]
        for k, result in enumerate(pushed):
            frame = result.frames if isinstance(result.frames, FrameBatch) else result.frames[None]
            assert np.array_equal(samples(frame), samples(part_of(whole, slice(k, k + 1))))


class TestStream:
    """Frame by frame; nothing waits for the future."""

    def test_no_delay(self, restorer: Restorer) -> None:
        """Every frame comes back at once, in its own kind; clean ones as they are."""
        pictures = Pictures(restorer.stream())

        results = pictures.push(CLEAN_LEVEL, 12) + pictures.push(RAIN_LEVEL, 40)

        for picture, result in zip(pictures.given, results, strict=True):
            assert result.frames.shape == picture.shape
            assert result.frames.dtype == picture.dtype
            assert (result.frames is picture) == result.decision.bypass
            assert result.weather is not None
        assert any(not r.decision.bypass for r in results[12:])

    def test_weather_is_followed(self, restorer: Restorer) -> None:
        """Rain is restored at full strength within two seconds, and as a clip would be."""
        pictures = Pictures(restorer.stream())

        last = pictures.push(RAIN_LEVEL, 50)[-1]

        assert last.decision.branches == (RAIN,)
        assert last.decision.strength == 1.0
        assert last.decision.reason == "classified"
        expected = restorer.restore(pictures.given[-1][None], branch="rain").frames[0]
        assert np.array_equal(last.frames, expected)

    @given(st.lists(st.sampled_from([CLEAN_LEVEL, RAIN_LEVEL, HAZE_LEVEL, SNOW_LEVEL]), max_size=5))
    def test_fades(self, levels: list[float]) -> None:
        """One branch at a time: it changes at strength 0 only, and no strength jumps."""
        with pytest.MonkeyPatch.context() as patch:
            without_weights(patch)
            restorer = small_restorer()
            stream = restorer.stream(strength=1.2)
            last, seconds = None, 0.0
            for level in levels:
                for _ in range(40):
                    decision = stream.accept(bytes_clip(level, (16, 16), 1)[0], seconds).decision
                    seconds += 0.04
                    assert len(decision.branches) <= 1
                    assert 0 <= decision.strength <= 1.2
                    if last is not None:
                        step = 1.2 * 0.04 / Stream.FADE_SECONDS
                        assert abs(decision.strength - last.strength) <= step + 1e-9
                        if decision.branches != last.branches:
                            assert decision.strength == 0
                    last = decision

    def test_from_rain_to_haze(self, restorer: Restorer) -> None:
        """The old branch fades out, then the new one in; both take half a second."""
        pictures = Pictures(restorer.stream())
        pictures.push(RAIN_LEVEL, 60)

        strengths = [(r.decision.label, r.decision.strength) for r in pictures.push(HAZE_LEVEL, 100)]

        labels = [label for label, strength in strengths if 0 < strength < 1]
        assert labels.count("rain") == labels.count("haze") == 12
        assert strengths[-1] == ("haze", 1.0)

    def test_unsure_says_so(self, restorer: Restorer) -> None:
        """Snow is not clean."""
        pictures = Pictures(restorer.stream())

        assert pictures.push(CLEAN_LEVEL, 6)[-1].decision.reason == "clean"
        assert pictures.push(SNOW_LEVEL, 30)[-1].decision.reason == "unsure"

    def test_push_is_accept_and_run(self, restorer: Restorer) -> None:
        """State and work are two halves: the work may be done later, and elsewhere."""
        whole, parts = restorer.stream(), restorer.stream()
        works, results = [], []
        for index in range(45):
            picture = bytes_clip(RAIN_LEVEL, (32, 32), 1)[0]
            results.append(whole.push(picture, index * 0.04))
            works.append(parts.accept(picture, index * 0.04))

        for result, work in zip(results, works, strict=True):
            later = parts.run(work)
            assert later.decision == result.decision
            assert np.array_equal(later.frames, result.frames)

    @pytest.mark.parametrize("branch", ["rain", "noise", "none"])
    def test_forced(self, restorer: Restorer, branch: str) -> None:
        """A named branch is applied from the first frame on, without a look at the weather."""
        restorer._router = None
        picture = bytes_clip(CLEAN_LEVEL, (32, 32), 1)[0]

        result = restorer.stream(branch, strength=0.5).push(picture, 0.0)

        assert result.decision.reason == "forced"
        assert result.decision.strength == 0.5
        assert result.weather is None
        assert (result.frames is picture) == (branch == "none")
        expected = restorer.restore(picture[None], branch=branch, strength=0.5).frames[0]
        assert np.array_equal(result.frames, expected)

    def test_kinds(self, restorer: Restorer) -> None:
        """Arrays, tensors and batches of one frame."""
        stream = restorer.stream("rain")
        floats = torch.from_numpy(as_floats(bytes_clip()))[0]
        batch = make_batch(FORMATS["420"])

        assert stream.push(floats, 0.0).frames.shape == floats.shape
        assert isinstance(stream.push(batch, 0.1).frames, FrameBatch)
        auto = restorer.stream()
        assert auto.push(batch, 0.0).frames is batch
        assert isinstance(auto.push(floats, 0.1).frames, torch.Tensor)

    def test_gaps_and_wrong_times(self, restorer: Restorer) -> None:
        """A camera that was away, or whose clock jumps back, is not an error."""
        stream = restorer.stream()
        picture = bytes_clip(RAIN_LEVEL, (32, 32), 1)[0]

        decisions = [
            stream.push(picture, seconds).decision
            for seconds in [*(i * 0.04 for i in range(30)), 500.0, 500.04, 3.0, 3.0, 3.04, *range(4, 14)]
        ]

        assert all(0 <= d.strength <= 1 for d in decisions)
        assert decisions[-1].branches == (RAIN,)

    @pytest.mark.parametrize(
        ("frame", "words"),
        [
            (None, "not NoneType"),
            ([1], "not list"),
            (bytes_clip(), "not"),
            (make_batch(FORMATS["420"], frames=2), "one frame at a time, not 2"),
            (np.zeros((8, 8, 3), np.uint8), "pictures of 8x8"),
        ],
    )
    @pytest.mark.parametrize("branch", ["auto", "rain"])
    def test_refused(self, restorer: Restorer, frame: Any, words: str, branch: str) -> None:
        """As for clips."""
        with pytest.raises(UsageError, match=words):
            restorer.stream(branch).accept(frame, 0.0)

    @pytest.mark.parametrize(
        ("arguments", "words"), [({"strength": 2.0}, "strength is 2.0"), ({"branch": "snow"}, "no branch")]
    )
    def test_bad_arguments(self, restorer: Restorer, arguments: dict[str, Any], words: str) -> None:
        """Before the first frame."""
        with pytest.raises(UsageError, match=words):
            restorer.stream(**arguments)


def test_only_one_branch_runs_per_clip(restorer: Restorer) -> None:
    """Routing to rain calls nothing of the raindrops' end, and no other network."""
    called: list[str] = []
    for file, network in restorer._networks.items():
        assert isinstance(network, nn.Module)
        for name, module in network.named_modules():
            if not list(module.children()):
                module.register_forward_hook(lambda *_, where=f"{file}.{name}": called.append(where))

    result = restorer.restore(bytes_clip(RAIN_LEVEL))

    assert result.decision.branches == (RAIN,)
    assert any(name.startswith("weather.ends.rain.") for name in called)
    assert not any(name.startswith(("noise.", "haze.", "weather.ends.raindrop.")) for name in called)
