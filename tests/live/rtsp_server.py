"""An RTSP server for tests that sends H.264, or MPEG-4 (part 2): RFC 2326, 3550, 6184 and 6416 as far as a
camera needs them.

It runs in a process of its own, so that a test can freeze it (SIGSTOP: connections stay, nothing comes) and
kill it (SIGKILL: connections break).

    python -m tests.live.rtsp_server --size 64x48 --user u --password p

It prints ``READY PORT`` once it listens, and each request's method and answer, such as ``DESCRIBE 401``.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import itertools
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self
from urllib.parse import quote

import av
import numpy as np

from tests.cli.process import ENVIRONMENT
from tests.live.figures.clock import draw
from tests.media import field_marks

CLOCK = 90_000
PACKET_BYTES = 1400
NTP_TO_UNIX = 2_208_988_800
AHEAD_SECONDS = 3600
"""The clock of this camera is an hour fast: what it tells of it can be told from everybody else's."""


@dataclass(frozen=True)
class Options:
    """What is served, and to whom."""

    port: int = 0
    size: tuple[int, int] = (64, 48)
    rate: int = 25
    user: str = ""
    password: str = ""
    auth: str = "digest"
    clock: bool = False
    interlaced: bool = False
    codec: str = "h264"


class Camera:
    """Encodes a moving picture, or the time (`figures.clock`); one for each client."""

    def __init__(self, options: Options) -> None:
        width, height = options.size
        self._clock = options.clock
        self._marks = field_marks("yuv420p", options.size, "top") if options.interlaced else None
        self._h264 = options.codec == "h264"
        self._encoder = av.CodecContext.create("libx264" if self._h264 else "mpeg4", "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = width, height, "yuv420p"
        self._encoder.time_base, self._encoder.framerate = Fraction(1, options.rate), Fraction(options.rate)
        self._encoder.thread_count = 1
        self._encoder.options = {
            "preset": "ultrafast", "tune": "zerolatency", "x264-params": "keyint=5:slices=1:sliced-threads=0"
        } if self._h264 else {"g": "5", "qmin": "2", "qmax": "6"}  # fmt: skip
        if options.interlaced:
            self._encoder.flags |= (1 << 18) | (1 << 29)  # interlaced DCT and motion estimation
        self._encoder.open()

    def units(self, number: int) -> list[bytes]:
        """The NAL units of a picture, with the parameter sets before a key picture; of MPEG-4 all in one."""
        frame = av.VideoFrame(self._encoder.width, self._encoder.height, "yuv420p")
        for plane, level in zip(frame.planes, (40 + number * 5 % 150, 128, 128), strict=True):
            np.frombuffer(plane, np.uint8)[:] = level
        if self._clock:
            luma = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
            draw(luma[: frame.height, : frame.width], time.time_ns() // 10**6)
        if self._marks is not None:
            luma = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
            for line in (0, 1):  # the later field is another picture
                luma[line::2] = 40 + (2 * number + line) * 33 % 150
            self._marks.push(frame)
            frame = self._marks.vpull()
        frame.pts, frame.time_base = number, self._encoder.time_base
        data = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        if not self._h264:
            return [data]
        return [unit.rstrip(b"\0") for unit in re.split(rb"\0\0\0?\x01", data) if unit]


class Client(threading.Thread):
    """One connection."""

    def __init__(self, connection: socket.socket, options: Options) -> None:
        super().__init__(daemon=True)
        self._connection, self._options = connection, options
        self._nonce = secrets.token_hex(8)
        self._writing = threading.Lock()
        self._interleaved = True
        self._udp: socket.socket | None = None
        self._to: tuple[str, int] | None = None
        self._source = secrets.randbits(32)

    def run(self) -> None:
        """Answer requests until the client goes."""
        with contextlib.suppress(OSError), self._connection:
            for method, address, headers in self._requests():
                status = self._answer(method, address, headers)
                sys.stdout.write(f"{method} {status}\n")
                sys.stdout.flush()
                if method == "PLAY" and status == 200:
                    threading.Thread(target=self._play, daemon=True).start()

    def _requests(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        waiting = b""
        while True:
            while b"\r\n\r\n" not in waiting:
                if waiting[:1] == b"$" and len(waiting) >= 4:  # RTCP from the client
                    length = 4 + int(struct.unpack_from("!H", waiting, 2)[0])
                    if len(waiting) >= length:
                        waiting = waiting[length:]
                        continue
                came = self._connection.recv(65536)
                if not came:
                    return
                waiting += came
            head, waiting = waiting.split(b"\r\n\r\n", 1)
            first, *lines = head.decode().split("\r\n")
            method, address, _ = first.split(" ")
            yield method, address, {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}

    def _answer(self, method: str, address: str, headers: dict[str, str]) -> int:
        if method != "OPTIONS" and not self._may(method, headers.get("authorization", "")):
            digest = self._options.auth == "digest"
            want = f'Digest realm="cam", nonce="{self._nonce}"' if digest else 'Basic realm="cam"'
            return self._send(401, headers, {"WWW-Authenticate": want})
        if method == "DESCRIBE":
            more = {"Content-Base": f"{address}/", "Content-Type": "application/sdp"}
            return self._send(200, headers, more, self._description())
        if method == "SETUP":
            return self._send(200, headers, {"Transport": self._set_up(headers["transport"]), "Session": "1"})
        return self._send(200, headers, {"Session": "1", "Public": "DESCRIBE, SETUP, PLAY, GET_PARAMETER"})

    def _send(self, status: int, headers: dict[str, str], more: dict[str, str], body: str = "") -> int:
        lines = [f"RTSP/1.0 {status} {'OK' if status == 200 else 'Unauthorized'}", f"CSeq: {headers['cseq']}"]
        lines += [f"{name}: {value}" for name, value in more.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        with self._writing:
            self._connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        return status

    def _may(self, method: str, told: str) -> bool:
        user, password = self._options.user, self._options.password
        if not user:
            return True
        if self._options.auth == "basic":
            return told == "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        said = dict(re.findall(r'(\w+)="([^"]*)"', told))
        own = _md5(f"{user}:cam:{password}"), self._nonce, _md5(f"{method}:{said.get('uri', '')}")
        return said.get("response") == _md5(":".join(own))

    def _description(self) -> str:
        units = Camera(self._options).units(0)
        if self._options.codec == "h264":
            sets = ",".join(base64.b64encode(u).decode() for u in units if u[0] & 31 in (7, 8))
            name, how = "H264", f"packetization-mode=1;sprop-parameter-sets={sets}"
        else:
            config = units[0][: units[0].index(b"\0\0\x01\xb6")].hex()  # up to the first picture
            name, how = "MP4V-ES", f"profile-level-id=1;config={config}"
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
            f"a=rtpmap:96 {name}/{CLOCK}\r\na=framerate:{self._options.rate}\r\na=control:video\r\n"
            f"a=fmtp:96 {how}\r\n"
        )

    def _set_up(self, transport: str) -> str:
        ports = re.search(r"client_port=(\d+)", transport)
        if ports is None:
            return "RTP/AVP/TCP;unicast;interleaved=0-1"
        self._interleaved = False
        self._to = (self._connection.getpeername()[0], int(ports[1]))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        own = self._udp.getsockname()[1]
        return f"RTP/AVP;unicast;client_port={ports[1]}-{int(ports[1]) + 1};server_port={own}-{own + 1}"

    def _play(self) -> None:
        camera, begun, sequence = Camera(self._options), time.time(), itertools.count()
        with contextlib.suppress(OSError):
            for number in itertools.count():
                due = begun + number / self._options.rate
                time.sleep(max(0.0, due - time.time()))
                stamp = number * CLOCK // self._options.rate
                if number % self._options.rate == 0:
                    self._packet(1, _report(self._source, due + AHEAD_SECONDS, stamp))
                units = camera.units(number)
                for unit in units:
                    for part, last in _parts(unit) if self._options.codec == "h264" else _pieces(unit):
                        mark = 0x80 if last and unit is units[-1] else 0
                        head = struct.pack(
                            "!BBHII", 0x80, mark | 96, next(sequence) % 65536, stamp, self._source
                        )
                        self._packet(0, head + part)

    def _packet(self, channel: int, data: bytes) -> None:
        if self._interleaved:
            with self._writing:
                self._connection.sendall(struct.pack("!cBH", b"$", channel, len(data)) + data)
        elif self._udp is not None and self._to is not None:
            self._udp.sendto(data, (self._to[0], self._to[1] + channel))


def _parts(unit: bytes) -> Iterator[tuple[bytes, bool]]:
    """A NAL unit as payloads of packets, whole or in fragments (FU-A)."""
    if len(unit) <= PACKET_BYTES:
        yield unit, True
        return
    pieces = [unit[i : i + PACKET_BYTES] for i in range(1, len(unit), PACKET_BYTES)]
    for index, piece in enumerate(pieces):
        first, last = index == 0, index == len(pieces) - 1
        yield bytes([unit[0] & 0xE0 | 28, first << 7 | last << 6 | unit[0] & 31]) + piece, last


def _pieces(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """A picture of MPEG-4 as payloads of packets."""
    for i in range(0, len(data), PACKET_BYTES):
        yield data[i : i + PACKET_BYTES], i + PACKET_BYTES >= len(data)


def _report(source: int, seconds: float, stamp: int) -> bytes:
    """A sender report: which time of the camera's clock a timestamp is."""
    whole = int(seconds)
    return struct.pack(
        "!BBHIIIIII", 0x80, 200, 6, source, whole + NTP_TO_UNIX, int((seconds - whole) * 2**32), stamp, 0, 0
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - the protocol's


class Server:
    """A server in a process of its own.

    Attributes:
        answered: requests by method and status, such as ``DESCRIBE 401``.
    """

    def __init__(self, **options: Any) -> None:
        self.options = Options(**options)
        self.answered: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._start()

    def url(self, user: str = "", password: str = "") -> str:
        """Its address, with a user if one is named."""
        who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        return f"rtsp://{who}127.0.0.1:{self.options.port}/cam"

    def kill(self) -> None:
        """Break all connections, and be gone."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def freeze(self) -> None:
        """Keep all connections, and say nothing any more."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self._process.send_signal(signal.SIGCONT)

    def restart(self, **options: Any) -> None:
        """Come back at the same port, perhaps with other options."""
        self.options = Options(**{**vars(self.options), **options})
        self._start()

    def wait_for(self, answer: str, times: int) -> None:
        """Until it has answered so, so often."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.answered[answer] >= times, 60), self.answered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _start(self) -> None:
        o = self.options
        command = [
            sys.executable, "-m", __name__, f"--port={o.port}", f"--size={o.size[0]}x{o.size[1]}",
            f"--rate={o.rate}", f"--user={o.user}", f"--password={o.password}", f"--auth={o.auth}",
            f"--codec={o.codec}", *(["--clock"] if o.clock else []),
            *(["--interlaced"] if o.interlaced else []),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        assert self._process.stdout is not None
        ready, port = self._process.stdout.readline().split()
        assert ready == "READY"
        self.options = Options(**{**vars(o), "port": int(port)})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as told:
            for line in told:
                with self._changed:
                    self.answered[line.strip()] += 1
                    self._changed.notify_all()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))), default=(64, 48))
    parser.add_argument("--rate", type=int, default=25)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--auth", choices=("digest", "basic"), default="digest")
    parser.add_argument("--codec", choices=("h264", "mpeg4"), default="h264")
    parser.add_argument("--clock", action="store_true")
    parser.add_argument("--interlaced", action="store_true")
    options = Options(**vars(parser.parse_args()))
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        sys.stdout.write(f"READY {listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            Client(listener.accept()[0], options).start()


if __name__ == "__main__":
    main()
