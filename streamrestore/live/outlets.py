"""Where finished pictures and notices go. What else wants them, such as a preview, is one more of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streamrestore.errors import OutputBlocked
from streamrestore.frames import FrameBatch
from streamrestore.live.lanes import Notice
from streamrestore.live.messages import Picture
from streamrestore.live.pictures import RgbWriter, rgb_view
from streamrestore.publish import FramePublisher
from streamrestore.weather import Decision, WeatherEstimate
from streamrestore.wire import Color, Decided, Header, Seen, payload_size


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """One picture that is through.

    Attributes:
        given, result: of one frame; the same object if it was bypassed.
        dropped: pictures of the stream that did not come through, so far.
    """

    stream: str
    epoch: int
    given: FrameBatch
    result: FrameBatch
    decision: Decision
    weather: WeatherEstimate | None
    picture: Picture
    dropped: int


class Outlet(Protocol):
    """Takes what is finished, in the order of each stream; called by one thread."""

    def picture(self, finished: Finished) -> None:
        """Take a picture."""
        ...

    def notice(self, stream: str, notice: Notice, dropped: int) -> None:
        """Take what is told beside pictures."""
        ...


class PublisherOutlet:
    """Publishes pictures as rgb24, as displayed.

    Attributes:
        blocked: messages that no worker took in time (with ``push``).
    """

    def __init__(self, publisher: FramePublisher) -> None:
        self._publisher = publisher
        self._rgb = RgbWriter()
        self.blocked = 0

    def picture(self, finished: Finished) -> None:
        """See `Outlet`."""
        batch, picture = finished.result, finished.picture
        width, height = batch.displayed_size
        size = payload_size("rgb24", width, height)
        assert size is not None
        buffer = self._publisher.buffer(size)
        self._rgb.write(batch, rgb_view(buffer.view, batch))
        header = Header(
            stream=finished.stream,
            epoch=finished.epoch,
            kind="frame",
            received_at=picture.received_at,
            captured_at=picture.captured_at,
            pts=picture.pts,
            time_base=(batch.time_base.numerator, batch.time_base.denominator),
            width=width,
            height=height,
            pixel_format="rgb24",
            color=Color(primaries=batch.color.primaries, transfer=batch.color.transfer),
            weather=None if finished.weather is None else Seen.of(finished.weather),
            decision=Decided.of(finished.decision),
            restored=not finished.decision.bypass,
            drops=finished.dropped + self.blocked,
        )
        try:
            self._publisher.publish(header, buffer)
        except OutputBlocked:
            self.blocked += 1

    def notice(self, stream: str, notice: Notice, dropped: int) -> None:
        """See `Outlet`."""
        header = Header(
            stream=stream, epoch=notice.epoch, kind=notice.kind, state=notice.state, text=notice.text[:1000],
            missing=notice.missing, drops=dropped,
        )  # fmt: skip
        try:
            self._publisher.publish(header)
        except OutputBlocked:
            self.blocked += 1
