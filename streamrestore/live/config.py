"""Settings of the live service; `configs/live.yaml` shows every one of them."""

from __future__ import annotations

from typing import Literal

from streamrestore.live.overload import OnOverload
from streamrestore.live.session import SessionSettings
from streamrestore.settings import DEFAULT_STRENGTH, Count, PolicySettings, Positive, Settings, Strength

Branch = Literal["auto", "none", "rain", "haze", "raindrop", "noise"]
Interlaced = Literal["auto", "keep", "bwdif"]
Hdr = Literal["refuse", "pass"]


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
    interlaced: Interlaced | None = None
    hdr: Hdr | None = None
    mask: tuple[str, ...] = ()
    """What of the picture stays as it is: ``x,y,w,h`` as displayed, or a picture that is white there."""

    def __repr__(self) -> str:
        """Without what opens doors."""
        from streamrestore.decode.names import redact  # with FFmpeg, which help does without

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
    interlaced: Interlaced = "auto"
    """Deinterlace pictures that are marked as interlaced, none, or all."""
    hdr: Hdr = "refuse"
    """HDR pictures (PQ, HLG): let them pass unrestored, or treat their codes as if they were SDR."""


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
    pixel_format: Literal["rgb24", "nv12", "jpeg"] = "rgb24"
    """How pictures are sent: ready for use, with half of the bytes, or with few bytes and some loss."""


class HttpSettings(Settings, frozen=True):
    """Where it can be looked at: health, metrics and a page."""

    address: str | None = None
    """Where to listen, such as 127.0.0.1:8080."""
    token_file: str | None = None
    """File with the word that whoever asks must know; needed to be reachable from other machines."""


class LiveSettings(Settings, frozen=True):
    """A live service."""

    sources: tuple[SourceSettings, ...] = ()
    streams: StreamSettings = StreamSettings()
    engine: EngineSettings = EngineSettings()
    publish: PublishSettings = PublishSettings()
    http: HttpSettings = HttpSettings()
    session: SessionSettings = SessionSettings()
    log: Literal["text", "json"] = "text"
    """Lines on stderr, for people or for machines."""
