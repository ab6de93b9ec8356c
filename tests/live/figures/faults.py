"""A camera that goes away and comes back, in every way that cameras do."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streamrestore.live.engines import Engines
from tests.live.figures.parts import Audience, Figures, Holding, Make, Promise, address_of, spread
from tests.live.rtsp_server import Server
from tests.live.running import Running, running

USER, PASSWORD = "u", "p"
RETRY = {"first_seconds": 0.5, "longest_seconds": 2.0}
CONNECT_SECONDS = 5.0
STALL_SECONDS = 1.5
SESSION = {
    "connect_seconds": CONNECT_SECONDS, "stall_seconds": STALL_SECONDS, "reconnect_seconds": STALL_SECONDS,
    "retry": RETRY, "refused": RETRY,
}  # fmt: skip
START_SECONDS = 3.0
"""Of a process, for its attempt, and for one group of pictures."""
SIZE, OTHER_SIZE = (320, 180), (480, 270)
LATE_SECONDS = 0.5
"""Of a timer."""
WARM_UP = 2
"""Restarts after which everything that is made once has been made."""
GROWTH_MEGABYTES = 32.0
"""Of a process with torch, whose memory comes and goes."""


@dataclass(frozen=True)
class Fault:
    """A way to be gone.

    Attributes:
        gone: makes the camera so, and lets it come back at the end.
        detected: seconds that may pass until it is noticed.
        stuck: attempts hang, and have to be given up; the first one is waited for.
    """

    name: str
    gone: Callable[[Server, Running], contextlib.AbstractContextManager[None]]
    detected: float = 2.0
    stuck: bool = False

    @property
    def back(self) -> float:
        """Seconds from the camera's return until it is on air."""
        return CONNECT_SECONDS * self.stuck + RETRY["longest_seconds"] + START_SECONDS


@contextlib.contextmanager
def killed(camera: Server, _: Running) -> Iterator[None]:
    """Connections break, and none is accepted."""
    camera.kill()
    yield
    camera.restart()


@contextlib.contextmanager
def half_open(camera: Server, _: Running) -> Iterator[None]:
    """Connections stay, and more are accepted; nothing comes."""
    camera.freeze()
    yield
    camera.thaw()


@contextlib.contextmanager
def black_hole(camera: Server, _: Running) -> Iterator[None]:
    """Nothing that is sent there is answered, not even a request for a connection."""
    camera.kill()
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", camera.options.port))
        listener.listen(0)
        for _ in range(4):  # beyond a full queue, Linux drops what comes
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", camera.options.port))
        yield
    camera.restart()


@contextlib.contextmanager
def other_password(camera: Server, live: Running) -> Iterator[None]:
    """User and password are refused."""
    mark = len(live.at)
    camera.kill()
    camera.restart(password="another")  # noqa: S106
    live.wait_after(mark, "backing_off", times=2)  # the second one: refused
    yield
    camera.kill()
    camera.restart(password=PASSWORD)


@contextlib.contextmanager
def other_size(camera: Server, _: Running) -> Iterator[None]:
    """It comes back with another resolution."""
    camera.kill()
    yield
    camera.restart(size=OTHER_SIZE if camera.options.size == SIZE else SIZE)


@contextlib.contextmanager
def other_codec(camera: Server, _: Running) -> Iterator[None]:
    """It comes back with another codec."""
    camera.kill()
    yield
    camera.restart(codec="mpeg4" if camera.options.codec == "h264" else "h264")


KILLED = Fault("killed and restarted", killed)
OTHERS = (
    Fault("half-open: accepts, sends nothing", half_open, detected=2 * STALL_SECONDS, stuck=True),
    Fault("black hole", black_hole, stuck=True),
    Fault("wrong password", other_password),
    Fault("another resolution", other_size),
    Fault("another codec", other_codec),
)


@dataclass(frozen=True)
class Outage:
    """Seconds of one.

    Attributes:
        detected: until the service told of it.
        hung: of an attempt meanwhile, until it was given up.
        waited: from the camera's return until the attempt that found it.
        connected: of that attempt, until its first picture.
        shown: from then until the subscriber had one.
        back: from the return until then, altogether.
    """

    detected: float
    hung: float
    waited: float
    connected: float
    shown: float
    back: float


def restarts(make: Make, times: int) -> Figures:
    """A camera that is killed and comes back, again and again."""
    return _faults(f"camera killed and restarted {times} times", make, {KILLED: times})


def faults(make: Make, times: int) -> Figures:
    """Everything else that may happen to a camera."""
    return _faults(f"other faults of a camera, {times} times each", make, dict.fromkeys(OTHERS, times))


def _faults(name: str, make: Make, planned: dict[Fault, int]) -> Figures:
    outages: dict[Fault, list[Outage]] = {fault: [] for fault in planned}
    with (
        Server(size=SIZE, clock=True, user=USER, password=PASSWORD) as camera,
        running(camera.url(USER, PASSWORD), engines=Engines(make()), session=SESSION) as live,
        Audience(address_of(live)) as audience,
    ):
        audience.wait_for(lambda: bool(audience.frames))
        for _ in range(WARM_UP):
            _outage(KILLED, camera, live, audience)
        before = Holding.now()
        for fault, times in planned.items():
            outages[fault] += [_outage(fault, camera, live, audience) for _ in range(times)]
        after = Holding.now()
        stream = live.service.status.streams[0]
        live.stop()
    figures = Figures(name)
    for fault, found in outages.items():
        detected, back = (max(getattr(outage, part) for outage in found) for part in ("detected", "back"))
        figures.promises += [
            Promise(f"{fault.name}: noticed within {fault.detected:g} s", f"{detected:.1f} s",
                    detected <= fault.detected, timing=True),
            Promise(f"{fault.name}: on air within {fault.back:g} s of the camera's return",
                    f"at most {back:.1f} s", back <= fault.back, timing=True),
        ]  # fmt: skip
        if fault.stuck:
            hung = max(outage.hung for outage in found)
            figures.promises.append(
                Promise(f"{fault.name}: an attempt is given up after {CONNECT_SECONDS:g} s", f"{hung:.1f} s",
                        hung <= CONNECT_SECONDS + LATE_SECONDS, timing=True)
            )  # fmt: skip
        for part in ("detected", "waited", "connected", "shown"):
            values = [getattr(outage, part) * 1000 for outage in found]
            figures.notes.append((f"{fault.name}: {part}", spread(values)))
    figures.promises += [
        Promise("descriptors stay", f"{before.descriptors} -> {after.descriptors}",
                after.descriptors <= before.descriptors),
        Promise("threads stay", f"{before.threads} -> {after.threads}", after.threads <= before.threads),
        Promise(f"memory grows by less than {GROWTH_MEGABYTES:g} MB",
                f"{before.megabytes:.0f} -> {after.megabytes:.0f} MB",
                after.megabytes - before.megabytes < GROWTH_MEGABYTES),
    ]  # fmt: skip
    figures.notes.append(("processes that read the camera, one after the other", str(stream.source.attempts)))
    return figures


def _outage(fault: Fault, camera: Server, live: Running, audience: Audience) -> Outage:
    mark, gone = len(live.at), time.monotonic()
    with fault.gone(camera, live):
        detected = live.wait_after(mark, "stalled", "backing_off")
        given_up = live.wait_after(mark, "backing_off", times=2 if fault.stuck else 1)
        hung = given_up - live.last(mark, "connecting") if fault.stuck else 0.0
    back = time.monotonic()
    epoch = live.service.status.streams[0].source.epoch
    audience.wait_for(lambda: audience.frames[-1].epoch > epoch)
    first = next(seen for seen in audience.frames if seen.epoch > epoch)
    online = live.last(mark, "online")
    connecting = min(live.last(mark, "connecting"), online)
    return Outage(
        detected - gone, hung, max(0.0, connecting - back), online - max(connecting, back),
        max(0.0, first.at - online), first.at - back,
    )  # fmt: skip
