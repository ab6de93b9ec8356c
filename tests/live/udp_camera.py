"""An encoder that sends MPEG-TS over UDP to whoever listens, or to nobody."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import av

from tests.media import random_planes, to_frame

RATE = 25


@contextlib.contextmanager
def udp_camera() -> Iterator[str]:
    """Where it sends to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{free.getsockname()[1]}"
    stopping = threading.Event()

    def send() -> None:
        with av.open(f"{address}?pkt_size=1316", "w", format="mpegts") as container:
            stream = container.add_stream("libx264", rate=RATE)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.options = {"tune": "zerolatency", "g": "5"}
            frame = to_frame(random_planes("yuv420p", (64, 48), pattern="smooth"), "yuv420p", (64, 48))
            frame.pts = 0
            while not stopping.wait(1 / RATE):
                for packet in stream.encode(frame):
                    container.mux(packet)
                frame.pts += 1

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        stopping.set()
        thread.join()
