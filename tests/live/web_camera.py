"""A web camera: JPEG after JPEG over HTTP, without any times."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import av

from tests.media import random_planes, to_frame

PAUSE = 0.1
"""Seconds between its pictures."""


class _Camera(http.server.BaseHTTPRequestHandler):
    last: int | None = None

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuvj420p"
        encoder.time_base = Fraction(1, 25)
        frame = to_frame(random_planes("yuvj420p", (64, 48), pattern="smooth"), "yuvj420p", (64, 48))
        frame.pts = 0
        (packet,) = encoder.encode(frame)
        head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {packet.size}\r\n\r\n".encode()
        with contextlib.suppress(OSError):
            for number in itertools.count(1):
                self.wfile.write(head + bytes(packet) + b"\r\n")
                if number == self.last:
                    self.rfile.read()  # until the client goes
                    return
                time.sleep(PAUSE)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def web_camera(*, last: int | None = None) -> Iterator[str]:
    """Its address.

    Args:
        last: the number of the picture after which it says nothing any more; None for no such.
    """
    camera = type("Camera", (_Camera,), {"last": last})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), camera) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/video"
        server.shutdown()
