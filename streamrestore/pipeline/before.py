"""What networks look back at from the beginning of a file that goes on where another ended."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction

from streamrestore.decode import open_source
from streamrestore.frames import Frame, FrameBatch
from streamrestore.pipeline.segments import Segment, lead_in
from streamrestore.windows import Clip


@dataclass(frozen=True, slots=True)
class Before:
    """The file of a recording before another one.

    Attributes:
        spec: what `open_source` takes.
        windows: its clips.
        time_base: in which it counts.
        seek: decoding may begin anywhere and gives the same.
        deinterlace: its pictures are looked at as those of its own restoration.
    """

    spec: str
    windows: tuple[Clip, ...]
    time_base: Fraction
    seek: bool
    deinterlace: bool

    def last(self, count: int, like: FrameBatch, *, threads: int) -> tuple[Frame, ...]:
        """Its last pictures, `count` at most: those of its last scene that are of the same kind as others.

        Raises:
            InputError: it has gone, or cannot be read any more.
        """
        if not count:
            return ()
        last = self.windows[-1]
        clips = (*self.windows[:-1], replace(last, reason="length"))
        after = Segment(0, last.stop, last.stop, len(clips), len(clips), last.stop_seconds)
        lead = lead_in(after, clips, count)
        assert lead is not None
        found: deque[Frame] = deque(maxlen=count)
        with open_source(
            self.spec,
            threads=threads,
            start=round(lead.start_seconds / self.time_base),
            start_index=lead.start,
            seek=self.seek,
            deinterlace=self.deinterlace,
        ) as source:
            for batch in source:
                if _kind(batch) != _kind(like):
                    found.clear()
                else:
                    found.extend(batch.frames)
        return tuple(found)


def _kind(batch: FrameBatch) -> object:
    return batch.width, batch.height, batch.format, batch.coding, batch.rotation
