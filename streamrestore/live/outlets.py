"""Where finished pictures and notices go. What else wants them, such as a preview, is one more of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streamrestore.errors import OutputError, WireError
from streamrestore.frames import FrameBatch
from streamrestore.live.lanes import Notice
from streamrestore.live.messages import Picture
from streamrestore.live.payloads import PAYLOADS
from streamrestore.publish import FramePublisher
from streamrestore.publish.buffers import Buffer
from streamrestore.render.words import plain
from streamrestore.weather import Decision, WeatherEstimate
from streamrestore.wire import Decided, Header, Pixels, Seen

LONGEST_TEXT = 1000
"""Letters of a text on the wire."""


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
    """Publishes pictures as displayed.

    Args:
        pixel_format: of the payloads.

    Attributes:
        lost: messages that no worker took in time (with ``push``), or that cannot be said on the wire.
    """

    def __init__(self, publisher: FramePublisher, pixel_format: Pixels = "rgb24") -> None:
        self._publisher, self._pixel_format = publisher, pixel_format
        self._payloads = PAYLOADS[pixel_format]()
        self.lost = 0

    def picture(self, finished: Finished) -> None:
        """See `Outlet`."""
        batch, picture = finished.result, finished.picture
        width, height = batch.displayed_size
        payload = self._payloads.make(batch, self._publisher.buffer)
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
            pixel_format=self._pixel_format,
            color=self._payloads.color(batch),
            weather=None if finished.weather is None else Seen.of(finished.weather),
            decision=Decided.of(finished.decision),
            restored=not finished.decision.bypass,
            drops=finished.dropped + self.lost,
        )
        self._publish(header, payload)

    def notice(self, stream: str, notice: Notice, dropped: int) -> None:
        """See `Outlet`."""
        header = Header(
            stream=stream,
            epoch=notice.epoch,
            kind=notice.kind,
            state=notice.state,
            text=plain(notice.text)[:LONGEST_TEXT],
            missing=notice.missing,
            drops=dropped + self.lost,
        )
        self._publish(header, b"")

    def _publish(self, header: Header, payload: Buffer | bytes) -> None:
        """One message that cannot be published is no reason to stop."""
        try:
            self._publisher.publish(header, payload)
        except (OutputError, WireError):
            self.lost += 1
