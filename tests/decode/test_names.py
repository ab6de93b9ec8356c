"""Names that may be shown."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.decode import open_source, redact
from streamrestore.decode.names import is_url, redact_text
from streamrestore.errors import InputError
from tests.media import write_video

secrets = st.text("§¤µ@:/", min_size=1).filter(lambda text: any(sign in text for sign in "§¤µ"))
hosts = st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,3})?(:[0-9]{1,5})?", fullmatch=True)
paths = st.from_regex(r"(/[a-z0-9.]{0,6}){0,3}", fullmatch=True)


def leaked(secret: str, text: str) -> bool:
    """True if a sign of the secret that no other part of the URL has is still there."""
    return any(sign in text for sign in secret if sign in "§¤µ")


class TestRedact:
    """Addresses."""

    @pytest.mark.parametrize(
        ("spec", "shown"),
        [
            ("rtsp://admin:p%20w@10.0.0.7:554/live", "rtsp://***@10.0.0.7:554/live"),
            ("rtsp://admin:p@ss@cam/live", "rtsp://***@cam/live"),
            ("rtsp://admin:a/b@cam/live", "rtsp://***@cam/live"),
            ("http://cam/a.mp4?token=abc&n=1", "http://cam/a.mp4?token=***&n=***"),
            ("http://cam/a.mp4#abc", "http://cam/a.mp4#***"),
            (
                "rtsp://cam/user=admin_password=secret_channel=1.sdp",
                "rtsp://cam/user=***_password=***_channel=1.sdp",
            ),
            ("https://cdn.example/@someone/clip.mp4", "https://cdn.example/@someone/clip.mp4"),
            ("rtsp://[fe80::1]:554/live", "rtsp://[fe80::1]:554/live"),
            ("/home/me/user:pass@work/a.mp4", "/home/me/user:pass@work/a.mp4"),
            ("two\nlines.mp4", "two\\nlines.mp4"),
        ],
    )
    def test_examples(self, spec: str, shown: str) -> None:
        """What opens doors becomes ***; everything else stays readable, on one line."""
        assert redact(spec) == shown

    @given(user=st.text("abc", max_size=3), secret=secrets, host=hosts, path=paths)
    def test_no_password_survives(self, user: str, secret: str, host: str, path: str) -> None:
        """However badly a password is quoted, nothing of it is shown."""
        shown = redact(f"rtsp://{user}:{secret}@{host}{path}")

        assert not leaked(secret, shown)
        assert shown.startswith("rtsp://***@")

    @given(name=st.text("abcxyz", min_size=1), secret=secrets, host=hosts)
    def test_no_query_value_survives(self, name: str, secret: str, host: str) -> None:
        """Signed addresses lose all their values."""
        for scheme in ("https", "rtsp"):
            assert not leaked(secret, redact(f"{scheme}://{host}/a.mp4?x=1&{name}={secret}#{secret}"))

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """No text breaks it; the result is printable and redacting it again changes nothing."""
        once = redact(text)

        assert once.isprintable()
        assert redact(once) == once

    @given(secret=secrets.filter(lambda text: "/" not in text), host=hosts)
    def test_in_a_message(self, secret: str, host: str) -> None:
        """A library's message that quotes the address is cleaned."""
        assert not leaked(secret, redact_text(f"cannot open 'rtsp://me:{secret}@{host}/x': no route"))

    def test_a_drive_is_no_url(self) -> None:
        """Names with a colon are not addresses by themselves."""
        assert not is_url("C:/a.mp4")
        assert not is_url("clip 12:30.mp4")
        assert is_url("rtsp://cam/live")


@pytest.mark.network
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_errors_hold_no_password(scheme: str) -> None:
    """Nobody listens: the message has neither user nor password."""
    with pytest.raises(InputError) as refused:
        open_source(f"{scheme}://bob:hunter2@127.0.0.1:9/live")

    assert "hunter2" not in str(refused.value)
    assert "bob" not in str(refused.value)
    assert f"{scheme}://***@127.0.0.1:9/live" in str(refused.value)
    assert refused.value.__suppress_context__


def test_unknown_protocol() -> None:
    """A protocol that FFmpeg does not have is named, and what may be used."""
    with pytest.raises(InputError, match="no such protocol"):
        open_source("srtx://cam:secret@host/live")


@pytest.mark.network
def test_a_file_from_a_server(tmp_path: Path) -> None:
    """A video is read over HTTP; its name holds no password."""
    written = write_video(tmp_path / "a.mkv", frames=5)
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        with open_source(f"http://bob:hunter2@{address}/a.mkv?key=hunter3") as source:
            frames = [frame for batch in source for frame in batch.frames]
        with pytest.raises(InputError, match=f"http://{address}/gone.mkv: it cannot be opened .*404"):
            open_source(f"http://{address}/gone.mkv")
        server.shutdown()

    assert [np.array_equal(f.planes[0], p[0]) for f, p in zip(frames, written, strict=True)] == [True] * 5
    assert source.info.name == f"http://***@{address}/a.mkv?key=***"
    assert not source.info.is_live
    assert not source.status.losses


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *_: object) -> None:
        """Nothing."""
