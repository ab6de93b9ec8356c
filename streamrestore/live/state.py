"""The service's state as the page and other programs read it: JSON, everything in words and seconds."""

from __future__ import annotations

from statistics import median

import msgspec

from streamrestore.live.overload import WORDS, Level
from streamrestore.live.service import ServiceStatus, StreamStatus
from streamrestore.live.session import State
from streamrestore.live.timeline import Moment, Timelines


class Latency(msgspec.Struct, frozen=True):
    """Seconds from decoding to publication of the last pictures."""

    median: float
    p95: float
    most: float


class StreamState(msgspec.Struct, frozen=True):
    """One stream.

    Attributes:
        source: what is read, without user and password.
        seconds: in this state.
        text: why, for people.
        format: codec, size and rate of the pictures; empty as long as none came.
        level, level_text: how it is treated; anything but ``full`` because the machine cannot keep up.
        frames_in, frames_out, dropped: pictures since it was begun.
        rate_in: pictures per second that came in over the last seconds.
        waiting: for the networks.
        stage_seconds: spent since it was begun, by stage: ``decode`` (of the processor, in the source's own
            process), ``route``, ``restore`` and ``output``.
        latency: null as long as nothing came through.
        branch, reason, strength: of the last decision; branch is null before the first.
        moments: what the timeline shows, see `timeline.Moment`.
    """

    name: str
    source: str
    state: State
    seconds: float
    text: str
    format: str
    level: Level
    level_text: str
    frames_in: int
    frames_out: int
    dropped: int
    rate_in: float
    waiting: int
    stage_seconds: dict[str, float]
    reconnects: int
    latency: Latency | None
    branch: str | None
    reason: str
    strength: float
    moments: list[Moment]


class ServiceState(msgspec.Struct, frozen=True):
    """Everything that is told at one moment.

    Attributes:
        now: seconds since 1970, as `Moment.at`.
        uptime: in seconds.
    """

    now: float
    uptime: float
    streams: list[StreamState]


def told(status: ServiceStatus, timelines: Timelines, after: float) -> ServiceState:
    """What there is to tell.

    Args:
        after: moments that began later than this, in seconds since 1970.
    """
    return ServiceState(
        timelines.now(),
        status.now - status.started,
        [_stream(stream, status.now, timelines.since(stream.name, after)) for stream in status.streams],
    )


def _stream(stream: StreamStatus, now: float, moments: list[Moment]) -> StreamState:
    source, counts, load, decision = stream.source, stream.counts, stream.load, stream.load.decision
    return StreamState(
        name=stream.name,
        source=stream.shown,
        state=source.state,
        seconds=max(0.0, now - source.since),
        text=source.text,
        format="" if source.shape is None else str(source.shape),
        level=stream.level,
        level_text=WORDS[stream.level],
        frames_in=counts.arrived,
        frames_out=load.finished.total(),
        dropped=counts.dropped + (0 if stream.published is None else stream.published.dropped),
        rate_in=load.rate,
        waiting=stream.waiting,
        stage_seconds=stream.stage_seconds,
        reconnects=max(0, source.connections - 1),
        latency=_latency(list(load.latencies)),
        branch=None if decision is None else "none" if decision.bypass else decision.label,
        reason="" if decision is None else decision.reason,
        strength=0.0 if decision is None else decision.strength,
        moments=moments,
    )


def _latency(seconds: list[float]) -> Latency | None:
    if not seconds:
        return None
    ranked = sorted(seconds)
    return Latency(median(ranked), ranked[int(0.95 * (len(ranked) - 1))], ranked[-1])
