"""From settings to streams: what is read, and what is done with it."""

from __future__ import annotations

import re

import msgspec

from streamrestore import wire
from streamrestore.decode.names import is_url, redact
from streamrestore.errors import UsageError
from streamrestore.live.config import Branch, Hdr, LiveSettings, SourceSettings, StreamSettings
from streamrestore.live.lanes import SLOTS
from streamrestore.live.messages import Kind, Request
from streamrestore.live.overload import OnOverload
from streamrestore.live.session import SessionSettings
from streamrestore.pipeline.mask import mask_files
from streamrestore.transport.addresses import parse

_NETWORK = ("rtsp", "rtsps", "http", "https", "udp")
_PATIENCE = 0.8
"""Share of `connect_seconds` after which a process gives up by itself: it knows better why."""


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
    hdr: Hdr = "refuse"
    mask: tuple[str, ...] = ()


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
            request=request_of(source, common, settings.session),
            branch=source.branch or common.branch,
            strength=_first(source.strength, common.strength),
            max_latency_seconds=_first(source.max_latency_seconds, common.max_latency_seconds),
            on_overload=source.on_overload or common.on_overload,
            hdr=source.hdr or common.hdr,
            mask=_mask_of(source),
        ))  # fmt: skip
    return plans


def request_of(source: SourceSettings, common: StreamSettings, session: SessionSettings) -> Request:
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
    if source.interlaced and kind == "frames":
        raise UsageError(f"{shown}: 'interlaced' is for what is decoded here; leave it out")
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
        loop=source.loop, interlaced=source.interlaced or common.interlaced,
        timeout=_PATIENCE * session.connect_seconds, slots=SLOTS,
    )  # fmt: skip


def _mask_of(source: SourceSettings) -> tuple[str, ...]:
    """What can be said before the size of the pictures is known."""
    for file in mask_files(source.mask):
        if not file.is_file():
            raise UsageError(
                f"{redact(source.url)}: mask {file}: there is no such file; take X,Y,W,H, or the name of a "
                "picture"
            )
    return source.mask


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
