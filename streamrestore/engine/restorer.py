"""The one object that everything above uses: classify, decide, restore."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import torch

from streamrestore.compute import Choice, Compute, choose_compute
from streamrestore.engine.given import Frames, GivenPlanes, as_given
from streamrestore.engine.result import Result, forced
from streamrestore.engine.stream import Stream
from streamrestore.errors import UsageError, WeightsError
from streamrestore.frames import Frame, FrameBatch
from streamrestore.networks.routernet import RouterNet
from streamrestore.restore.branch import BranchRunner
from streamrestore.route import policy
from streamrestore.route.router import PICTURES_PER_CLIP, Router, spread
from streamrestore.seams import Network
from streamrestore.settings import DEFAULT_STRENGTH, PolicySettings
from streamrestore.weather import Decision, Weather, WeatherEstimate
from streamrestore.weights import store


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
        given = as_given(frames)
        pictures = spread(len(given))
        looks = range(PICTURES_PER_CLIP)  # several at one picture if there are few
        return self.router.estimate([given.views(self.router, pictures[k % len(pictures)], k) for k in looks])

    def decide(self, estimates: Sequence[WeatherEstimate], **more: Any) -> list[Decision]:
        """Decisions for the clips of a file, in order; see `policy.decide`."""
        return policy.decide(estimates, self._policy, self.gains, **more)

    def prospects(self, estimate: WeatherEstimate) -> dict[Weather, float]:
        """What each branch promises for a clip, in dB; see `policy.prospects`."""
        return policy.prospects(estimate, self._policy, self.gains)

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
        self.network(Weather.NOISE).prepare(torch.zeros(1), Weather.NOISE, gates)  # knows how many

    def apply(
        self,
        frames: Frames,
        decision: Decision,
        gates: Sequence[float] | None = None,
        past: Frames | None = None,
    ) -> Frames:
        """Do what was decided; bypassed frames are returned as they are.

        Args:
            past: frames of the same scene right before these, of the same kind and size, as they were
                given; the last `self.past(decision)` of them are looked at.
        """
        if decision.bypass:
            return frames
        given, before = as_given(frames), as_given(past) if past is not None and len(past) else None
        for weather in decision.branches:
            given = given.restored(self.runner(weather, gates), decision.strength, before)
            before = None  # what a second branch sees has passed the first
        return cast("Frames", given.frames)

    def apply_each(
        self, frames: FrameBatch, decision: Decision, pasts: Sequence[Sequence[Frame]]
    ) -> FrameBatch:
        """Do what was decided with frames of several streams, one of each, in one run of the network.

        Args:
            pasts: of each frame, `Work.past`: those of its own stream right before it, as they were given.
        """
        given = GivenPlanes(frames)
        for weather in decision.branches:
            given = given.restored_each(self.runner(weather), decision.strength, pasts)
            pasts = [()] * len(frames)  # what a second branch sees has passed the first
        return given.frames

    def past(self, decision: Decision) -> int:
        """How many frames before the first one `apply` would look at."""
        return max((self.runner(weather).past for weather in decision.branches), default=0)

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
                said = msgspec.json.decode(
                    weights.notes[store.GAINS], type=dict[str, list[tuple[float, float]]]
                )
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
