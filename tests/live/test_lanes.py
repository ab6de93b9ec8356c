"""Lanes: the newest pictures win, every one is accounted for, and notices keep their place."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from streamrestore.live.lanes import DEPTH, OTHERS, Arrived, Lanes, Notice
from tests.live.readings import ToldReading

ANY_AGE = {"limit": 1e9, "cost": 0.0}


def notice(text: str = "") -> Notice:
    """A status."""
    return Notice(1, "status", "online", text)


@given(st.lists(st.sampled_from(["picture", "notice", "take"]), max_size=60))
def test_every_picture_is_accounted_for(steps: list[str]) -> None:
    """Arrived = taken + dropped + waiting; those that come through are in order, and so is every notice.

    No slot is lost: each picture is read or given back.
    """
    lanes: Lanes[None] = Lanes()
    lane, reading = lanes.open("cam1", None), ToldReading()
    taken: list[float] = []
    said: list[str] = []
    for number, step in enumerate(steps):
        if step == "picture":
            lanes.put(lane, reading.arrived(float(number)))
        elif step == "notice":
            lanes.put(lane, notice(str(number)))
        else:
            turn = lanes.take(lane, float(number), **ANY_AGE)
            said += [each.text for each in turn.notices]
            if turn.picture is not None:
                taken.append(turn.picture.picture.arrived)
                turn.picture.load()

    waiting = sum(isinstance(item, Arrived) for item in lane.items)
    assert lane.counts.arrived == steps.count("picture") == len(taken) + lane.counts.dropped + waiting
    assert waiting <= DEPTH
    assert len(reading.out) == waiting
    assert taken == sorted(taken)
    assert list(map(int, said)) == sorted(map(int, said))


def test_newest_win() -> None:
    """Of more than fit, the oldest leave."""
    lanes: Lanes[None] = Lanes()
    lane, reading = lanes.open("cam1", None), ToldReading()
    for time in range(DEPTH + 3):
        lanes.put(lane, reading.arrived(float(time)))

    turn = lanes.take(lane, 10.0, **ANY_AGE)

    assert turn.picture is not None
    assert turn.picture.picture.arrived == 3.0
    assert lane.counts.crowded == 3


def test_a_flood_takes_no_room_from_others() -> None:
    """Lanes are separate."""
    lanes: Lanes[None] = Lanes()
    flood, calm = lanes.open("flood", None), lanes.open("calm", None)
    reading = ToldReading()
    lanes.put(calm, reading.arrived(0.0))
    for time in range(100):
        lanes.put(flood, reading.arrived(float(time)))

    assert calm.counts.dropped == 0
    assert [ready.lane.name for ready in lanes.ready()] == ["flood", "calm"]


def test_too_old_is_dropped() -> None:
    """Whatever comes after it; and so is what would be too old once it is done, if there is a newer one."""
    lanes: Lanes[None] = Lanes()
    lane, reading = lanes.open("cam1", None), ToldReading()
    for time in (0.0, 1.0, 1.2, 1.4):
        lanes.put(lane, reading.arrived(time))

    turn = lanes.take(lane, 1.5, limit=1.0, cost=0.6)

    assert turn.picture is not None
    assert turn.picture.picture.arrived == 1.2
    assert lane.counts.late == 2


def test_the_newest_is_worth_a_try() -> None:
    """Work that takes longer than the limit is done all the same: else nothing ever came through."""
    lanes: Lanes[None] = Lanes()
    lane, reading = lanes.open("cam1", None), ToldReading()
    for time in (0.0, 0.1):
        lanes.put(lane, reading.arrived(time))

    turn = lanes.take(lane, 0.2, limit=1.0, cost=5.0)

    assert turn.picture is not None
    assert turn.picture.picture.arrived == 0.1


def test_what_was_skipped_has_arrived_too() -> None:
    """A capture process that finds no slot says so with its next picture."""
    lanes: Lanes[None] = Lanes()
    lane, reading = lanes.open("cam1", None), ToldReading()
    (picture,) = reading.pictures([0.0], skipped=2)
    reading.out.add(picture.place)
    lanes.put(lane, Arrived(1, reading.arrived(0.0).shape, picture, reading))

    assert (lane.counts.arrived, lane.counts.skipped, lane.counts.dropped) == (3, 2, 2)


def test_notices_are_limited() -> None:
    """A source that comes and goes all the time does not fill the memory while the worker is busy."""
    lanes: Lanes[None] = Lanes()
    lane = lanes.open("cam1", None)
    for number in range(OTHERS + 5):
        lanes.put(lane, notice(str(number)))

    assert [each.text for each in lanes.take(lane, 0.0, **ANY_AGE).notices] == [
        str(number) for number in range(5, OTHERS + 5)
    ]


def test_closed_lanes_are_emptied_first() -> None:
    """The last words of a stream that was removed are still told."""
    lanes: Lanes[None] = Lanes()
    lane = lanes.open("cam1", None)
    lanes.put(lane, notice("bye"))
    lanes.close(lane)

    assert [each.lane for each in lanes.ready()] == [lane]
    lanes.take(lane, 0.0, **ANY_AGE)
    assert lanes.all() == []


def test_waiting_ends() -> None:
    """With the first item, and with the end of everything."""
    lanes: Lanes[None] = Lanes()
    lane = lanes.open("cam1", None)
    found: list[bool] = []

    def work() -> None:
        while lanes.wait():
            found.append(True)
            lanes.take(lane, 0.0, **ANY_AGE)

    thread = threading.Thread(target=work)
    thread.start()
    lanes.put(lane, notice())
    lanes.end()
    thread.join(60)

    assert not thread.is_alive()
    assert found == [True]


def test_clear_leaves_the_notices() -> None:
    """What there is no time for any more is given back and counted; what was said is still told."""
    lanes: Lanes[None] = Lanes()
    lane, reading = lanes.open("cam1", None), ToldReading()
    lanes.put(lane, reading.arrived(0.0))
    lanes.put(lane, notice("end"))
    lanes.clear()

    turn = lanes.take(lane, 0.0, **ANY_AGE)

    assert (len(turn.notices), turn.picture, reading.out, lane.counts.late) == (1, None, set(), 1)
