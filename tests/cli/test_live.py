"""``streamrestore live`` as users run it: signals, configuration, what it says and what it never says."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from click.testing import CliRunner

from streamrestore.cli.live import command
from streamrestore.errors import OutputError, UsageError
from streamrestore.transport import subscribe
from tests.cli.process import run, start
from tests.media import write_video
from tests.transport.net import LIMIT

pytestmark = pytest.mark.network

SECRET = "hunter2"  # noqa: S105


class Live:
    """A service, and what it has said so far."""

    def __init__(self, *arguments: str) -> None:
        self.process: subprocess.Popen[str] = start("live", *arguments)
        self.said: list[str] = []

    def wait_for(self, words: str) -> str:
        """The next line with these words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(self.said)

    def end(self) -> int:
        """Its exit status, once it has ended."""
        out, rest = self.process.communicate(timeout=LIMIT)
        self.said += [out, rest]
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def write_config(path: Path, *sources: dict[str, Any], **more: Any) -> None:
    """As a user would."""
    values = {"sources": list(sources), "publish": {"address": "tcp://127.0.0.1:*"}, **more}
    path.write_text(yaml.safe_dump(values))


def test_from_the_first_frame_to_sigterm(tmp_path: Path) -> None:
    """Frames go out; SIGHUP takes up another source, and refuses nonsense; SIGTERM ends it in order."""
    write_video(tmp_path / "a.mkv", frames=10, pattern="smooth")
    config = tmp_path / "live.yaml"
    first, second = (
        {"name": name, "url": str(tmp_path / "a.mkv"), "loop": True} for name in ("first", "second")
    )
    write_config(config, first)
    with Live("--config", str(config)) as live:
        address = live.wait_for("publishing at").split()[-1]
        live.wait_for("first: online")
        with subscribe(address, timeout=LIMIT) as received:
            frame = next(item for item in received if item.kind == "frame")
            write_config(config, first, {"url": f"srt://u:{SECRET}@host"})
            live.process.send_signal(signal.SIGHUP)
            live.wait_for("no SRT")
            live.wait_for("what was read before holds")
            write_config(config, first, second)
            live.process.send_signal(signal.SIGHUP)
            live.wait_for("second: online")
            live.process.send_signal(signal.SIGTERM)
            ends = (item.stream for item in received if item.kind == "end")
            ended = {next(ends), next(ends)}
        status = live.end()

    assert frame.image.shape == (48, 64, 3)
    assert frame.weather is not None
    assert status == 0
    assert ended == {"first", "second"}
    assert any("frames published" in said for said in live.said)
    assert SECRET not in "".join(live.said)


def test_looked_at_from_outside(tmp_path: Path) -> None:
    """Without a publisher, too; what happens is told in JSON; nobody who looks holds the service up."""
    write_video(tmp_path / "a.mkv", frames=10, pattern="smooth")
    with Live(
        str(tmp_path / "a.mkv"), "--loop", "--branch", "none", "--http", "127.0.0.1:0", "--log", "json"
    ) as live:
        address = json.loads(live.wait_for("to be looked at"))["address"]
        online = json.loads(live.wait_for('"online"'))
        with urllib.request.urlopen(f"{address}readyz", timeout=LIMIT) as answer:  # noqa: S310
            ready = answer.status
        live.process.send_signal(signal.SIGTERM)
        status = live.end()

    told = [json.loads(line) for said in live.said for line in said.splitlines()]
    assert ready == 200
    assert status == 0
    assert (online["stream"], online["kind"], online["level"]) == ("cam1", "status", "info")
    assert online["text"].startswith("cam1: online: ffv1 64x48")
    assert all({"time", "level", "text"} <= each.keys() for each in told)
    assert told[-1]["frames_in"] >= told[-1]["frames_out"]


def test_errors_in_json() -> None:
    """Of the same form as all else."""
    done = run("live", "rtsp://host/cam", "--http", "0.0.0.0:0", "--log", "json", "--debug")
    (told,) = (json.loads(line) for line in done.stderr.splitlines())

    assert done.returncode == 2
    assert (told["level"], told["error"]) == ("error", "UsageError")
    assert "token" in told["text"]
    assert "Traceback" in told["traceback"]


class NetworksRead(Exception):
    """Somebody asked for them."""


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("--publish", "tcp://0.0.0.0:0"), UsageError, "--insecure"),
        (("--publish", "tcp://nowhere"), UsageError, "is no address"),
        (("--publish", "tcp://0.0.0.0:0", "--keys", "no-such-folder"), UsageError, "no-such-folder"),
        (("--publish", "tcp://127.0.0.1:{taken}"), OutputError, "{taken}"),
        (("--http", "127.0.0.1"), UsageError, "is no address"),
        (("--http", "0.0.0.0:0"), UsageError, "token"),
        (("--http", "127.0.0.1:{taken}"), OutputError, "{taken}"),
        (("--publish", "tcp://127.0.0.1:*"), NetworksRead, ""),
    ],
)
def test_addresses_come_first(
    arguments: tuple[str, ...], error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is unsafe or cannot be used is refused before networks are read, and so before cameras are."""

    def read(*_: object) -> None:
        raise NetworksRead

    monkeypatch.setattr("streamrestore.weights.store.read_index", read)
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = str(server.getsockname()[1])
        given = [argument.replace("{taken}", taken) for argument in arguments]
        done = CliRunner().invoke(command, ["rtsp://127.0.0.1:9/cam", *given])

    assert isinstance(done.exception, error)
    assert words.replace("{taken}", taken) in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 2, "no source is named"),
        (("rtsp://host/cam",), 2, "nobody would see the frames"),
        ((f"srt://u:{SECRET}@host", "--publish", "tcp://127.0.0.1:*"), 2, "has no SRT"),
        ((f"http://u:{SECRET}@host/a", "--loop", "--publish", "tcp://127.0.0.1:*"), 2, "files only"),
    ],
)
def test_refused(arguments: tuple[str, ...], status: int, words: str) -> None:
    """Before anything begins, in one line, without what opens doors; also with a traceback."""
    done = run("live", *arguments, "--debug")

    assert done.returncode == status
    assert words in done.stderr.splitlines()[-1]
    assert SECRET not in done.stdout + done.stderr
