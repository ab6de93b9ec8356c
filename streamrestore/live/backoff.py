"""How long to wait before the next attempt. Pure: chance is given."""

from __future__ import annotations

from streamrestore.settings import Positive, Settings

_DOUBLINGS = 30
"""Beyond, every limit is long reached."""


class BackoffSettings(Settings, frozen=True):
    """Waiting times between attempts."""

    first_seconds: Positive = 1.0
    """Before the second attempt; doubled each time."""
    longest_seconds: Positive = 30.0
    """No wait is longer."""


def delay(failures: int, settings: BackoffSettings, chance: float) -> float:
    """Seconds to wait after so many failures in a row.

    Doubled each time up to the longest; spread over its upper half, so that many cameras behind one switch
    are not all asked at the same moment when it comes back.

    Args:
        failures: at least 1.
        chance: 0 to 1, drawn by the caller.
    """
    whole = min(settings.longest_seconds, settings.first_seconds * 2.0 ** min(failures - 1, _DOUBLINGS))
    return whole * (1 + chance) / 2
