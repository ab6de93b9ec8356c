"""The service with real processes and sockets: what comes in, goes out."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from streamrestore.errors import SessionError
from streamrestore.transport import Received, Subscriber, subscribe
from streamrestore.weather import Decision
from tests.live.engines import RAIN, SEEN, ToldEngine, told_engines
from tests.live.rtsp_server import AHEAD_SECONDS, Server
from tests.live.running import LIMIT, Running, running
from tests.media import write_video

pytestmark = pytest.mark.network

SOON = {"retry": {"first_seconds": 0.05, "longest_seconds": 0.2}}
"""So that no test waits long for a second attempt."""


def frames_of(received: Subscriber, count: int) -> list[Received]:
    """The next frames."""
    found: list[Received] = []
    while len(found) < count:
        item = next(received)
        if item.kind == "frame":
            found.append(item)
    return found


def capture_of(live: Running, stream: str = "cam1") -> int:
    """The process that reads a stream."""
    return live.service._members[stream].source.reading.pid


class TestFiles:
    """A file in real time."""

    def test_every_picture_goes_out(self, tmp_path: Path) -> None:
        """Restored, with its time, and with what was seen and done; then the end is told, and the service ends."""
        path = tmp_path / "rain.mkv"
        write_video(path, frames=8, pattern="smooth", matrix=1, range=1)

        with running(str(path)) as live, subscribe(live.service.address, timeout=LIMIT) as received:
            items = list(iter(lambda: next(received), None)) if False else []
            for item in received:
                items.append(item)
                if item.kind == "end":
                    break
            live.join()

        frames = [item for item in items if item.kind == "frame"]
        assert [round(frame.pts_seconds * 25) for frame in frames] == list(range(8))
        assert len({frame.epoch for frame in frames}) == 1
        assert all(frame.image.shape == (48, 64, 3) for frame in frames)
        assert all(frame.restored and frame.drops == 0 for frame in frames)
        assert frames[0].decision == Decision((RAIN,), 1.0, "classified", SEEN)
        assert [item.state for item in items if item.stream and item.kind == "status"] == ["connecting", "online"]
        assert live.error is None

    def test_bypassed_samples_are_those_that_came(self, tmp_path: Path) -> None:
        """RGB through the whole service: nothing changes a sample."""
        written = write_video(tmp_path / "clean.nut", frames=3, pix_fmt="rgb24")

        source = {"url": str(tmp_path / "clean.nut"), "branch": "none", "loop": True}
        with running(source) as live, subscribe(live.service.address, timeout=LIMIT) as received:
            frames = frames_of(received, 4)

        for frame in frames:
            expected = written[round(frame.pts_seconds * 25)][0].reshape(48, 64, 3)
            np.testing.assert_array_equal(frame.image, expected)
            assert not frame.restored

    def test_a_loop_is_a_new_epoch(self, tmp_path: Path) -> None:
        """Each pass begins at the same times, and says that it is another one."""
        write_video(tmp_path / "short.mkv", frames=3, pattern="smooth")

        source = {"url": str(tmp_path / "short.mkv"), "loop": True}
        with running(source) as live, subscribe(live.service.address, timeout=LIMIT) as received:
            frames = frames_of(received, 7)

        epochs = [frame.epoch for frame in frames]
        assert len(set(epochs)) >= 2
        for before, after in zip(frames, frames[1:], strict=False):
            assert (after.pts_seconds > before.pts_seconds) == (after.epoch == before.epoch)

    def test_a_file_that_is_none_fails_for_good(self, tmp_path: Path) -> None:
        """No attempt is repeated, and the service ends with the reason."""
        (tmp_path / "notes.mkv").write_text("It rained all day.")

        with running(str(tmp_path / "notes.mkv")) as live:
            live.join()

        assert live.states() == ["connecting", "failed"]
        assert isinstance(live.error, SessionError)
        assert "check that it is a video" in str(live.error)


class TestCameras:
    """Cameras that come, go, change, and stay silent."""

    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_online(self, transport: str) -> None:
        """Frames go out, with the camera's own times where it tells them."""
        with (
            Server(user="u", password="p w@:") as camera,
            running({"url": camera.url("u", "p w@:"), "transport": transport}) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            frames = frames_of(received, 5)

            assert live.wait_for("online").text == "h264 64x48, 25 pictures/s"
        for frame in frames:
            ahead = (frame.header.captured_at - frame.header.received_at) / 1e9
            assert abs(ahead - AHEAD_SECONDS) < AHEAD_SECONDS / 2

    def test_killed_and_back_with_another_resolution(self) -> None:
        """Both are events, not failures: a new epoch, and frames of the new size."""
        with (
            Server() as camera,
            running(camera.url(), session=SOON) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            (before,) = frames_of(received, 1)
            camera.kill()
            told = live.wait_for("backing_off")
            camera.restart(size=(96, 64))
            again = live.wait_for("online", times=2)
            after = next(item for item in received if item.kind == "frame" and item.epoch != before.epoch)

        assert "lost" in told.text
        assert again.text == "h264 96x64, 25 pictures/s; before, it was h264 64x48, 25 pictures/s"
        assert before.image.shape == (48, 64, 3)
        assert after.image.shape == (64, 96, 3)

    def test_silent_after_connecting(self) -> None:
        """A server that accepts and never answers is given up, and tried again."""
        session = {"connect_seconds": 1.0, **SOON}
        with Server(silent=True) as camera, running(camera.url(), session=session) as live:
            told = live.wait_for("backing_off")
            camera.kill()
            camera.restart(silent=False)
            live.wait_for("online")

        assert "trying again in" in told.text

    def test_frozen_and_thawed(self) -> None:
        """Connected, but no frames: stalled, and online again with the next one."""
        session = {"stall_seconds": 0.5, "reconnect_seconds": 60, **SOON}
        with Server() as camera, running(camera.url(), session=session) as live:
            live.wait_for("online")
            camera.freeze()
            stalled = live.wait_for("stalled")
            camera.thaw()
            again = live.wait_for("online", times=2)

            assert stalled.epoch == again.epoch
            assert "no picture for 0.5 s" in stalled.text

    def test_frozen_for_long(self) -> None:
        """Its process hangs in a read; it is replaced."""
        session = {"stall_seconds": 0.3, "reconnect_seconds": 0.3, **SOON}
        with Server() as camera, running(camera.url(), session=session) as live:
            live.wait_for("online")
            first = capture_of(live)
            camera.freeze()
            told = live.wait_for("backing_off")
            camera.kill()
            camera.restart()
            live.wait_for("online", times=2)

            assert "no picture for 0.6 s" in told.text
            assert capture_of(live) != first

    def test_its_process_dies(self) -> None:
        """As after a crash of the decoder: another process takes over."""
        with Server() as camera, running(camera.url(), session=SOON) as live:
            live.wait_for("online")
            os.kill(capture_of(live), signal.SIGKILL)
            told = live.wait_for("backing_off")
            live.wait_for("online", times=2)

        assert "SIGKILL" in told.text
