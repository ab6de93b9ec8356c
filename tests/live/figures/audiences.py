"""Those who watch: one that stops reading, a hundred that come late, and some that should see nothing."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import zmq

from streamrestore.live.engines import Engines
from streamrestore.transport import subscribe
from streamrestore.transport.keys import new_keys
from tests.cli.process import ENVIRONMENT
from tests.live.figures.clock import read
from tests.live.figures.faults import GROWTH_MEGABYTES
from tests.live.figures.parts import (
    LIMIT,
    Audience,
    Deaf,
    Figures,
    Holding,
    Make,
    Promise,
    accounts,
    address_of,
    spread,
)
from tests.live.rtsp_server import Server
from tests.live.running import Running, running

SIZE = (640, 360)
AT_ONCE_SECONDS = 1.0
SAME = 0.05
"""Of a rate."""
SETTLE_SECONDS = 2.0


def deaf_subscriber(make: Make, seconds: float) -> Figures:
    """One subscriber has stopped reading; another one reads."""
    with (
        Server(size=SIZE, clock=True) as camera,
        running(camera.url(), engines=Engines(make())) as live,
        Audience(address_of(live)) as audience,
    ):
        audience.wait_for(lambda: bool(audience.frames))
        alone = _rate(audience, seconds / 4)
        with Deaf(address_of(live)):
            time.sleep(min(SETTLE_SECONDS * 2, seconds / 4))  # its queues are full by then
            before = Holding.now()
            rate = _rate(audience, seconds)
            after = Holding.now()
        live.stop()
        stream = live.service.status.streams[0]
        audience.settle(stream.published.published if stream.published else 0)
    return Figures(f"a subscriber stops reading for {seconds:g} s", [
        Promise("the other one loses nothing", f"{audience.lost} lost", audience.lost == 0, timing=True),
        Promise(f"its rate stays within {SAME:.0%}", f"{alone:.1f} -> {rate:.1f} fps",
                rate >= alone * (1 - SAME), timing=True),
        Promise(f"memory grows by less than {GROWTH_MEGABYTES:g} MB",
                f"{before.megabytes:.0f} -> {after.megabytes:.0f} MB",
                after.megabytes - before.megabytes < GROWTH_MEGABYTES),
        *accounts(stream, audience),
    ])  # fmt: skip


def late_joiners(make: Make, count: int) -> Figures:
    """One after the other comes, gets a frame, and goes."""
    waits: list[float] = []
    readable = 0
    with Server(size=SIZE, clock=True) as camera, running(camera.url(), engines=Engines(make())) as live:
        with Audience(address_of(live)) as early:
            early.wait_for(lambda: bool(early.frames))
        for _ in range(count):
            begun = time.monotonic()
            with subscribe(address_of(live), timeout=LIMIT) as late:
                first = next(item for item in late if item.stream)
                waits.append((time.monotonic() - begun) * 1000)
                readable += first.image is not None and read(first.image) is not None
    return Figures(f"{count} late joiners", [
        Promise("the first message of each is a frame that can be read", f"{readable} of {count}",
                readable == count),
        Promise(f"within {AT_ONCE_SECONDS:g} s of joining", f"at most {max(waits):.0f} ms",
                max(waits) <= AT_ONCE_SECONDS * 1000, timing=True),
    ], [("until the first frame", spread(waits))])  # fmt: skip


def curve(make: Make, seconds: float, connections: int) -> Figures:
    """Who has the right keys sees everything, and nobody else sees anything, however many they are."""
    with tempfile.TemporaryDirectory() as folder:
        own, foreign = Path(folder, "own"), Path(folder, "foreign")
        new_keys(own)
        new_keys(foreign)
        with _published(make, own) as live:
            address = address_of(live)
            with Audience(address, keys=own / "client") as good:
                good.wait_for(lambda: bool(good.frames))
                alone = _rate(good, seconds)
                figures = Figures("who may watch")
                for name, keys in _strangers(own, foreign).items():
                    with Audience(address, keys=keys) as stranger:
                        rate = _rate(good, seconds)
                        seen = stranger.messages
                    _hold(figures, name, f"{seen} messages", seen == 0, alone, rate)
                with _plain(address) as socket:
                    rate = _rate(good, seconds)
                    _hold(figures, "a client of plain ZeroMQ", f"{socket.poll(0)} messages",
                          socket.poll(0) == 0, alone, rate)  # fmt: skip
                begun = time.monotonic()
                told = _noise(address, connections)
                rate = good.counts(begun)["cam1"] / (time.monotonic() - begun)
                _hold(figures, f"{connections} connections of random bytes", told or "nothing leaked",
                      not told, alone, rate)  # fmt: skip
                figures.promises.insert(
                    0, Promise("the right key sees frames", f"{alone:.1f} fps", alone > 0)
                )
                figures.notes.append(("time of the random bytes", f"{time.monotonic() - begun:.0f} s"))
    return figures


def _strangers(own: Path, foreign: Path) -> dict[str, Path | None]:
    """Folders of keys that should open nothing."""
    mine, theirs = (folder / "client" for folder in (own, foreign))
    mixed = {
        name: own.parent / name.replace(" ", "-")
        for name in ("an allowed client that knows another server key", "an unknown client")
    }
    for folder, client, server in zip(mixed.values(), (mine, theirs), (theirs, mine), strict=True):
        folder.mkdir(mode=0o700)
        for path in (*client.glob("client.*"), server / "server.key"):
            (folder / path.name).write_bytes(path.read_bytes())
            (folder / path.name).chmod(0o600)
    return {**mixed, "a client without keys": None}


def _hold(figures: Figures, name: str, seen: str, none: bool, alone: float, rate: float) -> None:
    figures.promises += [
        Promise(f"{name} sees nothing", seen, none),
        Promise(f"{name}: the good one's rate stays within {SAME:.0%}", f"{alone:.1f} -> {rate:.1f} fps",
                abs(rate - alone) <= SAME * alone, timing=True),
    ]  # fmt: skip


def _noise(address: str, connections: int) -> str:
    """What was told to those who sent random bytes, in words; nothing if it was no more than a greeting."""
    command = [sys.executable, "-m", "tests.live.figures.noise", address, str(connections)]
    done = subprocess.run(command, env=ENVIRONMENT, text=True, capture_output=True, check=False)
    return done.stdout.strip() + done.stderr.strip()


@contextlib.contextmanager
def _published(make: Make, keys: Path) -> Iterator[Running]:
    with (
        Server(size=SIZE, clock=True) as camera,
        running(
            camera.url(), engines=Engines(make()), publish={"address": "tcp://127.0.0.1:*", "keys": str(keys)}
        ) as live,
    ):
        yield live


@contextlib.contextmanager
def _plain(address: str) -> Iterator[zmq.Socket[bytes]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.subscribe(b"")
    socket.connect(address)
    try:
        yield socket
    finally:
        context.destroy(linger=0)


def _rate(audience: Audience, seconds: float) -> float:
    begun = time.monotonic()
    time.sleep(seconds)
    return audience.counts(begun)["cam1"] / (time.monotonic() - begun)
