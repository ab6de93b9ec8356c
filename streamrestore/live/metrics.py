"""The service's state in the words of Prometheus. Needs prometheus-client (the extra ``web``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from streamrestore import __version__
from streamrestore.live.overload import Level
from streamrestore.live.preview import Previews
from streamrestore.live.service import ServiceStatus, StreamStatus
from streamrestore.live.session import State
from streamrestore.live.worker import LATENCY_BOUNDS

_PREFIX = "streamrestore_"


class ServiceCollector(Collector):
    """Reads the service's status at each scrape; nothing is counted twice.

    Counters of a stream begin at 0 when it is begun anew after a change of its settings.
    """

    def __init__(self, status: Callable[[], ServiceStatus], previews: Previews) -> None:
        self._status, self._previews = status, previews

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        status = self._status()
        yield InfoMetricFamily("streamrestore", "Version of the service.", {"version": __version__})
        yield _gauge("uptime_seconds", "Since the service began.", [((), status.now - status.started)])
        for make in (_frames, _latency, _sources, _load):
            yield from make(status)
        yield _counter(
            "preview_pictures",
            "Pairs of pictures that were encoded for those who look.",
            [((name,), count) for name, count in dict(self._previews.encoded).items()],
            "stream",
        )
        yield _counter("preview_failures", "Pictures that could not be shown.", [((), self._previews.failed)])


def registry_of(status: Callable[[], ServiceStatus], previews: Previews) -> CollectorRegistry:
    """What exposition formats are made of."""
    registry = CollectorRegistry()
    registry.register(ServiceCollector(status, previews))
    return registry


def _frames(status: ServiceStatus) -> Iterator[Metric]:
    streams = status.streams
    yield _counter(
        "frames_in",
        "Decoded pictures, whatever became of them.",
        [((stream.name,), stream.counts.arrived) for stream in streams],
        "stream",
    )
    yield _counter(
        "frames_out",
        "Pictures that came through.",
        [((stream.name,), stream.load.finished.total()) for stream in streams],
        "stream",
    )
    yield _counter(
        "frames_dropped",
        "Pictures that were dropped: no memory was free to decode into (no_slot), newer ones came (crowded), "
        "they would have been too old (late), or subscribers were too slow (unpublished).",
        [((stream.name, reason), count) for stream in streams for reason, count in _drops(stream)],
        "stream", "reason",
    )  # fmt: skip
    yield _counter(
        "decisions",
        "Pictures that came through, by what was done with them: a branch, or none.",
        [((s.name, branch), count) for s in streams for branch, count in sorted(s.load.finished.items())],
        "stream", "branch",
    )  # fmt: skip


def _drops(stream: StreamStatus) -> list[tuple[str, int]]:
    counts = stream.counts
    unpublished = 0 if stream.published is None else stream.published.dropped
    return [
        ("no_slot", counts.skipped),
        ("crowded", counts.crowded),
        ("late", counts.late),
        ("unpublished", unpublished),
    ]


def _latency(status: ServiceStatus) -> Iterator[Metric]:
    metric = HistogramMetricFamily(
        f"{_PREFIX}latency_seconds", "From a picture's decoding to its publication.", labels=["stream"]
    )
    for stream in status.streams:
        buckets, total = [], 0
        bounds = (*map(str, LATENCY_BOUNDS), "+Inf")
        for bound, count in zip(bounds, stream.load.latency_counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        metric.add_metric([stream.name], buckets, stream.load.latency_seconds)
    yield metric


def _sources(status: ServiceStatus) -> Iterator[Metric]:
    streams = status.streams
    yield _gauge(
        "state",
        "1 for the state that a source is in, 0 for the others.",
        [((s.name, state), float(s.source.state == state)) for s in streams for state in get_args(State)],
        "stream", "state",
    )  # fmt: skip
    yield _counter(
        "reconnects",
        "Connections that gave pictures, after the first one.",
        [((stream.name,), max(0, stream.source.connections - 1)) for stream in streams],
        "stream",
    )
    yield _counter(
        "connect_attempts",
        "Processes that were started to read a source.",
        [((stream.name,), stream.source.attempts) for stream in streams],
        "stream",
    )
    yield _gauge(
        "last_frame_age_seconds",
        "Since the last picture came in.",
        [
            ((stream.name,), status.now - stream.source.last_picture)
            for stream in streams
            if stream.source.last_picture is not None
        ],
        "stream",
    )


def _load(status: ServiceStatus) -> Iterator[Metric]:
    streams = status.streams
    yield _gauge(
        "queue_depth",
        "What waits for the networks (work), and for the socket (publish).",
        [((stream.name, "work"), stream.waiting) for stream in streams]
        + [((s.name, "publish"), s.published.waiting) for s in streams if s.published is not None],
        "stream", "queue",
    )  # fmt: skip
    yield _counter(
        "stage_seconds",
        "Time spent on receiving and decoding (decode; of the processor, in the source's own process), on "
        "looking at the weather (route), on restoring, and on output.",
        [((s.name, stage), spent) for s in streams for stage, spent in s.stage_seconds.items()],
        "stream", "stage",
    )  # fmt: skip
    yield _gauge(
        "overload",
        "1 for how a stream is treated: full is as asked for, the others because the machine cannot keep up.",
        [((s.name, level), float(s.level == level)) for s in streams for level in get_args(Level)],
        "stream", "level",
    )  # fmt: skip


_Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of labels, and the number."""


def _counter(name: str, help: str, samples: _Samples, *labels: str) -> Metric:
    metric = CounterMetricFamily(_PREFIX + name, help, labels=labels)
    for values, number in samples:
        metric.add_metric(values, number)
    return metric


def _gauge(name: str, help: str, samples: _Samples, *labels: str) -> Metric:
    metric = GaugeMetricFamily(_PREFIX + name, help, labels=labels)
    for values, number in samples:
        metric.add_metric(values, number)
    return metric
