"""The life of a capture process: it reads one source, once, and tells the service what it meets.

    python -m streamrestore.live.capture CHANNEL MEMORY

Both are descriptors that it inherits. A look-up that blocks, a server that hangs, a decoder that crashes:
all of it happens here, and the service replaces the process. It ends with the service, whatever becomes of
that: the end of the channel says so.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from urllib.parse import unquote, urlsplit

from streamrestore.decode.names import HIDDEN, redact_text
from streamrestore.errors import (
    InputError,
    InputRefused,
    NoVideo,
    SessionError,
    StreamRestoreError,
    UnsupportedVideo,
    UsageError,
    WireError,
)
from streamrestore.live import messages
from streamrestore.live.channel import Channel
from streamrestore.live.inputs import READERS, Stream, Taken
from streamrestore.live.messages import Message, Over, Picture, Request, Shape
from streamrestore.live.session import Cause
from streamrestore.live.slots import SlotWriter

GRACE_SECONDS = 0.5
"""How long a process may take to say goodbye to its server once it is not wanted any more."""


class Capture:
    """Reads a source to its end, and tells of it.

    Args:
        channel: to the service.
        slots: for the pictures.
    """

    def __init__(self, request: Request, channel: Channel, slots: SlotWriter) -> None:
        self._request, self._channel, self._slots = request, channel, slots
        self._stopping = threading.Event()
        self._shape: Shape | None = None
        self._skipped = 0
        self._told = False
        self._spent = time.process_time()

    def run(self) -> None:
        """Read; the last thing told is why it is over."""
        threading.Thread(target=self._listen, name="service", daemon=True).start()
        try:
            self._read(READERS[self._request.kind](self._request, self._stopping))
            over = Over("ended", "it was played to its end")
        except StreamRestoreError as error:
            over = Over(_cause(error, self._request, pictures=self._told), str(error))
        except Exception as error:  # noqa: BLE001 - the edge of a process; it is reported
            over = Over("crashed", f"its process broke: {type(error).__name__}: {error}")
        self._tell(Over(over.cause, without_secrets(over.text, self._request.address)))

    def _read(self, stream: Stream) -> None:
        try:
            for item in stream:
                if isinstance(item, Taken):
                    self._pass_on(item)
                else:
                    self._tell(item)
                if self._stopping.is_set():
                    return
        finally:
            stream.close()

    def _pass_on(self, taken: Taken) -> None:
        now = time.monotonic()
        arrived = now if taken.arrived is None else taken.arrived
        received_at = time.time_ns() - round((now - arrived) * 1e9)
        frame = taken.batch.frames[0]
        shape = Shape.of(taken.batch, taken.codec, taken.rate, deinterlaced=taken.deinterlaced)
        if shape != self._shape:
            self._shape = shape
            self._tell(shape)
        place = self._slots.put(frame.planes)
        if place is None:
            self._skipped += 1
            return
        picture = Picture(
            place=place,
            pts=frame.pts,
            duration=frame.duration,
            arrived=arrived,
            received_at=received_at,
            captured_at=taken.captured_at,
            key=frame.key,
            corrupt=frame.corrupt,
            skipped=self._skipped,
            decode_seconds=self._decode_seconds(),
        )
        self._told, self._skipped = True, 0
        self._tell(picture)

    def _decode_seconds(self) -> float:
        """What all threads of this process have worked since it was last asked."""
        before, self._spent = self._spent, time.process_time()
        return self._spent - before

    def _tell(self, message: Message) -> None:
        try:
            self._channel.send(messages.encode(message))
        except OSError:  # the service is not interested any more
            self._stopping.set()

    def _listen(self) -> None:
        """Take back slots; without a service, end."""
        try:
            while True:
                for place in self._channel.receive():
                    self._slots.free(int.from_bytes(place, "little"))
        except (EOFError, OSError):
            self._stopping.set()
        time.sleep(GRACE_SECONDS)
        os._exit(0)


def without_secrets(text: str, address: str) -> str:
    """A text of any library, in which no URL shows its user, and the password of `address` shows nowhere."""
    text = redact_text(text)
    try:
        password = urlsplit(address).password
    except ValueError:
        password = None
    for secret in {password, unquote(password)} if password else ():
        text = text.replace(secret, HIDDEN)
    return text


def _cause(error: StreamRestoreError, request: Request, *, pictures: bool) -> Cause:
    """Whether it makes sense to try again, and when."""
    if isinstance(error, InputRefused):
        return "refused"
    if isinstance(error, UsageError | UnsupportedVideo | SessionError):
        return "unusable"
    if request.kind == "file" and isinstance(error, InputError):
        return "unusable"
    if isinstance(error, NoVideo | InputError | WireError):
        return "lost" if pictures else "unreachable"
    return "crashed"


def main(channel: int, memory: int) -> None:
    """Serve the service at the other end of the channel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the service's affair
    service = Channel.inherited(channel)
    begun: list[bytes] = []
    while not begun:
        try:
            begun = service.receive()
        except EOFError:
            return
    request = messages.decode_request(begun[0])
    Capture(request, service, SlotWriter(memory, request.slots)).run()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
