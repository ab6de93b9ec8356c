"""How fast, how late, and how fair: cameras of our own, the service, and who watches it, all at once."""

from __future__ import annotations

import time
from typing import Any

from streamrestore.live.engines import Engines
from streamrestore.live.service import StreamStatus
from streamrestore.watch.tally import percentile
from tests.live.figures.faults import GROWTH_MEGABYTES
from tests.live.figures.parts import (
    Audience,
    Figures,
    Holding,
    Make,
    Promise,
    Slowed,
    accounts,
    address_of,
    balanced,
    spread,
)
from tests.live.rtsp_server import Server
from tests.live.running import Running, running

RATE = 25
MAX_LATENCY_SECONDS = 0.5
"""Of what is too slow."""
UNFAIR = 0.10
"""Of the mean."""
SETTLE_SECONDS = 3.0


def overload(make: Make, seconds: float, size: tuple[int, int] = (640, 360)) -> Figures:
    """A camera at 25 pictures per second, and a restorer that does a quarter of them."""
    with (
        Server(size=size, rate=RATE, clock=True) as camera,
        running(
            {"url": camera.url(), "max_latency_seconds": MAX_LATENCY_SECONDS},
            engines=Engines(Slowed(make(), 4 / RATE)),
        ) as live,
        Audience(address_of(live)) as audience,
    ):
        audience.wait_for(lambda: bool(audience.frames))
        time.sleep(min(SETTLE_SECONDS, seconds))
        before, begun = Holding.now(), time.monotonic()
        time.sleep(seconds)
        after = Holding.now()
        live.stop()
        stream = live.service.status.streams[0]
        audience.settle(stream.published.published if stream.published else 0)
        frames = [seen for seen in audience.frames if seen.at >= begun]  # a connection begins with old ones
    ages = sorted(float(seen.age_ms) for seen in frames if seen.age_ms is not None)
    limit = (MAX_LATENCY_SECONDS + 1 / RATE) * 1000
    worst = percentile(ages, 99) if ages else float("inf")
    return Figures(f"restorer 4 x too slow for {size[0]}x{size[1]} at {RATE} fps", [
        Promise(f"age at the subscriber, by the clock in the picture: p99 at most the bound and one picture, "
                f"{limit:.0f} ms", f"{worst:.0f} ms", worst <= limit, timing=True),
        Promise("the clock can be read in every frame, after restoration", f"{len(ages)} of {len(frames)}",
                len(ages) == len(frames) > 0),
        Promise(f"memory grows by less than {GROWTH_MEGABYTES:g} MB",
                f"{before.megabytes:.0f} -> {after.megabytes:.0f} MB",
                after.megabytes - before.megabytes < GROWTH_MEGABYTES),
        *accounts(stream, audience),
    ], [("age", spread(ages))])  # fmt: skip


def fairness(make: Make, seconds: float, streams: int = 8, size: tuple[int, int] = (640, 360)) -> Figures:
    """Many streams at 5 pictures per second, twice as much as the restorer can do."""
    slow = Slowed(make(), 2 / (5 * streams))
    counts, shares, statuses = _many(Engines(slow), seconds, streams, size)
    mean, frames = sum(shares.values()) / streams, sum(counts.values())
    off = max(abs(share - mean) for share in shares.values())
    # In a short run the picture at work when it ends is more than a tenth.
    allowed = max(UNFAIR * mean, sum(shares.values()) / max(frames, 1))
    return Figures(f"{streams} streams of {size[0]}x{size[1]} at 5 fps, restorer 2 x too slow", [
        _all_live(statuses),
        Promise(f"each gets the same time, within {UNFAIR:.0%} or one picture",
                f"{mean:.2f} s, at most {off:.2f} s off", mean > 0 and off <= allowed, timing=True),
        _in_and_out(statuses),
    ], [("frames of each", ", ".join(str(counts[name]) for name in shares))])  # fmt: skip


def eight(make: Make, seconds: float, streams: int = 8, size: tuple[int, int] = (640, 360)) -> Figures:
    """Many streams at 5 pictures per second, as fast as this machine is."""
    counts, shares, statuses = _many(Engines(make()), seconds, streams, size)
    mean = sum(counts.values()) / streams
    off = max(abs(counts[name] - mean) for name in shares)
    return Figures(f"{streams} streams of {size[0]}x{size[1]} at 5 fps", [
        _all_live(statuses),
        Promise(f"each gets as many frames out, within {UNFAIR:.0%} or one frame",
                f"{mean:.1f}, at most {off:.1f} off", mean > 0 and off <= max(1, UNFAIR * mean), timing=True),
        _in_and_out(statuses),
    ], [
        ("published", f"{sum(counts.values()) / seconds:.1f} of {5 * streams} fps"),
        ("dropped", str(sum(stream.counts.dropped for stream in statuses))),
    ])  # fmt: skip


def _many(
    engines: Engines, seconds: float, streams: int, size: tuple[int, int]
) -> tuple[dict[str, int], dict[str, float], list[StreamStatus]]:
    """Frames out and seconds of work of each stream in so much time, and how all were before they ended."""
    with Server(size=size, rate=5, clock=True) as camera:
        sources: list[dict[str, Any] | str] = [
            {"url": camera.url(), "name": f"cam{number + 1}"} for number in range(streams)
        ]
        with running(*sources, engines=engines) as live, Audience(address_of(live)) as audience:
            audience.wait_for(lambda: len(audience.counts()) == streams)
            time.sleep(min(SETTLE_SECONDS, seconds))
            begun, before = time.monotonic(), _spent(live)
            time.sleep(seconds)
            counts, after = audience.counts(begun), _spent(live)
            states = live.service.status.streams
            live.stop()
            ended = live.service.status.streams
    statuses = [StreamStatus(
        end.name, end.shown, state.source, state.level, end.counts, end.load, end.waiting, end.published
    ) for state, end in zip(states, ended, strict=True)]  # fmt: skip
    return counts, {name: after[name] - before[name] for name in sorted(after)}, statuses


def _all_live(statuses: list[StreamStatus]) -> Promise:
    online = sum(stream.source.state == "online" for stream in statuses)
    return Promise("all are online", f"{online} of {len(statuses)}", online == len(statuses), timing=True)


def _in_and_out(statuses: list[StreamStatus]) -> Promise:
    arrived = sum(stream.counts.arrived for stream in statuses)
    return Promise("pictures in = published + dropped, of every stream", f"{arrived} in",
                   all(map(balanced, statuses)))  # fmt: skip


def _spent(live: Running) -> dict[str, float]:
    """Seconds of work on each stream so far."""
    loads = {stream.name: stream.load for stream in live.service.status.streams}
    return {
        name: load.route_seconds + load.restore_seconds + load.output_seconds for name, load in loads.items()
    }


def real_time(make: Make, seconds: float, size: tuple[int, int], *, no_drops: bool = False) -> Figures:
    """A camera at 25 pictures per second, as fast as this machine is.

    Args:
        no_drops: it is promised that none is dropped.
    """
    with (
        Server(size=size, rate=RATE, clock=True) as camera,
        running(camera.url(), engines=Engines(make())) as live,
        Audience(address_of(live)) as audience,
    ):
        audience.wait_for(lambda: bool(audience.frames))
        time.sleep(min(SETTLE_SECONDS, seconds))
        begun, before = time.monotonic(), live.service.status.streams[0]
        time.sleep(seconds)
        passed, after = time.monotonic() - begun, live.service.status.streams[0]
        live.stop()
        stream = live.service.status.streams[0]
        audience.settle(stream.published.published if stream.published else 0)
        frames = [seen for seen in audience.frames if begun <= seen.at < begun + passed]
    drops = _drops(after) - _drops(before)
    figures = Figures(
        f"{size[0]}x{size[1]} at {RATE} fps, every picture restored", accounts(stream, audience)
    )
    if no_drops:
        figures.promises.append(Promise("no picture is dropped", f"{drops} dropped", drops == 0, timing=True))
    done = sum(after.load.finished.values()) - sum(before.load.finished.values())
    spent = {name: after.stage_seconds[name] - before.stage_seconds[name] for name in after.stage_seconds}
    figures.notes += [
        ("published", f"{len(frames) / passed:.1f} fps"),
        ("dropped", str(drops)),
        ("age", spread([float(seen.age_ms) for seen in frames if seen.age_ms is not None])),
        ("share of one core", ", ".join(f"{name} {each / passed:.0%}" for name, each in spent.items())),
        ("restoring one", f"{spent['restore'] / max(done, 1) * 1000:.0f} ms"),
    ]
    return figures


def _drops(stream: StreamStatus) -> int:
    return stream.counts.dropped + (stream.published.dropped if stream.published else 0)
