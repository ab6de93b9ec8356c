"""Settings of the live service; `configs/live.yaml` shows every one of them."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from streamrestore import wire
from streamrestore.decode.names import is_url, redact
from streamrestore.errors import UsageError
from streamrestore.live.lanes import SLOTS
from streamrestore.live.messages import Kind, Request
from streamrestore.live.overload import OnOverload
from streamrestore.live.session import SessionSettings
from streamrestore.settings import DEFAULT_STRENGTH, Count, PolicySettings, Positive, Settings, Strength
from streamrestore.transport.addresses import parse

Branch = Literal["auto", "none", "rain", "haze", "raindrop", "noise"]

_NETWORK = ("rtsp", "rtsps", "http", "https", "udp")
_PATIENCE = 0.8
"""Share of `connect_seconds` after which a process gives up by itself: it knows better why."""


class SourceSettings(Settings, frozen=True):
    """One source, and what is done with it. What is null is as for all streams."""

    url: str
    """rtsp://, http(s)://, udp://; tcp:// or ipc:// of another service; /dev/videoN; or a file."""
    name: str = ""
    """Of the stream that is published; cam1, cam2, ... by position if empty."""
    transport: Literal["tcp", "udp"] = "tcp"
    """How RTSP brings the pictures."""
    topic: str = ""
    """Of another service: which of its streams; may be empty if it has one."""
    keys: str | None = None
    """Of another service: the folder with the keys that it gave."""
    loop: bool = False
    """Begin a file again at its end."""
    branch: Branch | None = None
    strength: Strength | None = None
    max_latency_seconds: Positive | None = None
    on_overload: OnOverload | None = None

    def __repr__(self) -> str:
        """Without what opens doors."""
        return f"SourceSettings({self.name or '?'}: {redact(self.url)})"

    __str__ = __repr__


class StreamSettings(Settings, frozen=True):
    """What is done with all streams that do not say otherwise."""

    branch: Branch = "auto"
    """Restore everything with one branch, instead of what the weather calls for."""
    strength: Strength = DEFAULT_STRENGTH
    """0 changes nothing, 1 is as trained, up to 1.5."""
    max_latency_seconds: Positive = 1.0
    """Pictures that would be older when they are published are dropped."""
    on_overload: OnOverload = "drop"
    """When the machine cannot keep up: drop pictures, restore them faster and less well, or let them pass."""


class EngineSettings(Settings, frozen=True):
    """Which networks run, and where; the same for all streams."""

    tier: str = "fast"
    """Which networks: how good, how slow."""
    device: str = "auto"
    """Where they run: auto, cpu, cuda, cuda:1."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """What they calculate in."""
    threads: Count = 1
    """Threads of torch on the CPU."""
    batch: Count = 1
    """Streams whose pictures are restored together, as far as their latency allows."""
    policy: PolicySettings = PolicySettings()
    """From what is seen to what is done, as in settings of `streamrestore restore`."""


class PublishSettings(Settings, frozen=True):
    """Where restored frames go."""

    address: str | None = None
    """Where to listen, such as tcp://127.0.0.1:5555 or ipc:///run/streamrestore/out."""
    keys: str | None = None
    """Folder with the keys; needed to be reachable from other machines."""
    insecure: bool = False
    """Be reachable without keys."""
    pattern: Literal["pub", "push"] = "pub"
    """To whoever listens, or dealt out to workers, which the service then waits for."""


class LiveSettings(Settings, frozen=True):
    """A live service."""

    sources: tuple[SourceSettings, ...] = ()
    streams: StreamSettings = StreamSettings()
    engine: EngineSettings = EngineSettings()
    publish: PublishSettings = PublishSettings()
    session: SessionSettings = SessionSettings()


class StreamPlan(msgspec.Struct, frozen=True):
    """One stream with everything decided.

    Attributes:
        request: for its capture process.
    """

    name: str
    request: Request
    branch: Branch
    strength: float
    max_latency_seconds: float
    on_overload: OnOverload


def plan_streams(settings: LiveSettings) -> list[StreamPlan]:
    """Check the sources, and put together what each stream needs.

    Raises:
        UsageError: no source, a name twice, or a source that cannot be one.
    """
    if not settings.sources:
        raise UsageError(
            "no source is named; give one or more, such as rtsp://HOST/PATH, or --config FILE.yaml"
        )
    plans: list[StreamPlan] = []
    for position, source in enumerate(settings.sources, 1):
        name = source.name or f"cam{position}"
        wire.topic_of(name)
        if any(plan.name == name for plan in plans):
            raise UsageError(f"two sources are called {name!r}; give each a name of its own")
        common = settings.streams
        plans.append(StreamPlan(
            name=name,
            request=request_of(source, settings.session),
            branch=source.branch or common.branch,
            strength=_first(source.strength, common.strength),
            max_latency_seconds=_first(source.max_latency_seconds, common.max_latency_seconds),
            on_overload=source.on_overload or common.on_overload,
        ))  # fmt: skip
    return plans


def request_of(source: SourceSettings, session: SessionSettings) -> Request:
    """What a capture process is to read.

    Raises:
        UsageError: nothing that can be read live.
    """
    url, shown = source.url, redact(source.url)
    kind = _kind(url, shown)
    # To measure the rate of pictures, FFmpeg would let the first ones wait for a second.
    options = {"fpsprobesize": "0"} if kind == "network" else {}
    if source.topic and kind != "frames":
        raise UsageError(f"{shown}: 'topic' is for tcp:// and ipc:// only; leave it out")
    if source.keys and kind != "frames":
        raise UsageError(f"{shown}: 'keys' are for tcp:// and ipc:// only; leave them out")
    if source.loop and kind != "file":
        raise UsageError(f"{shown}: 'loop' is for files only; leave it out")
    if source.topic:
        wire.topic_of(source.topic)
    if kind == "frames":
        parse(url, bind=False)
    if url.startswith(("rtsp:", "rtsps:")):
        options |= {"rtsp_transport": source.transport, "allowed_media_types": "video"}
    elif url.startswith("udp:"):
        options |= {"overrun_nonfatal": "1", "fifo_size": "50000"}
    return Request(
        kind=kind, address=url, shown=shown, options=options, topic=source.topic, keys=source.keys or "",
        loop=source.loop, timeout=_PATIENCE * session.connect_seconds, slots=SLOTS,
    )  # fmt: skip


def _kind(url: str, shown: str) -> Kind:
    scheme = url.partition("://")[0].lower() if is_url(url) else ""
    if not scheme or scheme == "file":
        return "device" if re.fullmatch(r"/dev/video\d+", url) else "file"
    if scheme in _NETWORK:
        return "network"
    if scheme in ("tcp", "ipc"):
        return "frames"
    if scheme == "srt":
        raise UsageError(
            f"{shown}: this FFmpeg has no SRT; have it sent as rtsp:// or udp://, or convert it on the way"
        )
    raise UsageError(
        f"{shown}: no source of this kind is known; take {', '.join(f'{s}://' for s in _NETWORK)}, tcp:// or "
        "ipc:// of another service, /dev/videoN, or a file"
    )


def _first(own: float | None, common: float) -> float:
    return common if own is None else own
