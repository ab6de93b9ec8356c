"""What of a stream's pictures may be restored: no HDR that the networks do not know, nothing under a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streamrestore.errors import StreamRestoreError
from streamrestore.frames import HDR_TRANSFERS
from streamrestore.live.messages import Shape
from streamrestore.live.plan import StreamPlan
from streamrestore.pipeline.mask import Mask, read_mask

AGAIN = "its pictures can be restored again"


@dataclass(frozen=True, slots=True)
class Scope:
    """What holds for pictures of one shape.

    Attributes:
        closed: why nothing is restored, in one word; None if something may be.
        text: the same for people.
        mask: where pictures stay as they are.
    """

    closed: Literal["hdr", "mask"] | None = None
    text: str = ""
    mask: Mask | None = None

    @property
    def state(self) -> str:
        """One word for programs: ``bypass_hdr``, ``bypass_mask`` or ``bypass_none``."""
        return f"bypass_{self.closed or 'none'}"


def scope_of(plan: StreamPlan, shape: Shape) -> Scope:
    """What may be restored of pictures of a shape; whatever is wrong with its mask, a stream goes on."""
    if plan.branch == "none" or plan.strength == 0:
        return Scope()
    coded = HDR_TRANSFERS.get(shape.color.transfer)
    if coded is not None and plan.hdr == "refuse":
        return Scope(
            "hdr",
            f"its brightness is coded as {coded}, that is HDR, and the networks know SDR only: pictures pass "
            "unrestored; have it sent as SDR, or set 'hdr: pass' to have it treated as it is coded",
        )
    try:
        return Scope(mask=read_mask(plan.mask, *shape.displayed_size))
    except StreamRestoreError as error:
        return Scope("mask", f"{error}; pictures pass unrestored")
