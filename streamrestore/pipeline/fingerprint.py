"""Short digests by which a run knows again what it was working on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from streamrestore.errors import InputUnreadable
from streamrestore.weather import Decision
from streamrestore.windows import Clip

_PART = 1 << 20
_DIGITS = 32


def hash_input(paths: Iterable[Path]) -> str:
    """A digest of the files of an input, from the size, the head, the middle and the tail of each.

    To hash all of a long recording takes as long as to copy it. Whatever rewrites a video changes
    its size, or the index and the metadata that containers keep in their first or last bytes. Names
    and dates are left out: they change when files are moved, and stay when a clock is wrong.

    Raises:
        InputUnreadable: a file has gone, or cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                digest.update(size.to_bytes(8, "little"))
                last = max(0, size - _PART)
                for start in dict.fromkeys((0, last // 2, last)):
                    file.seek(start)
                    digest.update(file.read(_PART))
        except OSError as error:
            raise InputUnreadable(
                f"{path}: {error.strerror}; check that it is there, and readable"
            ) from error
    return digest.hexdigest()[:_DIGITS]


def hash_plan(
    clips: Sequence[Clip], decisions: Sequence[Decision], *, deinterlace: bool = False, before: str = ""
) -> str:
    """A digest of what will be done with which pictures.

    Probabilities are left out: their last digits may differ between machines.

    Args:
        before: a digest of the file that this one goes on from; empty if there is none.
    """
    rows = [
        (clip.start, clip.stop, clip.reason, decision.branches, decision.strength)
        for clip, decision in zip(clips, decisions, strict=True)
    ]
    encoded = msgspec.json.encode((rows, deinterlace, before))
    return hashlib.sha256(encoded).hexdigest()[:_DIGITS]
