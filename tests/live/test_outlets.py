"""What is published of a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamrestore.errors import OutputBlocked
from streamrestore.frames import ColorInfo
from streamrestore.live.lanes import Notice
from streamrestore.live.outlets import Finished, PublisherOutlet
from streamrestore.publish import FramePublisher
from streamrestore.weather import Decision, Weather, WeatherEstimate
from tests.live.readings import SHAPE, ToldReading
from tests.transport.net import LOCAL, pair, wait_for

pytestmark = pytest.mark.network

SEEN = WeatherEstimate({Weather.HAZE: 0.75}, 0.125, {Weather.HAZE: 0.5})


def finished(**more: object) -> Finished:
    """A picture that was restored from haze."""
    reading = ToldReading()
    arrived = reading.arrived(2.0)
    batch = arrived.load()
    decision = Decision((Weather.HAZE,), 0.5, "classified", SEEN)
    made = Finished("cam1", 7, batch, batch, decision, SEEN, arrived.picture, 3)
    return replace(made, **more)


def test_everything_that_is_known() -> None:
    """Times, size, what was seen, what was done, and how much was lost before."""
    with pair() as (publisher, received):
        PublisherOutlet(publisher).picture(finished())
        item = wait_for(received, lambda item: item.kind == "frame")

    header = item.header
    assert (header.stream, header.epoch, header.pts, header.time_base) == ("cam1", 7, 50, (1, 25))
    assert (header.received_at, header.captured_at) == (2_000_000_000, None)
    assert item.decision == Decision((Weather.HAZE,), 0.5, "classified", SEEN)
    assert item.weather == SEEN
    assert (item.restored, item.drops) == (True, 3)
    assert item.image.shape == (SHAPE.height, SHAPE.width, 3)


def test_bypassed() -> None:
    """Says so, also where it was classified."""
    with pair() as (publisher, received):
        PublisherOutlet(publisher).picture(
            finished(decision=Decision((), 1.0, "overload", SEEN), weather=None)
        )
        item = wait_for(received, lambda item: item.kind == "frame")

    assert not item.restored
    assert item.decision.reason == "overload"
    assert item.weather is None


def test_colour_codes_of_ffmpeg_alone() -> None:
    """What H.273 does not know is unspecified."""
    made = finished()
    odd = replace(made.result, color=ColorInfo(1, 1, 256, 256))
    with pair() as (publisher, received):
        PublisherOutlet(publisher).picture(replace(made, result=odd))
        item = wait_for(received, lambda item: item.kind == "frame")

    assert (item.header.color.primaries, item.header.color.transfer) == (2, 2)


def test_what_cannot_be_said_is_counted() -> None:
    """One such picture does not end a service; the next one tells of it."""
    nonsense = WeatherEstimate({Weather.HAZE: np.nan}, 0.0, {})
    with pair() as (publisher, received):
        outlet = PublisherOutlet(publisher)
        outlet.picture(finished(weather=nonsense))
        outlet.picture(finished())
        item = wait_for(received, lambda item: item.kind == "frame")

    assert (outlet.lost, item.drops) == (1, 4)


def test_nobody_takes_it() -> None:
    """With ``push`` the publisher waits for its workers, and the service does not wait for ever."""
    with FramePublisher(LOCAL, pattern="push", patience=0.01) as publisher:
        outlet = PublisherOutlet(publisher)
        for _ in range(20):
            outlet.notice("cam1", Notice(7, "status", "online", "hello"), 0)
        assert outlet.lost > 0
        with pytest.raises(OutputBlocked, match="not taken"):
            publisher.close(0.01)


def test_any_text() -> None:
    """A message of a library may be longer than what is published, and hold what controls a terminal."""
    with pair() as (publisher, received):
        outlet = PublisherOutlet(publisher)
        outlet.notice("cam1", Notice(7, "status", "failed", "a\x1b[31m\n\udc80" + "x" * 2000), 0)
        item = wait_for(received, lambda item: item.state == "failed")

    assert (len(item.text), outlet.lost) == (1000, 0)
