"""Capture processes, real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from multiprocessing.connection import wait
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from streamrestore.frames import Frame, FrameBatch, PixelFormat
from streamrestore.live.capture import without_secrets
from streamrestore.live.inputs import _captured, _Pace
from streamrestore.live.lanes import SLOTS
from streamrestore.live.messages import Gap, Message, Over, Picture, Renewed, Request, Shape
from streamrestore.live.process import CaptureProcess
from streamrestore.publish import FramePublisher
from tests.cli.process import ENVIRONMENT
from tests.live.rtsp_server import Server
from tests.live.web_camera import web_camera
from tests.media import write_video
from tests.transport.net import LIMIT, LOCAL, repeating, send

pytestmark = pytest.mark.network


class Reader:
    """Hears a capture process to its end."""

    def __init__(self, request: Request) -> None:
        self.process = CaptureProcess(request)
        self.waiting: list[Message] = []

    def next(self) -> Message:
        """The next message."""
        while not self.waiting:
            assert wait([self.process], LIMIT)
            self.waiting = self.process.receive()
        return self.waiting.pop(0)

    def until(self, kind: type[Message]) -> list[Message]:
        """Everything up to the first message of a kind."""
        told = [self.next()]
        while not isinstance(told[-1], kind):
            told.append(self.next())
        return told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.leave()
        self.process.how()
        self.process.kill()
        while not self.process.gone():
            self.process.how()


def file_request(path: Path, **more: object) -> Request:
    """A file."""
    return Request("file", str(path), path.name, **more)


def test_pictures_of_a_file(tmp_path: Path) -> None:
    """Sample by sample, with their times and colour, and the end."""
    written = write_video(tmp_path / "a.mkv", frames=4, matrix=1, range=1)
    found: list[FrameBatch] = []
    with Reader(file_request(tmp_path / "a.mkv", slots=SLOTS)) as reader:
        shape = reader.next()
        assert isinstance(shape, Shape)
        while isinstance(message := reader.next(), Picture):
            found.append(reader.process.read(message, shape))

    assert message == Over("ended", "it was played to its end")
    assert len(found) == 4
    for batch, planes in zip(found, written, strict=True):
        for ours, theirs in zip(batch.frames[0].planes, planes, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert [round(batch.seconds(batch.frames[0]) * 25) for batch in found] == [0, 1, 2, 3]
    assert (found[0].color.matrix, found[0].color.range) == (1, 1)


def test_without_a_slot_pictures_are_counted(tmp_path: Path) -> None:
    """Nobody gives back the slots: the process goes on, and says what it skipped with the next picture."""
    write_video(tmp_path / "a.mkv", frames=10, pattern="flat", rate=100)
    with Reader(file_request(tmp_path / "a.mkv", slots=2, loop=True)) as reader:
        first, *_ = [m for m in reader.until(Renewed) if isinstance(m, Picture)]
        reader.process.drop(first)
        last = reader.until(Picture)[-1]

    assert isinstance(last, Picture)
    assert last.skipped >= 8
    assert last.decode_seconds > 0  # of those that were skipped, too


def test_no_picture_waits_for_the_next() -> None:
    """The last one that a camera sends comes, too."""
    with (
        web_camera(last=3) as address,
        Reader(Request("network", address, address, options={"fpsprobesize": "0"})) as reader,
    ):
        for _ in range(3):
            reader.until(Picture)


def test_a_picture_that_waits_is_older() -> None:
    """Deinterlaced, it comes with the next one; it is told when it was decoded, before that one."""
    with (
        Server(interlaced=True) as camera,
        Reader(Request("network", camera.url(), camera.url(), options={"fpsprobesize": "0"})) as reader,
    ):
        heard = None
        for _ in range(4):
            picture = reader.until(Picture)[-1]
            assert heard is None or picture.arrived <= heard
            heard = time.monotonic()


def test_a_password_is_told_to_nobody() -> None:
    """Neither in the process's command line and environment, nor in what it tells."""
    secret = "hunter2"  # noqa: S105
    with Reader(
        Request("network", f"rtsp://u:{secret}@127.0.0.1:9/cam", "rtsp://***@127.0.0.1:9/cam")
    ) as reader:
        place = Path("/proc") / str(reader.process.pid)
        public = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
        over = reader.until(Over)[-1]

    assert isinstance(over, Over)
    assert over.cause == "unreachable"
    assert "refused" in over.text.lower()
    assert secret not in over.text
    assert secret.encode() not in public


def test_secrets_are_cut_out() -> None:
    """Also where a library tells them without their URL."""
    text = "cannot log in as u with p@ss, tried rtsp://u:p%40ss@host/a?token=x"

    shown = without_secrets(text, "rtsp://u:p%40ss@host/a")

    assert "p@ss" not in shown
    assert "p%40ss" not in shown
    assert "token=x" not in shown


STARTS_ONE = """
import sys, threading
from streamrestore.live.messages import Request
from streamrestore.live.process import CaptureProcess
process = CaptureProcess(Request("file", sys.argv[1], "a", loop=True))
print(process.pid, flush=True)
threading.Event().wait()
"""


def test_it_ends_with_the_service(tmp_path: Path) -> None:
    """However that ends."""
    write_video(tmp_path / "a.mkv", frames=5, pattern="flat")
    service = subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE, str(tmp_path / "a.mkv")],
        stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert service.stdout is not None
    with service.stdout as told:
        pid = int(told.readline())
    service.send_signal(signal.SIGKILL)
    service.wait()

    end = time.monotonic() + LIMIT
    while _is_there(pid):
        assert time.monotonic() < end
        time.sleep(0.01)


def _is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # nobody may be left to bury it


def test_frames_of_another_service() -> None:
    """They come as they were published; what is lost and what begins anew is told."""
    with (
        FramePublisher(LOCAL) as publisher,
        Reader(Request("frames", publisher.address, publisher.address, slots=64)) as reader,
    ):
        with repeating(lambda number: send(publisher, number, captured_at=7)):
            shape = reader.next()
            assert isinstance(shape, Shape)
            first = reader.until(Picture)[-1]
        assert isinstance(first, Picture)
        batch = reader.process.read(first, shape)
        publisher.gap("cam1", 1, missing=5, text="the camera lost some")
        told = reader.until(Gap)[-1]
        send(publisher, 0, epoch=2)
        renewed = reader.until(Renewed)

    assert str(shape) == "rgb24 64x48"
    assert {int(plane.max()) for plane in batch.frames[0].planes} == {first.pts % 256}
    assert first.captured_at == 7
    assert told == Gap(5, "the camera lost some")
    assert isinstance(renewed[-1], Renewed)


def test_one_of_several_streams_must_be_named() -> None:
    """Two cameras in one stream would be a mess."""
    with (
        FramePublisher(LOCAL, streams=2) as publisher,
        Reader(Request("frames", publisher.address, publisher.address)) as reader,
        repeating(lambda number: send(publisher, number, stream=f"cam{number % 2}")),
    ):
        over = reader.until(Over)[-1]

    assert isinstance(over, Over)
    assert over.cause == "unusable"
    assert "'topic'" in over.text


class Clock:
    """Time for `_Pace`, which only passes by waiting."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the real one."""
    made = Clock()
    monkeypatch.setattr("streamrestore.live.inputs.time", made)
    return made


class TestPace:
    """When a picture's time has come."""

    def test_real_time(self, clock: Clock) -> None:
        """Whatever the first time is."""
        pace = _Pace(clock)
        times = []
        for seconds in (7.0, 7.04, 7.5):
            assert pace.wait(seconds)
            times.append(round(clock.now, 2))

        assert times == [100.0, 100.04, 100.5]

    def test_small_delays_are_made_up_for(self, clock: Clock) -> None:
        """They do not add up."""
        pace = _Pace(clock)
        for number in range(10):
            pace.wait(number * 0.04)
            clock.now += 0.03

        assert round(clock.now, 2) == 100.0 + 9 * 0.04 + 0.03

    def test_long_delays_are_not(self, clock: Clock) -> None:
        """After a pause of the machine it goes on at its own speed."""
        pace = _Pace(clock)
        pace.wait(0.0)
        clock.now += 5.0
        pace.wait(0.04)
        pace.wait(0.08)

        assert round(clock.now, 2) == 105.04

    def test_pieces_are_played_a_little_faster(self, clock: Clock) -> None:
        """So that nothing piles up."""
        pace = _Pace(clock, speed=1.02, late=0.0, leap=2.0)
        for number in range(256):
            pace.wait(number * 0.04)

        assert round(clock.now, 1) == 110.0

    def test_a_jump_of_the_clock_is_not_waited_for(self, clock: Clock) -> None:
        """An hour ahead, it goes on from there."""
        pace = _Pace(clock, leap=2.0)
        pace.wait(0.0)
        pace.wait(3600.0)
        pace.wait(3600.5)

        assert round(clock.now, 2) == 100.5


def test_memory_is_not_left_behind() -> None:
    """A process that is killed leaves nothing under a name."""
    with Reader(Request("network", "udp://127.0.0.1:9", "udp")) as reader:
        os.kill(reader.process.pid, signal.SIGKILL)
        assert reader.process.how() == "SIGKILL"
        with pytest.raises(EOFError):
            reader.process.receive()


@pytest.mark.parametrize(
    ("clock", "told"), [(None, None), (1_700_000_000_000_000, 1_700_000_000_040_000_000), (-(10**15), None)]
)
def test_the_clock_of_a_camera(clock: int | None, told: int | None) -> None:
    """Its time is passed on as it is, unless it cannot be a time."""
    frame = Frame((np.zeros((2, 2), np.uint8),), 3600)
    batch = FrameBatch((frame,), 2, 2, PixelFormat("gray"), Fraction(1, 90000))

    assert _captured(clock, batch) == told
