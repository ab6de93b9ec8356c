"""The one object that everything above uses: classify, decide, restore."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Generic, TypeVar, cast

import msgspec
import numpy as np
import torch
from torch import Tensor

from streamrestore.compute import Choice, Compute, choose_compute
from streamrestore.errors import UsageError, WeightsError
from streamrestore.frames import ColorInfo, Frame, FrameBatch, Matrix, PixelFormat, Range
from streamrestore.networks.routernet import RouterNet
from streamrestore.restore.branch import BranchRunner
from streamrestore.route import policy
from streamrestore.route.router import Router, spread
from streamrestore.route.views import Views
from streamrestore.seams import Network
from streamrestore.settings import DEFAULT_STRENGTH, PolicySettings
from streamrestore.weather import Decision, Weather, WeatherEstimate
from streamrestore.weights import store
from streamrestore.windows import CausalWindow, signature

Frames = TypeVar("Frames", bound=Any)
"""uint8 (T, H, W, 3) array or tensor, float (T, 3, H, W) array or tensor, or a `FrameBatch`."""

SMALLEST, LARGEST = 16, 8192


@dataclass(frozen=True, slots=True)
class Result(Generic[Frames]):
    """Restored frames, of the kind that was given.

    Attributes:
        weather: what was classified; None if nothing was, as a branch was named.
    """

    frames: Frames
    weather: WeatherEstimate | None
    decision: Decision


@dataclass(frozen=True, slots=True)
class Status:
    """What was chosen, and why."""

    tier: str
    compute: Compute
    weights: dict[str, str] = field(default_factory=dict)
    """First digits of the SHA-256 by name of each file loaded so far."""

    def lines(self) -> list[tuple[str, str, str]]:
        """(name, value, why) of each choice."""
        choices = (*self.compute.choices, Choice("tier", self.tier, "asked for, or the default"))
        files = [(f"weights {name}", digest, "verified") for name, digest in sorted(self.weights.items())]
        return [(c.name, c.value, c.why) for c in choices] + files


class Restorer:
    """Classifies and restores clips. Networks are loaded when they are first needed.

    Not for use by several threads at once. Use `load_restorer` to make one.
    """

    def __init__(self, tier: str, compute: Compute, policy_settings: PolicySettings) -> None:
        index = store.read_index()
        if tier not in index.tiers:
            raise UsageError(f"there is no tier {tier!r}; shipped are {', '.join(sorted(index.tiers))}")
        self._files = {Weather(name): file for name, file in index.tiers[tier].items()}
        self._router_file = index.router
        self._compute = compute
        self._policy = policy_settings
        self._router: Router | None = None
        self._weights: dict[str, store.Weights] = {}
        self._runners: dict[tuple[Weather, tuple[float, ...] | None], BranchRunner] = {}
        self._networks: dict[str, Network] = {}
        self.status = Status(tier, compute)

    def classify(self, frames: Any) -> WeatherEstimate:
        """Weather of one clip.

        Args:
            frames: see `Frames`; a few of them are looked at.
        """
        clip = as_clip(frames)
        return self.router.estimate([clip.views(self.router, i) for i in spread(len(clip))])

    def decide(self, estimates: Sequence[WeatherEstimate], **more: Any) -> list[Decision]:
        """Decisions for the clips of a file, in order; see `policy.decide`."""
        return policy.decide(estimates, self._policy, self.gains, **more)

    def restore(
        self,
        frames: Frames,
        branch: str = "auto",
        strength: float = DEFAULT_STRENGTH,
        gates: Sequence[float] | None = None,
    ) -> Result[Frames]:
        """Restore one clip.

        Args:
            frames: see `Frames`, 16x16 to 8192x8192.
            branch: ``auto``, ``none``, or the name of a weather.
            strength: factor of the residual, 0 to 1.5; 0 returns the very same frames.
            gates: multipliers of the denoiser's gates, one per level (noise branch only).

        Raises:
            UsageError: bad arguments.
        """
        self.check(branch, strength, gates)
        estimate = None
        if branch == "auto":
            estimate = self.classify(frames)
            (decision,) = self.decide([estimate], strength=strength)
        else:
            decision = forced(branch, strength)
        return Result(self.apply(frames, decision, gates), estimate, decision)

    def check(self, branch: str, strength: float, gates: Sequence[float] | None = None) -> None:
        """Find out before the first frame whether a request can be met.

        Raises:
            UsageError: no such branch, strength out of range, or gates that no network takes.
        """
        if branch != "auto":
            forced(branch, strength)
        if not 0 <= strength <= 1.5:
            raise UsageError(f"strength is {strength}; it must be 0 to 1.5")
        if gates is None:
            return
        if branch not in ("auto", Weather.NOISE):
            raise UsageError(f"gates can be set for the noise branch only, not for {branch}")
        if not all(0 <= gate < math.inf for gate in gates):
            raise UsageError(f"gates are {', '.join(map(str, gates))}; each must be 0 or more")
        self.network(Weather.NOISE).prepare(torch.zeros(1), gates)  # knows how many

    def apply(self, frames: Frames, decision: Decision, gates: Sequence[float] | None = None) -> Frames:
        """Do what was decided; bypassed frames are returned as they are."""
        if decision.bypass:
            return frames
        clip = as_clip(frames)
        for weather in decision.branches:
            clip = clip.restored(self.runner(weather, gates), decision.strength)
        return cast("Frames", clip.frames)

    def stream(self, branch: str = "auto", strength: float = DEFAULT_STRENGTH) -> Stream:
        """A stream that keeps window, hysteresis and temporal context.

        Raises:
            UsageError: bad arguments.
        """
        self.check(branch, strength)
        return Stream(self, self._policy, branch, strength)

    def runner(self, weather: Weather, gates: Sequence[float] | None = None) -> BranchRunner:
        """The branch of a weather; its network is loaded now if it was not needed before."""
        key = (weather, tuple(gates) if gates is not None and weather is Weather.NOISE else None)
        if key not in self._runners:
            self._runners[key] = BranchRunner(self.network(weather), weather, self._compute, key[1])
        return self._runners[key]

    def network(self, weather: Weather) -> Network:
        """The network that has a weather's branch, in its own basis.

        Raises:
            UsageError: the tier has no such branch.
        """
        if weather not in self._files:
            raise UsageError(f"tier {self.status.tier!r} has no branch {weather.value!r}")
        file = self._files[weather]
        if file not in self._networks:
            self._networks[file] = cast("Network", self._read(file).build())
        return self._networks[file]

    @property
    def router(self) -> Router:
        """Loaded when first needed."""
        if self._router is None:
            self._router = Router(cast("RouterNet", self._read(self._router_file).build()))
        return self._router

    @property
    def gains(self) -> policy.GainTable:
        """Predicted gains of this tier's branches, from the metadata of their weights."""
        tables: dict[Weather, Sequence[tuple[float, float]]] = {}
        for weather, file in self._files.items():
            weights = self._read(file)
            try:
                said = msgspec.json.decode(weights.notes["gains"], type=dict[str, list[tuple[float, float]]])
                tables[weather] = said[weather]
            except (KeyError, msgspec.MsgspecError) as error:
                raise WeightsError(
                    f"{weights.path}: its metadata do not say what the {weather} branch gains; ship it again"
                ) from error
        return tables

    def _read(self, name: str) -> store.Weights:
        if name not in self._weights:
            self._weights[name] = store.read_shipped(name)
            self.status.weights[name] = self._weights[name].digest[:12]
        return self._weights[name]


def load_restorer(
    *,
    tier: str = "fast",
    device: str = "auto",
    precision: str = "auto",
    threads: int = 1,
    policy: PolicySettings | None = None,
) -> Restorer:
    """A restorer with the networks of a tier.

    Args:
        tier: ``fast``, or another that is shipped.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...
        precision: ``auto``, ``fp32`` or ``bf16``.
        threads: of torch on the CPU, for the whole process.

    Raises:
        UsageError: a tier that is not shipped, an unknown precision, or no thread.
        DeviceError: a device that is not there.
        WeightsError: weights missing or altered.
    """
    return Restorer(tier, choose_compute(device, precision, threads), policy or PolicySettings())


def forced(branch: str, strength: float) -> Decision:
    """The decision that a user made."""
    if branch == "none":
        return Decision((), strength, "forced")
    if branch not in set(Weather):
        raise UsageError(f"there is no branch {branch!r}; there are auto, none, {', '.join(Weather)}")
    return Decision((Weather(branch),), strength, "forced")


class Clip(Generic[Frames]):
    """Frames of one of the kinds that callers use."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def views(self, router: Router, index: int) -> Views:
        """What the router sees of one picture."""
        raise NotImplementedError

    def restored(self, runner: BranchRunner, strength: float) -> Clip[Frames]:
        """New frames of the same kind."""
        raise NotImplementedError


class PlanesClip(Clip[FrameBatch]):
    """Decoded frames."""

    def views(self, router: Router, index: int) -> Views:
        """See `Clip.views`."""
        return router.views_of_frame(self.frames, self.frames.frames[index])

    def restored(self, runner: BranchRunner, strength: float) -> PlanesClip:
        """See `Clip.restored`."""
        planes = runner.restore_planes(self.frames, strength)
        on_cpu = isinstance(self.frames.frames[0].planes[0], np.ndarray)
        frames = tuple(
            replace(frame, planes=tuple(p.cpu().numpy() if on_cpu else p for p in new))
            for frame, new in zip(self.frames.frames, planes, strict=True)
        )
        return PlanesClip(replace(self.frames, frames=frames))


class PicturesClip(Clip[Any]):
    """RGB arrays or tensors: uint8 (T, H, W, 3), or floating point (T, 3, H, W)."""

    def views(self, router: Router, index: int) -> Views:
        """See `Clip.views`."""
        return router.views_of_rgb(self._rgb(index))

    @torch.no_grad()
    def restored(self, runner: BranchRunner, strength: float) -> PicturesClip:
        """See `Clip.restored`; one picture at a time bounds the memory."""
        is_array = isinstance(self.frames, np.ndarray)
        out: Any = np.empty_like(self.frames) if is_array else torch.empty_like(self.frames)
        for index in range(len(self.frames)):
            rgb = self._rgb(index)
            result = rgb + strength * runner.residual(rgb[None])[0].to(rgb.device)
            if _is_bytes(self.frames):
                result = (result * 255).round_().clamp_(0, 255).permute(1, 2, 0)
            out[index] = result.numpy() if is_array else result
        return PicturesClip(out)

    def _rgb(self, index: int) -> Tensor:
        """One picture, (3, H, W) float32, nominally in [0, 1]."""
        given = self.frames[index]
        if isinstance(given, np.ndarray):
            given = torch.from_dlpack(np.ascontiguousarray(given))  # type: ignore[attr-defined]  # torch knows no negative strides
        picture: Tensor = given
        if _is_bytes(picture):
            return picture.permute(2, 0, 1).float() / 255
        return picture.float()


def _is_bytes(frames: Any) -> bool:
    return str(frames.dtype).removeprefix("torch.") == "uint8"


def _is_floating(frames: Any) -> bool:
    if isinstance(frames, np.ndarray):  # of what torch knows
        return frames.dtype in (np.float16, np.float32, np.float64)
    return bool(frames.is_floating_point())


def as_clip(frames: Any) -> Clip[Any]:
    """Check what a caller gave.

    Raises:
        UsageError: no frames, or of another shape, type or size.
    """
    if isinstance(frames, FrameBatch):
        clip: Clip[Any] = PlanesClip(frames)
        height, width = frames.height, frames.width
    elif isinstance(frames, np.ndarray | Tensor) and frames.ndim == 4:
        last = _is_bytes(frames)
        channels = frames.shape[3] if last else frames.shape[1]
        if not (last or _is_floating(frames)) or channels != 3:
            raise UsageError(_WANTED + f", not {tuple(frames.shape)} of {frames.dtype}")
        clip = PicturesClip(frames)
        height, width = frames.shape[1:3] if last else frames.shape[2:]
    else:
        found = f"{tuple(frames.shape)}" if hasattr(frames, "shape") else type(frames).__name__
        raise UsageError(_WANTED + f", not {found}")
    if not len(clip):
        raise UsageError("no frames were given")
    if not (min(height, width) >= SMALLEST and max(height, width) <= LARGEST):
        raise UsageError(
            f"pictures of {width}x{height}; {SMALLEST}x{SMALLEST} to {LARGEST}x{LARGEST} can be restored"
        )
    return clip


_WANTED = "frames must be uint8 (T, H, W, 3), floating point (T, 3, H, W), or a FrameBatch"


@dataclass(frozen=True, slots=True)
class Work:
    """One frame of a stream, as given, and what is to be done with it: for `Stream.run`, or in batches."""

    frame: Any
    decision: Decision
    weather: WeatherEstimate | None


class Stream:
    """Restores a stream frame by frame; nothing waits for the future.

    `push` is `accept` (state: window, hysteresis, fades) and `run` (work), so that a service can
    collect the work of several streams.
    """

    FADE_SECONDS = 0.5

    def __init__(self, restorer: Restorer, settings: PolicySettings, branch: str, strength: float) -> None:
        self._restorer = restorer
        self._settings = settings
        self._forced = None if branch == "auto" else forced(branch, strength)
        self._target = strength
        self._window: CausalWindow[Views] = CausalWindow()
        self._hold = policy.Hold()
        self._active: policy.Path = ()
        self._strength = 0.0
        self._estimate: WeatherEstimate | None = None
        self._times: deque[float] = deque(maxlen=2)

    def push(self, frame: Any, pts: float) -> Result[Any]:
        """Restore the next frame.

        Args:
            frame: uint8 (H, W, 3), floating point (3, H, W), or a `FrameBatch` of one frame.
            pts: its time in seconds.
        """
        return self.run(self.accept(frame, pts))

    def accept(self, frame: Any, pts: float) -> Work:
        """Take note of a frame and decide what is to be done with it.

        Raises:
            UsageError: not one frame, or of another shape, type or size.
        """
        clip = as_clip(_one(frame))
        if len(clip) != 1:
            raise UsageError(f"a stream takes one frame at a time, not {len(clip)}")
        if self._forced is not None:
            return Work(frame, self._forced, None)
        router = self._restorer.router
        views = clip.views(router, 0)
        batch = frame if isinstance(frame, FrameBatch) else as_batch(views.thumbnail)
        window = self._window.add(pts, signature(batch.frames[0], batch.format), views)
        if window is not None:
            recent = [window[i] for i in spread(len(window))]
            self._estimate = router.estimate(recent)
            self._hold = policy.hold(self._hold, self._estimate, self._settings, self._restorer.gains)
        self._fade(pts)
        assert self._estimate is not None  # the first picture is evaluated at once
        reason = policy.reason_of(self._active, self._estimate, self._settings)
        decision = Decision(self._active, self._strength, reason, self._estimate)
        return Work(frame, decision, self._estimate)

    def run(self, work: Work) -> Result[Any]:
        """Do the work; needs no state of the stream."""
        frame = work.frame
        if not work.decision.bypass:
            restored = self._restorer.apply(_one(frame), work.decision)
            frame = restored if isinstance(frame, FrameBatch) else restored[0]
        return Result(frame, work.weather, work.decision)

    def _fade(self, pts: float) -> None:
        """One branch at a time: the old one's strength falls to 0 before the new one's rises."""
        self._times.append(pts)
        passed = max(0.0, self._times[-1] - self._times[0]) if len(self._times) == 2 else 0.0
        step = self._target * passed / self.FADE_SECONDS
        if self._active != self._hold.branches:
            self._strength = policy.fade(self._strength, 0.0, step)
            if self._strength == 0.0:
                self._active = self._hold.branches
        else:
            self._strength = policy.fade(self._strength, self._target if self._active else 0.0, step)


def _one(frame: Any) -> Any:
    """A frame of a stream as a clip of one."""
    return frame[None] if isinstance(frame, np.ndarray | Tensor) else frame


def as_batch(picture: Tensor) -> FrameBatch:
    """A (3, H, W) RGB tensor in [0, 1] as an 8-bit frame."""
    planes = tuple((picture * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy())
    _, height, width = picture.shape
    color = ColorInfo(matrix=Matrix.RGB, range=Range.FULL)
    return FrameBatch((Frame(planes, 0),), width, height, PixelFormat("rgb"), Fraction(1, 1000), color)
