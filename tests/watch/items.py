"""What a subscriber hands out, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamrestore.transport import Received
from streamrestore.wire import Decided, Header, Seen

SECOND = 10**9
START = 1_800_000_000 * SECOND


def frame(
    number: int,
    *,
    epoch: int = 1,
    size: tuple[int, int] = (64, 48),
    late: float = 0.05,
    received: float | None = None,
    image: Any = None,
    **fields: Any,
) -> Received:
    """Frame `number` of 25 per second, handed out `late` seconds after it came into the service."""
    received_at = START + round((number / 25 if received is None else received) * SECOND)
    header = Header(
        **{
            "stream": "cam1", "epoch": epoch, "kind": "frame", "pts": number, "time_base": (1, 25),
            "received_at": received_at, "published_at": received_at, "sequence": number,
            "width": size[0], "height": size[1], "pixel_format": "rgb24",
            "weather": Seen({"rain": 0.9}, 0.0), "decision": Decided(("rain",), 1.0, "classified"),
        } | fields
    )  # fmt: skip
    if image is None:
        image = np.full((size[1], size[0], 3), number % 200, np.uint8)
    return Received(header, image, received_at + round(late * SECOND))


def other(kind: Any, *, made_here: bool = False, **fields: Any) -> Received:
    """Anything else."""
    known = {"stream": "cam1", "epoch": 1, "sequence": 0, "published_at": START}
    return Received(Header(kind=kind, **(known | fields)), None, START, made_here)
