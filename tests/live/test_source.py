"""A source and what reads it, with a stand-in for the process and a clock of the test's own."""

from __future__ import annotations

from streamrestore.live.lanes import Arrived, Item, Notice
from streamrestore.live.messages import Gap, Over, Renewed, Request
from streamrestore.live.session import NEVER, SessionSettings
from streamrestore.live.source import KILL_SECONDS, Epochs, Source
from tests.live.readings import REQUEST, SHAPE, ToldReading

SETTINGS = SessionSettings()
OTHER = type(SHAPE)(96, 64, SHAPE.format, SHAPE.color, (1, 90000), 0, "hevc", (15, 1))


class Watched:
    """A source, and all that came of it."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.readings: list[ToldReading] = []
        self.now = 0.0
        self.source = Source(
            REQUEST, SETTINGS, self.items.append, Epochs(lambda: 0), start=self._start, chance=lambda: 1.0
        )
        self.source.begin(self.now)

    def _start(self, request: Request) -> ToldReading:
        self.readings.append(ToldReading(request))
        return self.readings[-1]

    @property
    def reading(self) -> ToldReading:
        """The present one."""
        return self.readings[-1]

    def hear(self, *messages: object) -> None:
        """Have its process tell something, at once."""
        self.reading.tell(*messages)
        self.source.hear(self.now)

    def online(self) -> None:
        """Have a first picture come."""
        self.hear(SHAPE, *self.reading.pictures([self.now]))

    def wait(self) -> None:
        """Until it does something."""
        before = self.source.status.state
        while self.source.status.state == before and self.source.deadline < NEVER:
            self.now = self.source.deadline
            self.source.tick(self.now)

    @property
    def told(self) -> list[str]:
        """States and kinds of notices."""
        return [item.state or item.kind for item in self.items if isinstance(item, Notice)]

    @property
    def arrived(self) -> list[Arrived]:
        """Pictures."""
        return [item for item in self.items if isinstance(item, Arrived)]

    @property
    def last(self) -> Notice:
        """What was told last."""
        return [item for item in self.items if isinstance(item, Notice)][-1]


def test_pictures_come_after_the_notice() -> None:
    """Who gets a picture knows that the source is online; both have the epoch of the connection."""
    watched = Watched()

    watched.online()

    assert watched.told == ["connecting", "online"]
    notice, picture = watched.items[-2:]
    assert isinstance(picture, Arrived)
    assert notice.epoch == picture.epoch != watched.items[0].epoch
    assert watched.last.text == "h264 64x32, 25 pictures/s"


def test_reconnect_is_another_epoch() -> None:
    """And a changed picture is told, as nothing unusual."""
    watched = Watched()
    watched.online()
    watched.hear(Over("lost", "the connection was lost"))
    watched.wait()
    watched.hear(OTHER, *watched.reading.pictures([watched.now]))

    assert watched.told == ["connecting", "online", "backing_off", "connecting", "online"]
    assert watched.last.text == "hevc 96x64, 15 pictures/s; before, it was h264 64x32, 25 pictures/s"
    assert len({picture.epoch for picture in watched.arrived}) == 2
    assert watched.source.status.connections == 2


def test_attempts_that_fail_keep_what_was_known() -> None:
    """The picture before three failures is the one that the next is compared with."""
    watched = Watched()
    watched.online()
    for _ in range(3):
        watched.hear(Over("unreachable", "no route"))
        watched.wait()
    watched.hear(OTHER, *watched.reading.pictures([watched.now]))

    assert "before, it was h264 64x32" in watched.last.text


def test_change_within_a_connection() -> None:
    """It is told between the pictures of either kind; the epoch stays."""
    watched = Watched()
    watched.online()
    watched.hear(OTHER, *watched.reading.pictures([0.1]))

    assert watched.told == ["connecting", "online", "online"]
    assert watched.last.text.startswith("it changed: hevc 96x64")
    assert [picture.shape.width for picture in watched.arrived] == [64, 96]
    assert len({picture.epoch for picture in watched.arrived}) == 1


def test_stalled_and_silent() -> None:
    """Without pictures it is stalled, and then its process is replaced."""
    watched = Watched()
    watched.online()
    first = watched.reading
    watched.wait()
    assert (watched.told[-1], first.left) == ("stalled", False)
    watched.wait()

    assert (watched.told[-1], first.left) == ("backing_off", True)
    watched.wait()
    assert watched.reading is not first


def test_a_process_that_does_not_leave_is_killed() -> None:
    """Whatever it hangs in."""
    watched = Watched()
    first = watched.reading
    first.stubborn = True
    watched.source.stop("the service stops", 1.0)

    assert (first.left, first.killed, watched.source.gone) == (True, False, False)
    assert watched.source.deadline == 1.0 + KILL_SECONDS
    watched.wait()
    assert first.killed
    assert watched.source.gone
    assert watched.source.deadline == NEVER


def test_a_process_that_dies() -> None:
    """How is told, and another one is started."""
    watched = Watched()
    watched.online()
    watched.reading.die()
    watched.source.hear(0.5)

    assert watched.last.state == "backing_off"
    assert "SIGSEGV" in watched.last.text
    watched.wait()
    assert len(watched.readings) == 2


def test_nothing_is_heard_from_a_process_after_its_end() -> None:
    """What it said in one breath after `Over` does not count."""
    watched = Watched()
    watched.hear(Over("refused", "wrong password"), SHAPE, *watched.reading.pictures([0.0]))

    assert watched.told == ["connecting", "backing_off"]
    assert not watched.arrived


def test_gap_and_renewal() -> None:
    """Of frames of another service: what is missing there, and when it begins anew."""
    watched = Watched()
    watched.online()
    watched.hear(Gap(3, "3 frames were lost"), Renewed("anew"), *watched.reading.pictures([0.1]))

    gap, renewed = [item for item in watched.items if isinstance(item, Notice)][-2:]
    assert (gap.kind, gap.missing, gap.text) == ("gap", 3, "3 frames were lost")
    before, after = watched.arrived
    assert gap.epoch == before.epoch
    assert renewed.epoch == after.epoch == before.epoch + 1


def test_the_end_is_told_once() -> None:
    """By the source itself, or when it is stopped; not by both."""
    watched = Watched()
    watched.online()
    watched.hear(Over("ended", "played to its end"))
    watched.source.stop("the service stops", 2.0)

    assert watched.told == ["connecting", "online", "end"]
    assert watched.last.text == "played to its end"


def test_stopping_tells_the_end() -> None:
    """Also of a source that waits for its next attempt."""
    watched = Watched()
    watched.hear(Over("unreachable", "no route"))
    watched.source.stop("the service stops", 0.1)

    watched.source.tick(0.1)

    assert watched.told == ["connecting", "backing_off", "end"]
    assert watched.source.gone


def test_epochs_never_repeat() -> None:
    """Not within a millisecond, nor when the clock is set back."""
    times = iter([5_000_000_000, 5_000_000_000, 1_000_000_000, 9_000_000_000])
    epochs = Epochs(lambda: next(times))

    assert [epochs.next() for _ in range(4)] == [5000, 5001, 5002, 9000]
