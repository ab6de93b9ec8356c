"""Where finished pictures and notices go. What else wants them, such as a preview, is one more of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streamrestore.errors import OutputError, WireError
from streamrestore.frames import FrameBatch
from streamrestore.live.lanes import Notice
from streamrestore.live.messages import Picture
from streamrestore.live.pictures import RgbWriter, rgb_view
from streamrestore.publish import FramePublisher
from streamrestore.publish.buffers import Buffer
from streamrestore.render.words import plain
from streamrestore.weather import Decision, WeatherEstimate
from streamrestore.wire import Color, Decided, Header, Seen, payload_size

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
    """Publishes pictures as rgb24, as displayed.

    Attributes:
        lost: messages that no worker took in time (with ``push``), or that cannot be said on the wire.
    """

    def __init__(self, publisher: FramePublisher) -> None:
        self._publisher = publisher
        self._rgb = RgbWriter()
        self.lost = 0

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
            color=Color(primaries=_standard(batch.color.primaries), transfer=_standard(batch.color.transfer)),
            weather=None if finished.weather is None else Seen.of(finished.weather),
            decision=Decided.of(finished.decision),
            restored=not finished.decision.bypass,
            drops=finished.dropped + self.lost,
        )
        self._publish(header, buffer)

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


def _standard(code: int) -> int:
    """A code of H.273; FFmpeg has more of its own, from 256 on."""
    return code if code < 256 else 2  # unspecified
