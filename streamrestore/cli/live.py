"""``streamrestore live``: cameras in, restored frames out, until somebody stops it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from streamrestore.cli.interrupts import Interrupts
from streamrestore.cli.options import setting, settings_from
from streamrestore.cli.shared import LINES, complain, debug_option, say
from streamrestore.errors import Interrupted, StreamRestoreError, UsageError
from streamrestore.live.config import LiveSettings, SourceSettings
from streamrestore.render.words import quantity

if TYPE_CHECKING:
    from streamrestore.live.http import Window
    from streamrestore.live.lanes import Notice
    from streamrestore.live.service import LiveService
    from streamrestore.publish import FramePublisher

_SOURCES = {"transport", "loop"}
"""Options for every source of the command line."""
_TROUBLE = {"stalled", "backing_off", "failed", "overload_drop", "overload_fast", "overload_half",
            "overload_bypass", "bypass_hdr", "bypass_mask"}  # fmt: skip
"""States that somebody may want to do something about."""


@click.command(short_help="Restore cameras and other live sources, and publish the frames.")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option("--config", "config_file", type=click.Path(path_type=Path), metavar="FILE.yaml",
              help="Read sources and settings from a file; options win over it.")  # fmt: skip
@setting("--publish", "publish.address", "Publish here, such as tcp://127.0.0.1:5555.", of=LiveSettings,
         metavar="ADDRESS")  # fmt: skip
@setting("--keys", "publish.keys", "Folder with the keys, so that other machines may subscribe.",
         of=LiveSettings, metavar="DIR")  # fmt: skip
@setting("--insecure", "publish.insecure", "Let other machines subscribe without keys.", of=LiveSettings)
@setting("--http", "http.address", "Page with previews, metrics and health at this address, such as "
         "127.0.0.1:8080.", of=LiveSettings, metavar="HOST:PORT")  # fmt: skip
@setting("--http-token-file", "http.token_file",
         "File with the token that whoever looks must know, so that other machines may.", of=LiveSettings,
         metavar="FILE")  # fmt: skip
@setting("--pixel-format", "publish.pixel_format",
         "How pictures are sent: ready for use, with half of the bytes, or with few bytes and some loss.",
         of=LiveSettings)  # fmt: skip
@setting("--tier", "engine.tier", "Which networks: how good, how slow.", of=LiveSettings, metavar="NAME")
@setting("--branch", "streams.branch", "Restore everything with one branch, instead of what is needed.",
         of=LiveSettings)  # fmt: skip
@setting("--strength", "streams.strength", "0 changes nothing, 1 is as trained, up to 1.5.", of=LiveSettings,
         metavar="FACTOR")  # fmt: skip
@setting("--max-latency", "streams.max_latency_seconds", "Drop pictures that would come later than this.",
         of=LiveSettings, metavar="SECONDS")  # fmt: skip
@setting("--on-overload", "streams.on_overload",
         "If the machine cannot keep up: drop pictures, restore them faster, or let them pass as they are.",
         of=LiveSettings)  # fmt: skip
@setting("--device", "engine.device", "Where networks run: auto, cpu, cuda, cuda:1.", of=LiveSettings,
         metavar="NAME")  # fmt: skip
@setting("--precision", "engine.precision", "What networks calculate in.", of=LiveSettings)
@setting("--log", "log", "Lines on stderr, for people or for machines.", of=LiveSettings)
@setting("--transport", "transport", "How RTSP brings the pictures.", of=SourceSettings)
@setting("--loop", "loop", "Begin files again at their end.", of=SourceSettings)
@debug_option
def command(sources: tuple[str, ...], config_file: Path | None, **chosen: Any) -> None:
    """Restore live sources and publish the frames over ZeroMQ (docs/wire.md), until stopped.

    A source is rtsp://, http(s):// or udp://, tcp:// or ipc:// of another streamrestore, /dev/videoN, or a
    file, which is played in real time. Each is read by a process of its own, which is replaced when it fails.

    SIGTERM and Ctrl-C finish what came in and stop; SIGHUP reads configuration and keys again.
    """
    running = _Running(sources, config_file, chosen)
    with Interrupts(on_ask=running.stop, on_hangup=running.reload, left="") as interrupts:
        running.run()
    _leave(Interrupted.exit_code if interrupts.by == signal.SIGINT else 0)


class _Running:
    """The service of this process, and what signals do to it."""

    def __init__(self, sources: tuple[str, ...], file: Path | None, chosen: dict[str, Any]) -> None:
        self._sources, self._file, self._chosen = sources, file, chosen
        self._service: LiveService | None = None
        self._stopped = self._has_keys = False

    def run(self) -> None:
        """From the first look at the settings to the last frame."""
        LINES.json = self._chosen["log"] == "json"
        settings = self._read()
        LINES.json = settings.log == "json"
        from streamrestore.live.plan import plan_streams

        plans = plan_streams(settings)
        if settings.publish.address is None and settings.http.address is None:
            raise UsageError(
                "nobody would see the frames; say where, such as --publish tcp://127.0.0.1:5555 or --http "
                "127.0.0.1:8080"
            )
        from streamrestore.live.publishing import open_publisher

        self._has_keys = settings.publish.keys is not None
        with open_publisher(settings) or contextlib.nullcontext() as publisher:
            spare = any(plan.on_overload == "fast" for plan in plans)
            self._serve(settings, publisher, _window(settings), spare=spare)

    def _serve(
        self, settings: LiveSettings, publisher: FramePublisher | None, window: Window | None, *, spare: bool
    ) -> None:
        """Load the networks, and work.

        Args:
            spare: see `load_engines`.
        """
        from streamrestore.live.engines import load_engines
        from streamrestore.live.service import LiveService

        engines = load_engines(settings.engine, spare=spare)
        outlets = () if window is None else window.outlets
        service = self._service = LiveService(settings, engines, publisher, outlets=outlets, tell=_tell)
        if service.address is not None:
            say(f"publishing at {service.address}", address=service.address)
        if self._stopped:  # before there was a service
            service.stop()
        try:
            with contextlib.nullcontext() if window is None else window.serving(lambda: service.status):
                if window is not None:
                    say(f"to be looked at under {window.address}", address=window.address)
                service.run()
        finally:
            _sum_up(service)

    def stop(self) -> None:
        """Have the service end."""
        self._stopped = True
        if self._service is not None:
            self._service.stop()

    def reload(self) -> None:
        """Read configuration and keys again; what is wrong in one of them changes nothing there."""
        if self._service is not None:
            self._try("configuration", self._reload_settings)
            self._try("keys", self._reload_keys)

    def _try(self, what: str, action: Callable[[LiveService], str], /) -> None:
        assert self._service is not None
        try:
            told = action(self._service)
        except Exception as error:  # noqa: BLE001 - the edge of a thread, which more signals come to
            complain(error, debug=not isinstance(error, StreamRestoreError))
            say(f"{what}: what was read before holds")
        else:
            if told:
                say(f"{what}: {told}")

    def _reload_settings(self, service: LiveService) -> str:
        for part in service.reload(self._read()):
            say(f"{part}: what has changed there takes effect after a restart")
        return "read again"

    def _reload_keys(self, service: LiveService) -> str:
        """Who may subscribe; nothing is told where there are no keys."""
        if service.publisher is None or not self._has_keys:
            return ""
        return f"read again; {quantity(service.publisher.reload_keys(), 'client')} may subscribe"

    def _read(self) -> LiveSettings:
        chosen = {name: value for name, value in self._chosen.items() if name not in _SOURCES}
        if self._sources:
            common = {name: self._chosen[name] for name in _SOURCES if self._chosen[name] is not None}
            chosen["sources"] = [{"url": url, **common} for url in self._sources]
        return settings_from(LiveSettings, self._file, chosen, "--config")


def _leave(status: int) -> NoReturn:
    """End at once: on a busy machine, taking torch down takes seconds, and a service has five to stop."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _window(settings: LiveSettings) -> Window | None:
    """What is seen from outside, if anything is."""
    if settings.http.address is None:
        return None
    try:
        from streamrestore.live.http import Window
    except ImportError as error:
        raise UsageError(
            f"to be looked at over HTTP, it needs {error.name}; "
            "install it with: pip install 'streamrestore[web]'"
        ) from error
    return Window(settings.http)


def _tell(stream: str, notice: Notice) -> None:
    known: dict[str, str | int] = {"stream": stream, "kind": notice.kind, "epoch": notice.epoch}
    if notice.state:
        known["state"] = notice.state
    if notice.kind == "gap":
        known["missing"] = notice.missing
    said = f"{stream}: {(notice.state or notice.kind).replace('_', ' ')}{notice.text and f': {notice.text}'}"
    say(said, level="warning" if notice.kind == "gap" or notice.state in _TROUBLE else "info", **known)


def _sum_up(service: LiveService) -> None:
    for stream in service.status.streams:
        done, counts = sum(stream.load.finished.values()), stream.counts
        say(
            f"{stream.name}: {done} of {counts.arrived} frames published, {counts.dropped} dropped",
            stream=stream.name, frames_in=counts.arrived, frames_out=done, dropped=counts.dropped,
        )  # fmt: skip
