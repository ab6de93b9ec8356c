"""``streamrestore live`` as users run it: signals, configuration, what it says and what it never says."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

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
