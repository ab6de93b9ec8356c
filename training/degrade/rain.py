r"""Rain streaks: light that falling drops smear over the exposure (METHOD section 6).

    S = sum over layers of streaks,   I = J + S  (additive)   or   I = 1 - (1 - J)(1 - S)  (screen)

with an optional veil J <- J (1 - v) + A v before the streaks, as far drops that are not resolved make it.
Three styles: *light* (one thin, additive layer, as in Rain100L), *heavy* (up to five dense directions, as in
Rain100H), *real* (depth layers: near streaks longer, wider and fewer; length = speed x exposure; wind; veil).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch import Tensor

from ._arrays import Array, check_clip, clip01, smooth_field, to_arrays, to_tensor
from ._streaks import StreakLayer, render

Style = Literal["light", "heavy", "real"]
Blend = Literal["add", "screen"]


@dataclass(frozen=True, slots=True)
class RainParams:
    """One clip's rain."""

    layers: tuple[StreakLayer, ...]
    """Zero to five layers; none leaves the picture as it is (apart from the veil)."""
    blend: Blend
    """How streak light meets the picture: added or screened."""
    tint: tuple[float, float, float]
    """Colour of the streaks, factors on R, G, B near 1."""
    veil: float = 0.0
    """Share of the picture's light replaced by the veil at the upper edge, 0 to 1."""
    veil_level: float = 0.8
    """Display-coded grey of the veil, 0 to 1."""
    veil_fall: float = 0.0
    """Share of the veil that is lost towards the lower edge, where things are near, 0 to 1."""
    patchiness: float = 0.0
    """How uneven the rain is over the picture: relative amplitude of a smooth field, 0 to 1."""
    gust: float = 0.0
    """Amplitude of the slow swing of all angles over a clip, in degrees (period about 3 s)."""


def draw(rng: np.random.Generator, style: Style | None = None) -> RainParams:
    """Draw one clip's rain; without `style`, 0.36 light, 0.28 heavy, 0.36 real."""
    if style is None:
        style = _STYLES[int(rng.choice(3, p=(0.36, 0.28, 0.36)))]
    params = {"light": _draw_light, "heavy": _draw_heavy, "real": _draw_real}[style](rng)
    return replace(params, gust=float(rng.uniform(0.0, 3.0)))


def scale(params: RainParams, factor: float) -> RainParams:
    """The same rain with `factor` times the streak light and veil; 0 is the identity."""
    layers = tuple(replace(layer, light=layer.light * factor) for layer in params.layers)
    return replace(params, layers=layers, veil=min(params.veil * factor, 1.0))


def apply(
    clean: Tensor, params: RainParams, rng: np.random.Generator, *, times: Sequence[float] = (0.0,)
) -> tuple[Tensor, float]:
    """Let it rain over a clip; every frame gets new streaks of the same rain.

    Args:
        clean: (T, 3, H, W) float32, display-coded RGB in [0, 1].
        params: the clip's rain.
        rng: source of the streaks' places.
        times: T times in seconds; the wind swings with them.

    Returns:
        The rainy clip, (T, 3, H, W) in [0, 1], and the severity: the mean of the added streak light S before
        blending and clipping, display-coded (0.02 is Rain100L, 0.2 Rain100H).
    """
    check_clip(clean, len(times))
    phase = float(rng.uniform(0.0, 2.0 * np.pi))
    frames, light = [], 0.0
    for frame, time in zip(to_arrays(clean), times, strict=True):
        swing = params.gust * float(np.sin(2.0 * np.pi * time / 3.0 + phase) - np.sin(phase))
        size = (frame.shape[0], frame.shape[1])
        streaks = render(params.layers, size, rng, swing)
        if params.patchiness > 0.0:
            streaks *= 1.0 + np.float32(params.patchiness) * smooth_field(rng, size, 4)
        light += float(streaks.mean()) / len(times)
        frames.append(_compose(frame, streaks, params))
    return to_tensor(frames), light


def _compose(frame: Array, streaks: Array, params: RainParams) -> Array:
    if params.veil > 0.0:
        fall = np.linspace(1.0, 1.0 - params.veil_fall, frame.shape[0], dtype=np.float32)[:, None, None]
        frame = frame + np.float32(params.veil) * fall * (np.float32(params.veil_level) - frame)
    light = streaks[..., None] * np.asarray(params.tint, np.float32)  # (H, W, 3)
    if params.blend == "screen":
        light *= 1.0 - frame
    return clip01(frame + light)


_STYLES: tuple[Style, Style, Style] = ("light", "heavy", "real")


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _layer(rng: np.random.Generator, *, crisp: bool = False, **given: float) -> StreakLayer:
    drawn = {
        "length_spread": float(rng.uniform(0.1, 0.7)),
        "shape": float(rng.uniform(0.8, 2.5)),
        "softness": float(rng.uniform(0.01, 0.15)),
    }
    return StreakLayer(**(drawn | given), crisp=crisp)


def _tint(rng: np.random.Generator, spread: float) -> tuple[float, float, float]:
    r, g, b = 1.0 + rng.uniform(-spread, spread, 3)
    return (float(r), float(g), float(b))


def _draw_light(rng: np.random.Generator) -> RainParams:
    # Measured on Rain100L: mean light 0.006-0.045, four fifths of the pixels dry, one direction, mean peaks
    # of about 0.1 with an exponential tail, streaks of 20 to 100 pixels.
    angle = float(rng.uniform(-30.0, 30.0))
    light = _log_uniform(rng, 0.007, 0.045)
    cover = float(np.clip(light / _log_uniform(rng, 0.05, 0.25), 0.03, 0.8))
    length = _log_uniform(rng, 22.0, 100.0)
    share = float(rng.uniform(0.4, 1.0))  # thin streaks; the rest is a little wider
    crisp = bool(rng.random() < 0.5)
    thin = _layer(
        rng,
        crisp=crisp,
        light=light * share,
        coverage=cover * share,
        length=length,
        width=float(rng.uniform(0.5, 0.85)),
        angle=angle,
    )
    wide = _layer(
        rng,
        crisp=crisp,
        light=light * (1.0 - share),
        coverage=cover * (1.0 - share) + 0.005,
        length=length * float(rng.uniform(0.3, 1.0)),
        width=float(rng.uniform(0.7, 1.5)),
        angle=angle + float(rng.normal(0.0, 1.5)),
    )
    blend: Blend = "add" if rng.random() < 0.75 else "screen"
    return RainParams((thin, wide), blend, _tint(rng, 0.02))


def _draw_heavy(rng: np.random.Generator) -> RainParams:
    # Measured on Rain100H: mean light 0.06-0.45, 3-20 % of the pixels dry, one direction leads.
    lead = float(np.clip(rng.normal(0.0, 7.0), -25.0, 25.0))
    light = float(rng.triangular(0.05, 0.22, 0.46))
    count = int(rng.integers(1, 6))
    shares = np.sort(rng.dirichlet(np.full(count, rng.choice((0.4, 2.0)))))[::-1]
    crisp = bool(rng.random() < 0.5)
    layers = []
    for rank, share in enumerate(shares):
        layers.append(
            _layer(
                rng,
                crisp=crisp,
                light=light * float(share),
                coverage=_log_uniform(rng, 1.2, 4.0) if rank == 0 else _log_uniform(rng, 0.15, 1.0),
                length=_log_uniform(rng, 18.0, 140.0),
                width=float(rng.uniform(0.45, 0.9)),
                angle=lead if rank == 0 else float(np.clip(rng.normal(0.0, 12.0), -30.0, 30.0)),
                shape=float(rng.uniform(1.2, 4.0)),
                softness=float(rng.choice((0.0, 0.03, 0.1))),
            )
        )
    blend: Blend = "add" if rng.random() < 0.85 else "screen"
    return RainParams(tuple(layers), blend, _tint(rng, 0.02))


def _draw_real(rng: np.random.Generator) -> RainParams:
    wind = float(np.clip(rng.normal(0.0, 12.0), -35.0, 35.0))
    exposure = _log_uniform(rng, 0.3, 2.0)  # relative; scales every length
    light = _log_uniform(rng, 0.006, 0.15)
    count = int(rng.integers(1, 5))
    shares = rng.dirichlet(np.full(count, 2.0))
    layers = []
    for depth, share in enumerate(shares):  # 0 nearest
        far = 0.6**depth
        layers.append(
            _layer(
                rng,
                light=light * float(share),
                coverage=_log_uniform(rng, 0.06, 0.3) * 2.2**depth,
                length=max(55.0 * exposure * far, 4.0),
                width=max(float(rng.uniform(0.7, 2.0)) * far, 0.45),
                angle=wind + float(rng.normal(0.0, 2.0)),
                softness=float(rng.uniform(0.08, 0.25)),
            )
        )
    veil = float(rng.uniform(0.0, 0.45)) if light > 0.03 else float(rng.uniform(0.0, 0.1))
    return RainParams(
        tuple(layers),
        "add" if rng.random() < 0.35 else "screen",
        _tint(rng, 0.05),
        veil=veil,
        veil_level=float(rng.uniform(0.5, 0.9)),
        veil_fall=float(rng.uniform(0.0, 0.9)),
        patchiness=float(rng.uniform(0.0, 0.8)),
    )
