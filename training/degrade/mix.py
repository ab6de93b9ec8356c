"""Compose damage: which weathers a clip has, in which order, and what the target of each is.

The order is physical: haze and rain in the air, drops on the glass, noise in the sensor, then the codec.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from . import codec, distract, haze, noise, rain, raindrop

WEATHERS = ("rain", "haze", "raindrop", "noise")
LABELS = (*WEATHERS, "unknown")
VISIBLE = {"rain": 0.003, "haze": 0.06, "raindrop": 0.004, "noise": 2.5, "unknown": 0.0}  # severities
"""What a person would still see; weaker weather is not labelled."""
FLOOR = 0.15
"""Of transmission: what shines through less than that cannot be told, and the haze branch leaves it."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What happens to one clip; None means that it does not happen."""

    branch: str | None
    """The weather that the target is free of; None for the router's samples (target = the clean clip)."""
    rain: rain.RainParams | None = None
    """Streaks."""
    haze: haze.HazeParams | None = None
    """Haze."""
    raindrop: raindrop.RaindropParams | None = None
    """Drops on the glass."""
    noise: noise.NoiseParams | None = None
    """Sensor noise."""
    distract: distract.DistractParams | None = None
    """Something that is none of the four weathers; the label is *unknown*."""
    codec: codec.CodecParams | None = None
    """Encode after everything else."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One degraded clip and what to learn from it."""

    frames: Tensor
    """(T, 3, H, W) float32, degraded; in [0, 1] unless awgn came last."""
    target: Tensor
    """(T, 3, H, W) float32 in [0, 1]: the clip without the branch's weather, as far as it can be removed."""
    severity: dict[str, float]
    """Per weather in the units of its module; 0 where it is absent; "codec" and "unknown" beside them."""
    labels: dict[str, bool]
    """Per weather and for "unknown": whether the severity is above what a person would see (VISIBLE)."""


def draw_recipe(
    rng: np.random.Generator, branch: str | None = None, *, identity: float = 0.07, coded: float = 0.5
) -> Recipe:
    """Draw what happens to one clip.

    Args:
        rng: source of randomness.
        branch: "rain", "haze", "raindrop" or "noise" for a branch's diet (that weather alone, now and then
            with mild sensor noise, and a mild codec after it); None for the router's (any subset,
            distractors).
        identity: share of clean clips in a branch's diet.
        coded: share of clips that pass a codec; the noise branch takes a fifth of it, since coded noise
            is hardly noise any more.
    """
    if branch is None:
        return _draw_router(rng, coded)
    if branch not in WEATHERS:
        raise ValueError(f"branch is {branch!r}, not one of {', '.join(WEATHERS)}")
    encode = codec.draw(rng) if rng.random() < (0.2 * coded if branch == "noise" else coded) else None
    if rng.random() < identity:
        return Recipe(branch, codec=encode)
    if branch == "noise":
        kind = _stored(rng) if encode else None
        return Recipe(branch, noise=noise.draw(rng, kind), codec=encode)
    grain = noise.scale(noise.draw(rng, "clipped"), 0.1) if rng.random() < 0.15 else None
    if branch == "rain":
        return Recipe(branch, rain=rain.draw(rng), noise=grain, codec=encode)
    if branch == "haze":
        return Recipe(branch, haze=haze.draw(rng), noise=grain, codec=encode)
    return Recipe(branch, raindrop=raindrop.draw(rng), noise=grain, codec=encode)


def _stored(rng: np.random.Generator) -> noise.Kind:
    """A noise that a stored picture can hold: clipped, not beyond [0, 1]."""
    return "clipped" if rng.random() < 0.5 else "camera"


def _draw_router(rng: np.random.Generator, coded: float) -> Recipe:
    count = int(rng.choice((0, 1, 2, 3), p=(0.25, 0.45, 0.22, 0.08)))
    chosen = set(rng.choice(WEATHERS, count, replace=False))
    unknown = rng.random() < (0.4 if count == 0 else 0.08)
    return Recipe(
        None,
        rain=rain.draw(rng) if "rain" in chosen else None,
        haze=haze.draw(rng) if "haze" in chosen else None,
        raindrop=raindrop.draw(rng) if "raindrop" in chosen else None,
        noise=noise.draw(rng, _stored(rng)) if "noise" in chosen else None,
        distract=distract.draw(rng) if unknown else None,
        codec=codec.draw(rng) if rng.random() < coded else None,
    )


def apply_recipe(
    clean: Tensor,
    recipe: Recipe,
    rng: np.random.Generator,
    times: Sequence[float] = (0.0,),
    depth: Tensor | None = None,
) -> Sample:
    """Damage a clip and its target as the recipe says.

    What is not the branch's weather happens to the target too, with the same random numbers, so that a branch
    learns to leave it alone. Exceptions: the noise branch's target is never coded, haze that hides everything
    stays in the haze branch's target (`FLOOR`), and the router's target is the clean clip.

    Args:
        clean: (T, 3, H, W) float32, display-coded RGB in [0, 1].
        recipe: what happens.
        rng: source of what is new in each frame.
        times: T times in seconds.
        depth: (H, W) inverse depth for haze, 1 = nearest, 0 = sky.
    """
    seeds = rng.integers(2**63, size=7)
    severity = dict.fromkeys((*LABELS, "codec"), 0.0)
    frames, target = clean, clean
    coded = recipe.codec
    if coded is not None and len(times) == 1:
        coded = codec.still(coded)  # one frame tells a video coder nothing about time
    # Scenes that distract come first, so that they do not hide the weather; bad coding comes late.
    late = recipe.distract is not None and recipe.distract.kind == "codec"
    steps: tuple[tuple[str, Any, Callable[..., tuple[Tensor, float]]], ...] = (
        ("unknown", None if late else recipe.distract, distract.apply),
        ("haze", recipe.haze, partial(haze.apply, depth=depth)),
        ("rain", recipe.rain, rain.apply),
        ("raindrop", recipe.raindrop, raindrop.apply),
        ("noise", recipe.noise, noise.apply),
        ("unknown", recipe.distract if late else None, distract.apply),
        ("codec", coded, codec.apply),
    )
    for (name, params, effect), seed in zip(steps, seeds, strict=True):
        if params is None:
            continue
        frames, severity[name] = effect(frames, params, np.random.default_rng(seed), times=times)
        if name == recipe.branch == "haze":
            target, _ = effect(target, params, np.random.default_rng(seed), times=times, floor=FLOOR)
        shared = recipe.branch is not None and name != recipe.branch
        if shared and not (name == "codec" and recipe.branch == "noise"):
            target, _ = effect(target, params, np.random.default_rng(seed), times=times)
    labels = {name: severity[name] > VISIBLE[name] for name in LABELS}
    return Sample(frames, target.clamp(0.0, 1.0), severity, labels)
