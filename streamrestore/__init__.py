"""streamrestore: restores video damaged by weather and cameras.

    restorer = streamrestore.load_restorer()
    result = restorer.restore(frames)        # uint8 (T, H, W, 3)
    result.frames, result.weather, result.decision

    for item in streamrestore.subscribe("tcp://127.0.0.1:5555"):
        item.kind, item.stream, item.image

Names are loaded when they are first used; torch only with them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamrestore.decode import open_source
    from streamrestore.engine import Restorer, Stream, load_restorer
    from streamrestore.errors import StreamRestoreError
    from streamrestore.frames import Frame, FrameBatch
    from streamrestore.transport import subscribe
    from streamrestore.weather import Decision, Weather, WeatherEstimate

__version__ = "0.1.0"

_HOMES = {
    "Decision": "weather",
    "Frame": "frames",
    "FrameBatch": "frames",
    "Restorer": "engine",
    "Stream": "engine",
    "StreamRestoreError": "errors",
    "Weather": "weather",
    "WeatherEstimate": "weather",
    "load_restorer": "engine",
    "open_source": "decode",
    "subscribe": "transport",
}

__all__ = [
    "Decision",
    "Frame",
    "FrameBatch",
    "Restorer",
    "Stream",
    "StreamRestoreError",
    "Weather",
    "WeatherEstimate",
    "load_restorer",
    "open_source",
    "subscribe",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
