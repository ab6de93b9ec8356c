"""The service with real processes and sockets: what comes in, goes out."""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from streamrestore.errors import SessionError, StageError, UsageError
from streamrestore.live.messages import Request
from streamrestore.live.process import CaptureProcess
from streamrestore.transport import Received, Subscriber, subscribe
from streamrestore.weather import Decision
from tests.live.engines import RAIN, SEEN, Gate, told_engines
from tests.live.rtsp_server import AHEAD_SECONDS, Server
from tests.live.running import LIMIT, Running, running, settings_of
from tests.live.udp_camera import udp_camera
from tests.live.web_camera import PAUSE, web_camera
from tests.media import write_video
from tests.transport.net import meet

pytestmark = pytest.mark.network

PASSWORD = "p w@:"  # noqa: S105
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

    def test_every_picture_goes_out_or_is_counted(self, tmp_path: Path) -> None:
        """Restored, with its time, what was seen and what was done; then the end is told."""
        path = tmp_path / "rain.mkv"
        write_video(path, frames=8, pattern="smooth", matrix=1, range=1)

        joined = threading.Event()

        def start(request: Request) -> CaptureProcess:
            assert joined.wait(LIMIT)
            return CaptureProcess(request)

        with (
            running(str(path), start=start) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            meet(live.service.publisher, received)
            joined.set()
            items = []
            while not items or items[-1].kind != "end":
                items.append(next(received))
            live.join()

        frames = [item for item in items if item.kind == "frame"]
        numbers = [round(frame.pts_seconds * 25) for frame in frames]
        assert numbers == sorted(set(numbers) & set(range(8)))
        assert len(frames) + items[-1].drops == 8  # a machine that stands still for a while drops some
        assert len({frame.epoch for frame in frames}) == 1
        assert all(frame.image.shape == (48, 64, 3) for frame in frames)
        assert frames
        assert all(frame.restored for frame in frames)
        assert frames[0].decision == Decision((RAIN,), 1.0, "classified", SEEN)
        heard = [item.state for item in items if item.stream and item.kind == "status"]
        assert heard == ["connecting", "online"]
        assert live.states() == ["connecting", "online", "end"]
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
        for before, after in itertools.pairwise(frames):
            assert (after.pts_seconds > before.pts_seconds) == (after.epoch == before.epoch)

    def test_a_file_that_is_none_fails_for_good(self, tmp_path: Path) -> None:
        """No attempt is repeated, and the service ends with the reason."""
        (tmp_path / "notes.mkv").write_text("It rained all day.")

        with running(str(tmp_path / "notes.mkv")) as live:
            live.join()

        assert live.states() == ["connecting", "failed"]
        assert isinstance(live.error, SessionError)
        assert "check that it is a video" in str(live.error)


def shown(size: tuple[int, int]) -> str:
    """As in what the service tells."""
    return f"{size[0]}x{size[1]}"


@pytest.fixture(scope="module")
def camera() -> Iterator[Server]:
    """One that is up when a test begins."""
    with Server(user="u", password=PASSWORD) as server:
        yield server


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam"


class TestCameras:
    """Cameras that come, go, change, and stay silent."""

    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_online(self, camera: Server, transport: str) -> None:
        """Frames go out, with the camera's own times where it tells them."""
        with (
            running({"url": camera.url("u", PASSWORD), "transport": transport}) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            frames = frames_of(received, 5)

            assert live.wait_for("online").text == f"h264 {shown(camera.options.size)}, 25 pictures/s"
        for frame in frames:
            ahead = (frame.header.captured_at - frame.header.received_at) / 1e9
            assert abs(ahead - AHEAD_SECONDS) < AHEAD_SECONDS / 2

    def test_over_udp(self) -> None:
        """MPEG-TS that nobody answers; its rate is the codec's, as nobody waits to measure it."""
        with (
            udp_camera() as address,
            running(address) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            first, second = frames_of(received, 2)

            assert live.wait_for("online").text == "h264 64x48, 25 pictures/s"
        steps = (second.pts_seconds - first.pts_seconds) * 25
        assert steps >= 1
        assert abs(steps - round(steps)) < 0.01

    def test_pictures_without_times(self) -> None:
        """They are stamped when they come, not by a rate that is guessed."""
        with (
            web_camera() as address,
            running(address) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            frames = frames_of(received, 9)  # the first ones come at once

            assert live.wait_for("online").text == "mjpeg 64x48"
        # Four pauses of the camera; at the usual 25 pictures per second it would be 0.16 s.
        assert frames[-1].pts_seconds - frames[-5].pts_seconds > 3 * PAUSE

    def test_a_wrong_password_is_asked_once(self, camera: Server) -> None:
        """The next attempt is far away, whatever holds for other failures; nobody is told the password."""
        before = camera.answered["DESCRIBE 401"]
        with (
            running(camera.url("u", "hunter2"), session=SOON) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            told = live.wait_for("backing_off")
            status = live.service.status.streams[0]
            live.service.stop()
            heard = [item.text for item in itertools.takewhile(lambda item: item.kind != "end", received)]

        # Without one, which the server answers with its question; and with it.
        camera.wait_for("DESCRIBE 401", before + 2)
        assert camera.answered["DESCRIBE 401"] == before + 2
        assert status.source.attempts == 1
        wait = int(re.search(r"trying again in (\d+) s", told.text)[1])
        assert 30 <= wait <= 60
        assert "hunter2" not in repr((live.told, status, heard))

    def test_silent_after_connecting(self, silent: str) -> None:
        """A server that accepts and never answers is given up, and tried again later."""
        with running(silent, session={**SOON, "connect_seconds": 0.5}) as live:
            told = live.wait_for("backing_off")
            live.wait_for("connecting", times=2)

        assert "trying again in" in told.text

    def test_frozen_and_thawed(self, camera: Server) -> None:
        """Connected, but no frames: stalled, and online again with the next one."""
        session = {"stall_seconds": 0.5, "reconnect_seconds": 60, **SOON}
        with running(camera.url("u", PASSWORD), session=session) as live:
            live.wait_for("online")
            camera.freeze()
            stalled = live.wait_for("stalled")
            camera.thaw()
            again = live.wait_for("online", times=2)

            assert stalled.epoch == again.epoch
            assert "no picture for 0.5 s" in stalled.text

    def test_frozen_for_long(self, camera: Server) -> None:
        """Its process hangs in a read; it is replaced."""
        session = {"stall_seconds": 0.3, "reconnect_seconds": 0.3, **SOON}
        with running(camera.url("u", PASSWORD), session=session) as live:
            live.wait_for("online")
            camera.freeze()
            told = live.wait_for("backing_off")
            camera.thaw()
            live.wait_for("online", times=2)

            assert "no picture for 0.6 s" in told.text
            assert live.service.status.streams[0].source.attempts > 1

    def test_its_process_dies(self, camera: Server) -> None:
        """As after a crash of the decoder: another process takes over."""
        with running(camera.url("u", PASSWORD), session=SOON) as live:
            live.wait_for("online")
            os.kill(capture_of(live), signal.SIGKILL)
            told = live.wait_for("backing_off")
            live.wait_for("online", times=2)

        assert "SIGKILL" in told.text

    def test_back_with_another_codec(self, camera: Server) -> None:
        """A normal event, and told as one."""
        with (
            running(camera.url("u", PASSWORD), session=SOON) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            live.wait_for("online")
            camera.kill()
            live.wait_for("backing_off")
            camera.restart(codec="mpeg4")
            again = live.wait_for("online", times=2)
            epoch = live.service.status.streams[0].source.epoch
            frame = next(item for item in received if item.kind == "frame" and item.epoch == epoch)
        camera.kill()
        camera.restart(codec="h264")

        size = camera.options.size
        assert f"mpeg4 {shown(size)}" in again.text
        assert f"it was h264 {shown(size)}" in again.text
        assert frame.image.shape[1::-1] == size

    def test_killed_and_back_with_another_resolution(self, camera: Server) -> None:
        """Both are events, not failures: a new epoch, and frames of the new size."""
        with (
            running(camera.url("u", PASSWORD), session=SOON) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            (before,) = frames_of(received, 1)
            old, new = camera.options.size, (96, 64) if camera.options.size == (64, 48) else (64, 48)
            camera.kill()
            told = live.wait_for("backing_off")
            camera.restart(size=new)
            again = live.wait_for("online", times=2)
            after = next(item for item in received if item.kind == "frame" and item.epoch != before.epoch)

        assert "lost" in told.text
        what = "h264 {}, 25 pictures/s"
        assert again.text == f"{what.format(shown(new))}; before, it was {what.format(shown(old))}"
        assert before.image.shape[1::-1] == old
        assert after.image.shape[1::-1] == new


def combs(image: np.ndarray) -> float:
    """How much neighbouring lines differ."""
    return float(np.abs(np.diff(image[..., 1].astype(int), axis=0)).mean())


class TestInterlaced:
    """Cameras that send fields."""

    def test_from_a_reconnect_on(self) -> None:
        """What is marked is deinterlaced, also if it is bypassed, unless its source says otherwise."""
        with Server() as camera:
            sources = [
                {"url": camera.url(), "name": "whole", "branch": "none"},
                {"url": camera.url(), "name": "kept", "interlaced": "keep"},
            ]
            with running(*sources, session=SOON) as live:
                assert "deinterlaced" not in live.wait_for("online", "whole").text
                live.wait_for("online", "kept")
                camera.kill()
                live.wait_for("backing_off", "whole")
                live.wait_for("backing_off", "kept")
                camera.restart(interlaced=True)
                texts = [live.wait_for("online", name, times=2).text for name in ("whole", "kept")]
                found = {}
                for name in ("whole", "kept"):
                    with subscribe(live.service.address, streams=[name], timeout=LIMIT) as received:
                        found[name] = frames_of(received, 4)[1:]

        assert texts[0].startswith("h264 64x48, 25 pictures/s, deinterlaced; before")
        assert "deinterlaced" not in texts[1]
        assert max(combs(frame.image) for frame in found["whole"]) < 5
        assert min(combs(frame.image) for frame in found["kept"]) > 20


class TestScope:
    """What is not restored."""

    def test_hdr_passes(self, tmp_path: Path) -> None:
        """And says so, in its frames and once beside them."""
        write_video(tmp_path / "a.mkv", frames=5, pattern="smooth", matrix=9, transfer=18)
        with (
            running({"url": str(tmp_path / "a.mkv"), "loop": True}) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            frames = frames_of(received, 12)

        assert {(frame.restored, frame.decision.reason) for frame in frames} == {(False, "hdr")}
        assert live.states().count("bypass_hdr") == 1
        assert "HLG" in live.wait_for("bypass_hdr").text

    def test_a_mask_of_another_size(self, tmp_path: Path) -> None:
        """It is an event, and so is a size that it fits; then it holds."""
        white = np.zeros((64, 96, 3), np.uint8)
        white[:, :48] = 255
        av.VideoFrame.from_ndarray(white, format="rgb24").save(tmp_path / "mask.png")
        with Server() as camera:
            source = {"url": camera.url(), "mask": [str(tmp_path / "mask.png")]}
            with running(source, session=SOON) as live:
                told = live.wait_for("bypass_mask")
                camera.kill()
                live.wait_for("backing_off")
                camera.restart(size=(96, 64))
                live.wait_for("bypass_none")
                with subscribe(live.service.address, timeout=LIMIT) as received:
                    (frame,) = frames_of(received, 1)

        assert "its picture is 96x64, the video's 64x48" in told.text
        assert frame.restored
        kept, changed = frame.image[:, :40], frame.image[:, 56:]  # of one grey, to which the engine adds
        assert changed.mean() - kept.mean() > 0.5


class TestStreams:
    """Several at once."""

    def test_one_blocked_source_harms_no_other(self, tmp_path: Path, silent: str) -> None:
        """Each has its own process, state and frames."""
        write_video(tmp_path / "a.mkv", frames=5, pattern="smooth")
        sources = [
            {"url": str(tmp_path / "a.mkv"), "name": "file", "loop": True},
            {"url": "rtsp://127.0.0.1:9/none", "name": "gone"},
        ]
        with (
            running(*sources, {"url": silent, "name": "silent"}) as live,
            subscribe(live.service.address, streams=["file"], timeout=LIMIT) as received,
        ):
            frames = frames_of(received, 8)
            gone = live.wait_for("backing_off", "gone")
            states = {stream.name: stream.source.state for stream in live.service.status.streams}

        assert {frame.stream for frame in frames} == {"file"}
        assert "refused" in gone.text
        assert states["file"] == "online"
        assert states["silent"] == "connecting"

    def test_services_chain(self, tmp_path: Path) -> None:
        """What one publishes, another one reads; samples that both bypass are those of the file."""
        written = write_video(tmp_path / "a.nut", frames=4, pix_fmt="rgb24")
        source = {"url": str(tmp_path / "a.nut"), "name": "gate", "branch": "none", "loop": True}
        with (
            running(source) as first,
            running({"url": first.service.address, "topic": "gate", "branch": "none"}) as second,
            subscribe(second.service.address, timeout=LIMIT) as received,
        ):
            frames = frames_of(received, 4)

        for frame in frames:
            expected = written[round(frame.pts_seconds * 25)][0].reshape(48, 64, 3)
            np.testing.assert_array_equal(frame.image, expected)

    def test_reload(self, tmp_path: Path) -> None:
        """Streams come and go, and change; those that are as they were are not touched."""
        write_video(tmp_path / "a.mkv", frames=5, pattern="smooth")
        kept, changed, removed, added = (
            {"url": str(tmp_path / "a.mkv"), "name": name, "loop": True}
            for name in ("kept", "changed", "removed", "added")
        )
        with running(kept, changed, removed) as live:
            for name in ("kept", "changed", "removed"):
                live.wait_for("online", name)
            before = capture_of(live, "kept")
            after = settings_of(kept, changed | {"branch": "none"}, added, engine={"threads": 2})
            told = live.service.reload(after)
            live.wait_for("online", "added")
            live.wait_for("end", "removed")
            live.wait_for("online", "changed", times=2)

            assert told == ["engine"]
            assert capture_of(live, "kept") == before
            assert "end" not in live.states("kept")
            assert {stream.name for stream in live.service.status.streams} == {"kept", "changed", "added"}

    def test_a_reload_that_cannot_be_used(self, tmp_path: Path) -> None:
        """Changes nothing."""
        write_video(tmp_path / "a.mkv", frames=5, pattern="smooth")
        source = {"url": str(tmp_path / "a.mkv"), "loop": True}
        with running(source) as live:
            live.wait_for("online")
            with pytest.raises(UsageError, match="no SRT"):
                live.service.reload(settings_of("srt://host"))
            assert live.service.status.streams[0].source.state == "online"


class TestStopping:
    """The end of the service."""

    def test_what_came_in_is_finished(self, tmp_path: Path) -> None:
        """The picture at work and those that wait go out, then the end of the stream; no process is left."""
        write_video(tmp_path / "a.mkv", frames=9, pattern="smooth")
        gate = Gate()
        with (
            running(
                {"url": str(tmp_path / "a.mkv"), "loop": True, "max_latency_seconds": 60.0},
                engines=told_engines(before_apply=gate),
            ) as live,
            subscribe(live.service.address, timeout=LIMIT) as received,
        ):
            assert gate.reached.wait(LIMIT)
            process = live.service._members["cam1"].source.reading
            live.service.stop()
            live.wait_for("end")
            gate.open()
            items = list(itertools.takewhile(lambda item: item.kind != "end", received))
            live.join()
            stream = live.service.status.streams[0]

        assert process.gone()
        assert stream.counts.arrived == sum(stream.load.finished.values()) + stream.counts.dropped
        assert sum(item.kind == "frame" for item in items) == sum(stream.load.finished.values())
        assert live.error is None

    def test_work_that_takes_too_long_is_left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A network in the middle of a picture cannot be interrupted; the service ends all the same."""
        monkeypatch.setattr("streamrestore.live.service.DRAIN_SECONDS", 0.1)
        write_video(tmp_path / "a.mkv", frames=9, pattern="smooth")
        gate = Gate()
        with running(
            {"url": str(tmp_path / "a.mkv"), "loop": True}, engines=told_engines(before_apply=gate)
        ) as live:
            assert gate.reached.wait(LIMIT)
            live.stop()
            assert not live.service._worker.join(0)
            gate.open()
            live.service._worker.join(LIMIT)

    def test_a_broken_engine_ends_it(self, tmp_path: Path) -> None:
        """With the reason; a service that does nothing would be worse."""

        def broken(_: object) -> None:
            raise ZeroDivisionError

        write_video(tmp_path / "a.mkv", frames=9, pattern="smooth")
        source = {"url": str(tmp_path / "a.mkv"), "loop": True}
        with running(source, engines=told_engines(before_apply=broken)) as live:
            live.join()

        assert isinstance(live.error, StageError)
