"""Pictures for those who look."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av
import msgspec
import numpy as np
import pytest

from streamrestore.frames import ColorInfo, Frame, FrameBatch, Matrix, PixelFormat, Range
from streamrestore.live.outlets import Finished
from streamrestore.live.preview import LONGEST_SIDE, RATE, Caption, Previews, Shot
from streamrestore.weather import Decision
from tests.live.engines import RAIN, SEEN
from tests.live.readings import ToldReading

LIMIT = 60.0
RESTORED = Decision((RAIN,), 1.0, "classified", SEEN)


def flat(rgb: tuple[int, int, int], size: tuple[int, int] = (64, 48), **more: object) -> FrameBatch:
    """A picture of one colour."""
    planes = tuple(np.full((size[1], size[0]), code, np.uint8) for code in rgb)
    color = ColorInfo(Matrix.RGB, Range.FULL)
    batch = FrameBatch((Frame(planes, 0),), *size, PixelFormat("rgb"), Fraction(1, 25), color)
    return replace(batch, **more)  # type: ignore[arg-type]


def finished(given: FrameBatch, result: FrameBatch | None = None, stream: str = "cam1") -> Finished:
    """A picture that is through."""
    (picture,) = ToldReading().pictures([0.0])
    decision = Decision() if result is None else RESTORED
    return Finished(stream, 1, given, result or given, decision, SEEN, picture, 0)


def unpacked(shot: Shot) -> tuple[Caption, np.ndarray | None, np.ndarray | None]:
    """The caption, and the pictures as RGB."""
    (size,) = struct.unpack(">I", shot.message[:4])
    caption = msgspec.json.decode(shot.message[4 : 4 + size], type=Caption)
    rest = shot.message[4 + size :]
    assert len(rest) == caption.before + caption.after
    return caption, _decoded(rest[: caption.before]), _decoded(rest[caption.before :])


def _decoded(data: bytes) -> np.ndarray | None:
    if not data:
        return None
    context = av.CodecContext.create("mjpeg", "r")
    (frame,) = [*context.decode(av.Packet(data)), *context.decode(None)]
    return frame.to_ndarray(format="rgb24")


class Viewer:
    """Takes what it is given."""

    def __init__(self) -> None:
        self.shots: list[Shot] = []
        self.given = threading.Event()

    def __call__(self, shot: Shot) -> None:
        self.shots.append(shot)
        self.given.set()

    def wait(self) -> Shot:
        assert self.given.wait(LIMIT)
        return self.shots[-1]


class Clock:
    """Seconds that pass when they are told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Of the previews."""
    return Clock()


@pytest.fixture
def previews(clock: Clock) -> Iterator[Previews]:
    """Without anybody who looks."""
    made = Previews(clock)
    yield made
    made.close()


def test_before_and_after(previews: Previews) -> None:
    """Of the same frame, in its colours, with what was done."""
    viewer = Viewer()
    previews.ask("someone", "cam1", 0, viewer)
    previews.picture(finished(flat((200, 40, 30)), flat((20, 60, 220))))
    caption, before, after = unpacked(viewer.wait())

    assert (caption.stream, caption.width, caption.height, caption.branch) == ("cam1", 64, 48, "rain")
    np.testing.assert_allclose(before.mean((0, 1)), (200, 40, 30), atol=3)
    np.testing.assert_allclose(after.mean((0, 1)), (20, 60, 220), atol=3)


def test_video_colours(previews: Previews) -> None:
    """The picture's own matrix and range, not those of JPEG."""
    viewer = Viewer()
    red = (63, 102, 240)  # BT.709, limited range
    video = flat(red, format=PixelFormat("yuv"), color=ColorInfo(Matrix.BT709, Range.LIMITED))
    previews.ask("someone", "cam1", 0, viewer)
    previews.picture(finished(video))
    _, before, _ = unpacked(viewer.wait())

    np.testing.assert_allclose(before.mean((0, 1)), (255, 0, 0), atol=3)


def test_bypassed(previews: Previews) -> None:
    """The same picture is not sent twice."""
    viewer = Viewer()
    previews.ask("someone", "cam1", 0, viewer)
    previews.picture(finished(flat((9, 9, 9))))
    caption, before, after = unpacked(viewer.wait())

    assert caption.branch == "none"
    assert before is not None
    assert after is None


@pytest.mark.parametrize(
    ("size", "rotation", "shown"),
    [((1920, 1080), 0, (960, 540)), ((1920, 1080), 90, (540, 960)), ((63, 47), 0, (63, 47))],
)
def test_size(previews: Previews, size: tuple[int, int], rotation: int, shown: tuple[int, int]) -> None:
    """Upright, and no larger than is needed."""
    viewer = Viewer()
    previews.ask("someone", "cam1", 0, viewer)
    previews.picture(finished(flat((1, 2, 3), size, rotation=rotation)))
    _, before, _ = unpacked(viewer.wait())

    assert before.shape[1::-1] == shown
    assert max(shown) <= LONGEST_SIDE


def test_nobody_looks(previews: Previews) -> None:
    """Nothing is encoded; nor for a viewer that has gone, or that looks at another stream."""
    gone, there = Viewer(), Viewer()
    previews.picture(finished(flat((1, 1, 1))))
    previews.ask("gone", "cam1", 0, gone)
    previews.forget("gone")
    previews.picture(finished(flat((2, 2, 2))))
    previews.ask("there", "cam2", 0, there)
    previews.picture(finished(flat((3, 3, 3))))
    previews.picture(finished(flat((4, 4, 4)), stream="cam2"))
    there.wait()

    assert dict(previews.encoded) == {"cam2": 1}
    assert not gone.shots


def test_once_for_all(previews: Previews) -> None:
    """Those who have asked, and who asks soon after, are given the same; nobody sees a picture twice."""
    first, second, third = Viewer(), Viewer(), Viewer()
    previews.ask("first", "cam1", 0, first)
    previews.ask("second", "cam1", 0, second)
    previews.picture(finished(flat((1, 1, 1))))
    shot = first.wait()
    assert second.wait() is shot
    previews.ask("third", "cam1", 0, third)
    assert third.wait() is shot
    previews.ask("first", "cam1", shot.number, first)

    assert first.shots == [shot]
    assert previews.encoded["cam1"] == 1


def test_who_comes_late_sees_nothing_old(previews: Previews, clock: Clock) -> None:
    """But the next picture."""
    first, late = Viewer(), Viewer()
    previews.ask("first", "cam1", 0, first)
    previews.picture(finished(flat((1, 1, 1))))
    old = first.wait()
    clock.now += 5
    previews.ask("late", "cam1", 0, late)
    assert not late.shots
    previews.picture(finished(flat((2, 2, 2))))

    assert late.wait().number > old.number


def test_rate(previews: Previews, clock: Clock) -> None:
    """Pictures that come too soon after one that was shown are not encoded."""
    first, second = Viewer(), Viewer()
    previews.ask("first", "cam1", 0, first)
    previews.picture(finished(flat((1, 1, 1))))
    shot = first.wait()
    previews.ask("first", "cam1", shot.number, second)
    while previews._due.get("cam1") is None:  # the thread takes note of it after it has given the shot
        threading.Event().wait(0.01)
    clock.now += 0.5 / RATE
    previews.picture(finished(flat((2, 2, 2))))
    clock.now += 0.6 / RATE
    previews.picture(finished(flat((200, 200, 200))))
    _, before, _ = unpacked(second.wait())

    assert previews.encoded["cam1"] == 2
    assert before.mean() > 190


def test_one_that_cannot_be_shown(previews: Previews, clock: Clock) -> None:
    """Is counted; the next one is shown."""
    viewer = Viewer()
    previews.ask("someone", "cam1", 0, viewer)
    previews.picture(finished(replace(flat((1, 1, 1)), frames=())))
    while not previews.failed:
        threading.Event().wait(0.01)
    clock.now += 1
    while not previews.encoded:
        clock.now += 1
        previews.picture(finished(flat((2, 2, 2))))
        viewer.given.wait(0.01)

    assert previews.failed == 1
    assert viewer.wait()
