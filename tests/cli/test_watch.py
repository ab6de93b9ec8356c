"""``streamrestore watch`` as users run it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
from pathlib import Path

import av
import pytest

from streamrestore.publish import FramePublisher
from streamrestore.transport.keys import new_keys
from tests.cli.process import run, start
from tests.transport.net import LIMIT, LOCAL, repeating, send

pytestmark = pytest.mark.network


def test_json_keys_and_a_recording(tmp_path: Path) -> None:
    """A client with keys gets figures of each stream; Ctrl-C completes the recording, and says so."""
    new_keys(tmp_path / "keys")
    with (
        FramePublisher(LOCAL, keys=tmp_path / "keys") as publisher,
        repeating(lambda number: send(publisher, number, drops=2), pause=0.03),
    ):
        watching = start(
            "watch", publisher.address, "--keys", str(tmp_path / "keys" / "client"), "--json",
            "--every", "0.2", "--stream", "cam1", "--record", str(tmp_path / "out.mkv"),
        )  # fmt: skip
        views = []
        while len(views) < 2:
            line = json.loads(watching.stdout.readline())
            views += [line] if line.get("frames", 0) >= 3 else []
        watching.send_signal(signal.SIGINT)
        rest, complaints = watching.communicate(timeout=LIMIT)

    assert watching.returncode == 130
    assert (views[0]["stream"], views[0]["width"]) == ("cam1", 64)
    assert views[0]["drops"] >= 2  # more if the publisher's queue overflowed, too
    assert views[0]["fps"] > 0
    assert set(views[0]["latency_ms"]) == {"p50", "p95", "p99"}
    done = json.loads(rest.splitlines()[-1])
    assert done["event"] == "recorded"
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert sum(1 for _ in container.decode(video=0)) == done["frames"] >= 3
    assert "stopping" in complaints


def test_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    """What is told of streams and of the connection, and figures; SIGTERM is no failure."""
    with (
        FramePublisher(LOCAL) as publisher,
        repeating(lambda number: send(publisher, number), pause=0.03),
        repeating(lambda _: publisher.status("cam1", 1, "online", "h264 64x48"), pause=0.1),
    ):
        watching = start("watch", publisher.address, "--every", "0.2", "--record", str(tmp_path / "films"))
        said = ""
        while not re.search(r"^cam1: [1-9][\d.]* fps, 64x48, latency \d+ / \d+ / \d+ ms", said, re.MULTILINE):
            said += watching.stdout.readline()
        watching.send_signal(signal.SIGTERM)
        rest, complaints = watching.communicate(timeout=LIMIT)

    assert watching.returncode == 0
    assert "connected" in said
    assert "cam1: online: h264 64x48" in said + rest
    (film,) = (tmp_path / "films").iterdir()
    assert f"{film}: " in complaints


def test_a_table_on_a_terminal() -> None:
    """With headings, and a row for each stream."""
    ours, theirs = pty.openpty()
    with (
        FramePublisher(LOCAL) as publisher,
        repeating(lambda number: send(publisher, number), pause=0.03),
    ):
        watching = start("watch", publisher.address, stdout=theirs)
        os.close(theirs)
        said = ""
        while not re.search(r"cam1\W+64x48\W+\d", said):
            said += os.read(ours, 65536).decode()
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=LIMIT)
    os.close(ours)

    assert "latency ms" in said
    assert watching.returncode == 130


def test_a_file_holds_one_stream() -> None:
    """Which one has to be said before anything is recorded."""
    done = run("watch", "tcp://127.0.0.1:9", "--record", "out.mkv")

    assert done.returncode == 2
    assert "--stream" in done.stderr
