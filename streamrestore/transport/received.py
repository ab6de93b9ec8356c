"""What a subscriber hands out."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamrestore.transport.pictures import Image
from streamrestore.weather import Decision, WeatherEstimate
from streamrestore.wire import Header, Kind


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """What a subscriber yields.

    Attributes:
        header: as it came (docs/wire.md). Of a gap that was counted here, and of news about the
            connection, it was made here.
        image: RGB, uint8 (H, W, 3), read-only; None unless it is a frame.
        taken_at: when it was handed out, nanoseconds since 1970.
        made_here: it was not published: a gap that was counted here, or news about the connection.
    """

    header: Header
    image: Image | None = field(repr=False)
    taken_at: int
    made_here: bool = False

    @property
    def kind(self) -> Kind:
        """``frame``; ``gap``: messages are missing here; ``status``; ``end``: the source is through."""
        return self.header.kind

    @property
    def stream(self) -> str:
        """Whose it is; empty for news about the connection itself."""
        return self.header.stream

    @property
    def epoch(self) -> int:
        """Another one after each start or reconnect of the source."""
        return self.header.epoch

    @property
    def sequence(self) -> int:
        """Of the stream's messages within the epoch; of a gap, where it begins."""
        return self.header.sequence

    @property
    def pts_seconds(self) -> float | None:
        """Presentation time; within an epoch it is comparable."""
        if self.header.pts is None or self.header.time_base is None:
            return None
        numerator, denominator = self.header.time_base
        return self.header.pts * numerator / denominator

    @property
    def weather(self) -> WeatherEstimate | None:
        """What the router saw; None if nothing was classified."""
        return None if self.header.weather is None else self.header.weather.estimate()

    @property
    def decision(self) -> Decision | None:
        """What was done."""
        return None if self.header.decision is None else self.header.decision.decision(self.weather)

    @property
    def restored(self) -> bool:
        """False: the samples are those that came in."""
        return self.header.restored

    @property
    def drops(self) -> int:
        """Frames of the stream that the publisher dropped so far."""
        return self.header.drops

    @property
    def missing(self) -> int:
        """Of a gap: how many are missing; 0 if the publisher does not know."""
        return self.header.missing

    @property
    def state(self) -> str:
        """Of a status: one word; of the connection, one of `transport.monitor.State`."""
        return self.header.state

    @property
    def text(self) -> str:
        """Of a gap, status or end: a sentence for people."""
        return self.header.text

    @property
    def age_seconds(self) -> float:
        """From capture, or else from arrival at the service, to handing out; by both machines' clocks."""
        times = (self.header.captured_at, self.header.received_at, self.header.published_at)
        return (self.taken_at - next(t for t in times if t is not None)) / 1e9
