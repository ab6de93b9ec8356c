"""Frame rates for headers, and containers that hold a constant one only."""

from __future__ import annotations

from fractions import Fraction

from streamrestore.encode.containers import ContainerSpec
from streamrestore.errors import UnsupportedOutput

_USUAL_RATE = Fraction(25)
_USUAL_RATES = [Fraction(rate) for rate in (5, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)]
_USUAL_RATES += [rate * 1000 / 1001 for rate in _USUAL_RATES if rate in (15, 24, 30, 48, 60, 120, 240)]


def sane_rate(rate: Fraction | None, duration: Fraction) -> Fraction:
    """A frame rate for the encoder's rate control and for headers.

    Args:
        rate: what the source claims, if it does.
        duration: of the first picture, in seconds; 0 if unknown.
    """
    if rate is None and duration:
        rate = 1 / duration
    if rate is None or not 0 < rate <= 1000:
        return _USUAL_RATE
    return rate.limit_denominator(100_000)


def nominal_rate(rate: Fraction | None, duration: Fraction) -> Fraction:
    """The usual rate that an average means: lost frames and a long last one make it inexact.

    Args:
        rate, duration: as for `sane_rate`.
    """
    rate = sane_rate(rate, duration)
    guesses = [(1 / duration, Fraction(1, 2000))] if duration else []
    for guess, tolerance in (*guesses, (rate, Fraction(1, 200))):
        near = min(_USUAL_RATES, key=lambda usual: abs(usual - guess))
        if abs(near - guess) < near * tolerance:
            return near
    return rate


def refuse_uneven(place: Fraction, spec: ContainerSpec, rate: Fraction, base: Fraction, frame: int) -> None:
    """Refuse a picture off the grid, but for the rounding of its own clock.

    Args:
        place: on the grid; a whole number is right on it.
        base: seconds per tick of the source's clock.
        frame: its number, for the message.

    Raises:
        UnsupportedOutput: it is off, and the container holds a constant rate only.
    """
    off = abs(place - round(place)) / rate
    if not spec.variable_rate and off > base + Fraction(1, 10_000):
        raise UnsupportedOutput(
            f"{spec.name} holds a constant frame rate only, and frame {frame} is "
            f"{float(off) * 1000:.1f} ms off {float(rate):.3f} frames/s; write mkv or mp4"
        )
