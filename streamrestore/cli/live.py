"""``streamrestore live``: cameras in, restored frames out, until somebody stops it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from streamrestore.cli.interrupts import Interrupts
from streamrestore.cli.options import setting, settings_from
from streamrestore.cli.shared import complain, debug_option, say
from streamrestore.errors import Interrupted, StreamRestoreError, UsageError
from streamrestore.live.config import LiveSettings, SourceSettings

if TYPE_CHECKING:
    from streamrestore.live.lanes import Notice
    from streamrestore.live.service import LiveService

_SOURCES = {"transport", "loop"}
"""Options for every source of the command line."""


@click.command(short_help="Restore cameras and other live sources, and publish the frames.")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option("--config", "config_file", type=click.Path(path_type=Path), metavar="FILE.yaml",
              help="Read sources and settings from a file; options win over it.")  # fmt: skip
@setting("--publish", "publish.address", "Publish here, such as tcp://127.0.0.1:5555.", of=LiveSettings,
         metavar="ADDRESS")  # fmt: skip
@setting("--keys", "publish.keys", "Folder with the keys, so that other machines may subscribe.",
         of=LiveSettings, metavar="DIR")  # fmt: skip
@setting("--insecure", "publish.insecure", "Let other machines subscribe without keys.", of=LiveSettings)
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
        self._stopped = False

    def run(self) -> None:
        """From the first look at the settings to the last frame."""
        settings = self._read()
        from streamrestore.live.plan import plan_streams

        plans = plan_streams(settings)
        if settings.publish.address is None:
            raise UsageError("nobody would see the frames; say where, such as --publish tcp://127.0.0.1:5555")
        from streamrestore.live.engines import load_engines
        from streamrestore.live.service import LiveService

        engines = load_engines(settings.engine, spare=any(plan.on_overload == "fast" for plan in plans))
        service = self._service = LiveService(settings, engines, tell=_tell)
        say(f"publishing at {service.address}")
        if self._stopped:  # before there was a service
            service.stop()
        try:
            service.run()
        finally:
            _sum_up(service)

    def stop(self) -> None:
        """Have the service end."""
        self._stopped = True
        if self._service is not None:
            self._service.stop()

    def reload(self) -> None:
        """Read configuration and keys again; what is wrong in them changes nothing."""
        if self._service is None:
            return
        try:
            for part in self._service.reload(self._read()):
                say(f"{part}: what has changed there takes effect after a restart")
            if self._service.publisher is not None:
                self._service.publisher.reload_keys()
        except Exception as error:  # noqa: BLE001 - the edge of a thread, which more signals come to
            complain(error, debug=not isinstance(error, StreamRestoreError))
            say("what was read before holds")
        else:
            say("configuration and keys were read again")

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


def _tell(stream: str, notice: Notice) -> None:
    say(f"{stream}: {(notice.state or notice.kind).replace('_', ' ')}{notice.text and f': {notice.text}'}")


def _sum_up(service: LiveService) -> None:
    for stream in service.status.streams:
        done, counts = sum(stream.load.finished.values()), stream.counts
        say(f"{stream.name}: {done} of {counts.arrived} frames published, {counts.dropped} dropped")
