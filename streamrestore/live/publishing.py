"""Where restored frames go; opened first of all: nobody waits for networks to hear of a bad address."""

from __future__ import annotations

from pathlib import Path

from streamrestore.live.config import LiveSettings
from streamrestore.publish import FramePublisher

PUBLISH_SECONDS = 0.5
"""How long it may take to deliver what is left at the end, and, with ``push``, one message."""


def open_publisher(settings: LiveSettings) -> FramePublisher | None:
    """Listen for subscribers; None if nothing is to be published.

    Raises:
        UsageError: the address is none, or others could reach it without keys; or the keys cannot be used.
        OutputError: nobody can listen there.
    """
    where = settings.publish
    if where.address is None:
        return None
    return FramePublisher(
        where.address,
        keys=None if where.keys is None else Path(where.keys),
        insecure=where.insecure,
        pattern=where.pattern,
        patience=PUBLISH_SECONDS,
        streams=len(settings.sources),
    )
