"""A running service, asked over HTTP as probes, Prometheus and the page ask it."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from streamrestore.errors import OutputError, UsageError
from streamrestore.live.config import HttpSettings
from streamrestore.live.http import Window
from tests.cli.process import start_python
from tests.live.engines import Gate, told_engines
from tests.live.running import LIMIT
from tests.live.watched import Watched, until, watched
from tests.media import write_video

pytestmark = pytest.mark.network

TOKEN = "a-token-of-many-letters"  # noqa: S105


@pytest.fixture
def clip(tmp_path: Path) -> dict[str, object]:
    """A source that goes on."""
    write_video(tmp_path / "a.mkv", frames=10, pattern="smooth", matrix=1, range=1)
    return {"url": str(tmp_path / "a.mkv"), "loop": True}


def metrics_of(service: Watched) -> dict[str, Metric]:
    """All of them by name."""
    return {metric.name: metric for metric in text_string_to_metric_families(service.ask("metrics")[1])}


def value(metrics: dict[str, Metric], name: str, **labels: str) -> float:
    """The one sample with these labels."""
    (found,) = (
        sample.value
        for metric in metrics.values()
        for sample in metric.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
    return found


def next_picture(socket: ClientConnection, stream: str) -> tuple[dict[str, object], bytes]:
    """Ask for one; its caption and its JPEG files."""
    socket.send(stream)
    message = socket.recv(timeout=LIMIT)
    assert isinstance(message, bytes)
    (size,) = struct.unpack(">I", message[:4])
    return json.loads(message[4 : 4 + size]), message[4 + size :]


class TestProbes:
    """Alive, and ready."""

    def test_ready_when_every_stream_is_online(self, clip: dict[str, object]) -> None:
        """One that is not is enough to be not."""
        with watched(clip) as service:
            service.live.wait_for("online")
            assert service.ask("healthz") == (200, "alive\n")
            assert service.ask("readyz") == (200, "1 of 1 streams online\n")
        with watched(clip, "rtsp://127.0.0.1:9/none") as service:
            service.live.wait_for("online")
            service.live.wait_for("backing_off", "cam2")
            assert service.ask("healthz")[0] == 200
            assert service.ask("readyz") == (503, "1 of 2 streams online\n")

    def test_work_that_hangs(self, clip: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
        """A service that answers and does nothing is not alive; once it goes on, it is."""
        monkeypatch.setattr("streamrestore.live.http.STANDSTILL_SECONDS", 0.5)
        gate = Gate()
        with watched(clip, engines=told_engines(before_apply=gate)) as service:
            assert gate.reached.wait(LIMIT)
            status, text = until(lambda: (told := service.ask("healthz"))[0] != 200 and told)
            gate.open()
            until(lambda: service.ask("healthz")[0] == 200)

        assert status == 503
        assert "at work" in text


class TestMetrics:
    """What Prometheus reads."""

    def test_everything_that_is_counted(self, clip: dict[str, object]) -> None:
        """Frames in, out, dropped; decisions, latencies, states, queues, stages."""
        whole = {**clip, "loop": False, "max_latency_seconds": LIMIT}
        with watched(whole, {**whole, "name": "calm", "branch": "none"}) as service:
            service.live.join()
            found = metrics_of(service)
            told = {stream["name"]: stream for stream in service.state()["streams"]}
            exact = {metric.name for metric in parse_openmetrics(
                service.ask("metrics", Accept="application/openmetrics-text; version=1.0.0")[1]
            )}  # fmt: skip

        p = "streamrestore_"
        for stream, branch in (("cam1", "rain"), ("calm", "none")):
            came = value(found, f"{p}frames_in_total", stream=stream)
            through = value(found, f"{p}frames_out_total", stream=stream)
            lost = sum(
                value(found, f"{p}frames_dropped_total", stream=stream, reason=reason)
                for reason in ("no_slot", "crowded", "late")
            )
            assert came == through + lost == 10
            unpublished = value(found, f"{p}frames_dropped_total", stream=stream, reason="unpublished")
            assert 0 <= unpublished < through  # the socket may be slow on a busy machine
            assert value(found, f"{p}decisions_total", stream=stream, branch=branch) == through
            assert value(found, f"{p}latency_seconds_count", stream=stream) == through
            assert value(found, f"{p}latency_seconds_bucket", stream=stream, le="+Inf") == through
            assert 0 < value(found, f"{p}latency_seconds_sum", stream=stream) < through * LIMIT
            assert value(found, f"{p}state", stream=stream, state="ended") == 1
            assert value(found, f"{p}state", stream=stream, state="online") == 0
            assert value(found, f"{p}reconnects_total", stream=stream) == 0
            assert value(found, f"{p}connect_attempts_total", stream=stream) == 1
            assert value(found, f"{p}queue_depth", stream=stream, queue="work") == 0
            assert value(found, f"{p}queue_depth", stream=stream, queue="publish") == 0
            levels = found[f"{p}overload"].samples
            assert sum(each.value for each in levels if each.labels["stream"] == stream) == 1
            stages = {
                stage: value(found, f"{p}stage_seconds_total", stream=stream, stage=stage)
                for stage in ("decode", "route", "restore", "output")
            }
            assert stages == told[stream]["stage_seconds"]
            assert stages["decode"] > 0
            assert (stages["restore"] > 0) == (branch == "rain")
            assert stages["route"] > 0
            assert stages["output"] > 0
        assert exact - {"streamrestore"} == set(found) - {"streamrestore_info"}

    def test_what_is_lost_and_what_waits(self, clip: dict[str, object]) -> None:
        """While the networks are busy with one picture for long."""
        gate = Gate()
        with watched(clip, engines=told_engines(before_apply=gate)) as service:
            assert gate.reached.wait(LIMIT)
            name = "streamrestore_frames_dropped_total"
            until(lambda: value(metrics_of(service), name, reason="crowded") > 0)
            waiting = value(metrics_of(service), "streamrestore_queue_depth", queue="work")
            gate.open()

        assert waiting >= 4


class TestState:
    """What the page reads."""

    def test_seconds_are_told_once(self, clip: dict[str, object]) -> None:
        """Who says what it knows is told what came after."""
        with watched(clip) as service:
            (first,) = until(lambda: [s for s in service.state()["streams"] if s["moments"]])
            last = first["moments"][-1]["at"]
            (second,) = until(lambda: [s for s in service.state(after=last)["streams"] if s["moments"]])
            odd = service.state(after="nonsense")["streams"][0]

        assert first["state"] == "online"
        assert (first["branch"], first["reason"]) == ("rain", "classified")
        assert first["moments"][0]["weathers"]["rain"] == pytest.approx(0.9)
        assert min(moment["at"] for moment in second["moments"]) > last
        assert odd["moments"][0] == first["moments"][0]

    def test_no_password(self) -> None:
        """In no answer."""
        with watched("rtsp://me:hunter2@127.0.0.1:9/none") as service:
            service.live.wait_for("backing_off")
            answers = [service.ask(path)[1] for path in ("status", "metrics", "readyz", "")]

        assert "127.0.0.1:9" in answers[0]
        assert not any("hunter2" in answer for answer in answers)


class TestPreviews:
    """Pictures over a WebSocket."""

    def test_one_encode_for_all_and_none_for_nobody(self, clip: dict[str, object]) -> None:
        """As the metrics tell."""
        name = "streamrestore_preview_pictures_total"
        with watched(clip) as service:
            until(lambda: service.state()["streams"][0]["frames_out"] > 12)
            assert not metrics_of(service)["streamrestore_preview_pictures"].samples
            with connect(service.preview) as one, connect(service.preview) as two:
                pairs = [(next_picture(one, "cam1"), next_picture(two, "cam1")) for _ in range(4)]
                encoded = value(metrics_of(service), name, stream="cam1")
            out = service.state()["streams"][0]["frames_out"]
            until(lambda: service.state()["streams"][0]["frames_out"] > out + 12)
            after = value(metrics_of(service), name, stream="cam1")

        for caption, data in (picture for pair in pairs for picture in pair):
            assert (caption["stream"], caption["width"], caption["height"]) == ("cam1", 64, 48)
            assert caption["branch"] == "rain"
            assert len(data) == caption["before"] + caption["after"]
            assert data[:2] == data[caption["before"] :][:2] == b"\xff\xd8"
        assert 4 <= encoded <= 8  # as they ask at different times, they may be given different ones
        assert after == encoded

    def test_nonsense(self, clip: dict[str, object]) -> None:
        """A name of no stream is not answered; whoever sends too much is cut off; others do not notice."""
        with watched(clip) as service, connect(service.preview) as one, connect(service.preview) as two:
            one.send("no such stream")
            two.send("x" * 100_000)
            caption, _ = next_picture(one, "cam1")
            with pytest.raises(Exception, match=r"1009|too big"):
                two.recv(timeout=LIMIT)

        assert caption["stream"] == "cam1"

    def test_the_service_stops_while_somebody_looks(self, clip: dict[str, object]) -> None:
        """Nobody is waited for."""
        with contextlib.ExitStack() as stack:
            with watched(clip) as service:
                socket = stack.enter_context(connect(service.preview))
                next_picture(socket, "cam1")
                socket.send("cam1")
            with pytest.raises(ConnectionClosed):
                list(socket)

        assert service.live.error is None


class TestAccess:
    """Who may look; see also `test_access`."""

    def test_a_token(
        self, clip: dict[str, object], tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Nothing but health without it; it is told nowhere."""
        (tmp_path / "token").write_text(TOKEN)
        with watched(clip, token_file=str(tmp_path / "token")) as service:
            service.live.wait_for("online")
            closed = [
                service.ask(path) for path in ("", "status", "metrics", "status?token=wrong", "nothing")
            ]
            opened = [service.ask(path) for path in ("healthz", "readyz", f"?token={TOKEN}")]
            opened.append(service.ask("metrics", Authorization=f"Bearer {TOKEN}"))
            with pytest.raises(InvalidStatus, match="403"), connect(service.preview):
                pass
            with connect(f"{service.preview}?token={TOKEN}") as socket:
                next_picture(socket, "cam1")

        assert [status for status, _ in closed] == [401] * 5
        assert [status for status, _ in opened] == [200] * 4
        assert TOKEN not in "".join(text for _, text in closed + opened)
        assert TOKEN not in "".join(capfd.readouterr())

    def test_pages_of_other_sites(self, clip: dict[str, object]) -> None:
        """Cannot look into a service of this machine with the help of its browser."""
        with watched(clip) as service:
            assert service.ask("status", Host="other.example")[0] == 421
            with (
                pytest.raises(InvalidStatus, match="403"),
                connect(service.preview, origin="http://other.example"),  # type: ignore[arg-type]
            ):
                pass

    def test_the_address_is_taken(self) -> None:
        """It is told before anything is read."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(OutputError, match=where):
                Window(HttpSettings(where))

    def test_other_machines_without_a_token(self) -> None:
        """Nobody listens there."""
        with pytest.raises(UsageError, match="token"):
            Window(HttpSettings("0.0.0.0:0"))


def test_without_what_it_needs(tmp_path: Path) -> None:
    """A sentence with the command that installs it."""
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError('none', name='starlette')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = ['live', 'a.mkv', '--http', "
        "'127.0.0.1:0']; from streamrestore.cli.main import main; main()"
    )
    process = start_python(code)
    said = process.communicate(timeout=LIMIT)[1]

    assert process.returncode == 2
    assert "it needs starlette; install it with: pip install 'streamrestore[web]'" in said
