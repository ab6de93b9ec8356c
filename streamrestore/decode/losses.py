"""What is missing, though FFmpeg does not say so. Pure: figures in, figures out.

Cover art, edit lists, variable rates, hidden pictures of VP8, sound that lasts longer and leading
pictures that refer to something before the recording are not losses.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

REFUSED = "corrupt packet"
"""Packets that the decoder could make nothing of."""
DAMAGED = "corrupt picture"
"""Pictures that came, but with an error in them or in what they refer to."""
MISSING = "missing picture"
"""Pictures that the container promises and that never came."""
UNREADABLE = "unreadable data"
"""Places where the demuxer found no packet."""
REPEATED = "repeated timestamp"
"""Pictures given up because there was no time left for them."""
OTHER = "picture of another size or format"
"""Pictures that one file cannot hold beside the others."""
NO_FILE = "missing file"
"""Numbers left out in a sequence of pictures."""
UNFINISHED = "incomplete file"
"""The end of the file is missing, and how many pictures were in it is not known."""

ONE_TO_ONE = frozenset(
    {"h264", "hevc", "vvc", "av1", "vp9", "mjpeg", "ffv1", "prores", "dnxhd", "mpeg2video", "mpeg1video"}
    | {"png", "bmp", "huffyuv", "ffvhuff", "utvideo"}
)
"""Codecs of which every packet is one picture (of MPEG-4 part 2 and VP8 that is not so)."""


class Ledger:
    """Packets that went into the decoder, against pictures that came out, by timestamp.

    A decoder may swallow packets without a word: those that refer to a lost picture, for example.
    """

    def __init__(self) -> None:
        self._waiting: Counter[int] = Counter()
        self._unknown = 0
        self._started = False
        self.packets = self.shown = self.pictures = 0

    def sent(self, pts: int | None, *, discard: bool) -> None:
        """A packet with data goes to the decoder."""
        self.packets += 1
        if discard:
            return
        self.shown += 1
        if pts is not None:
            self._waiting[pts] += 1

    def came(self, pts: int | None) -> None:
        """A picture comes out."""
        self.pictures += 1
        if pts is not None and not self._started:  # what leads up to the first picture cannot be decoded
            self._waiting = Counter({time: n for time, n in self._waiting.items() if time >= pts})
        self._started = True
        if pts is not None and pts in self._waiting:
            self._waiting[pts] -= 1
            if not self._waiting[pts]:
                del self._waiting[pts]
        else:
            self._unknown += 1

    @property
    def swallowed(self) -> int:
        """Packets without a picture, at the end of the stream."""
        return max(0, self._waiting.total() - self._unknown)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known at the end of a stream.

    Attributes:
        pictures: that came.
        packets: that were to be shown and reached the decoder.
        refused: packets that it refused.
        swallowed: packets without a picture, if the codec has one for each; includes the refused.
        indexed: packets to be shown by a complete index.
        claimed: pictures by the header.
        unfinished: what shows that the file's end is missing.
        broken: what shows that something before is unreadable.
        claimed_end: when the video ends by the header, in seconds.
        first, last_end: when the first picture begins and the last one ends, in seconds.
        rate: pictures per second by the header.
    """

    pictures: int
    packets: int
    refused: int = 0
    swallowed: int = 0
    indexed: int | None = None
    claimed: int | None = None
    unfinished: str | None = None
    broken: str | None = None
    claimed_end: Fraction | None = None
    first: Fraction | None = None
    last_end: Fraction | None = None
    rate: Fraction | None = None


def missing(evidence: Evidence) -> Counter[str]:
    """Losses that nothing else has counted.

    An index counts packets exactly. Without one, headers are believed only if the file's structure
    proves that its end is missing: they often lie about whole files.
    """
    never_read = 0
    if evidence.indexed is not None:
        never_read = max(0, evidence.indexed - evidence.packets)
    elif evidence.unfinished:
        never_read = _promised(evidence)
    losses = Counter({MISSING: never_read + max(0, evidence.swallowed - evidence.refused)})
    in_fragments = evidence.indexed is not None and evidence.claimed is None  # only those read are indexed
    if evidence.unfinished and (not never_read or in_fragments):
        losses[UNFINISHED] = 1
    if evidence.broken:
        losses[UNREADABLE] = 1
    return +losses


def _promised(evidence: Evidence) -> int:
    """Pictures in the missing part, by the header; 0 if it does not say."""
    if evidence.claimed is not None:
        return max(0, evidence.claimed - evidence.packets)
    begin, end, claimed = evidence.first, evidence.last_end, evidence.claimed_end
    if begin is None or end is None or claimed is None or end <= begin:
        return 0
    seen = evidence.pictures / (end - begin)
    rate = (
        evidence.rate if evidence.rate is not None and seen > evidence.rate * 2 / 3 else seen
    )  # it may vary
    return max(0, round((claimed - end) * rate))
