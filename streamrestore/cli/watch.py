"""``streamrestore watch``: what a service publishes, in figures, and recorded."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from streamrestore.cli.interrupts import Interrupts
from streamrestore.cli.options import encode_options, job_settings
from streamrestore.cli.shared import debug_option, say
from streamrestore.errors import Interrupted, UsageError, WireError, WireTimeout
from streamrestore.render.words import plain, quantity, size

if TYPE_CHECKING:
    from rich.table import Table

    from streamrestore.transport import Received, Subscriber
    from streamrestore.watch.recording import Recorder
    from streamrestore.watch.tally import StreamView, Tally

REFRESH_SECONDS = 0.5
"""Between two looks at a terminal's table, and the longest time without a look at the clock."""

Show: TypeAlias = "Callable[[Tally, float], None]"
"""Shows how the streams are, as often as it is called."""


@click.command(short_help="Show what a service publishes, and record it.")
@click.argument("address", metavar="ADDRESS")
@click.option("--stream", "streams", multiple=True, metavar="NAME",
              help="Only this stream; may be given several times.")  # fmt: skip
@click.option("--keys", type=click.Path(path_type=Path), metavar="DIR",
              help="The folder with the keys that the service gave.")  # fmt: skip
@click.option("--record", type=click.Path(path_type=Path), metavar="PATH",
              help="Record each stream to a file in this folder, or the one --stream to a file.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout, for programs.")
@click.option("--every", type=click.FloatRange(min=0.1), default=1.0, show_default=True, metavar="SECONDS",
              help="Between two lines of a stream.")  # fmt: skip
@encode_options
@debug_option
def command(
    address: str,
    streams: tuple[str, ...],
    keys: Path | None,
    record: Path | None,
    as_json: bool,
    every: float,
    **chosen: Any,
) -> int:
    """Show what 'streamrestore live' publishes at ADDRESS, such as tcp://127.0.0.1:5555, until Ctrl-C.

    For each stream: frames per second, latency from the service's decoder to here, frames that the service
    dropped, messages that were lost on the way, the weather, and what is done about it. On a terminal it is a
    table; elsewhere, lines.
    """
    settings = job_settings(None, chosen).encode
    from streamrestore.transport import subscribe

    recorder = None if record is None else _recorder(record, streams, settings)
    subscriber = subscribe(address, keys=keys, streams=streams or None, timeout=REFRESH_SECONDS)
    with Interrupts(on_ask=subscriber.close, left="") as interrupts, subscriber:
        try:
            with _shown(as_json=as_json, every=every) as (show, tell):
                _watch(subscriber, recorder, show, tell)
        finally:
            if recorder is not None:
                _finish(recorder, as_json=as_json)
    return Interrupted.exit_code if interrupts.by == signal.SIGINT else 0


def _recorder(place: Path, streams: tuple[str, ...], settings: Any) -> Recorder:
    from streamrestore.watch.recording import Recorder, is_file, names_for

    name = names_for(place)
    if is_file(place) and len(streams) != 1:
        raise UsageError(
            f"--record {place}: a file holds one stream; name it with --stream, or give a folder"
        )
    return Recorder(name, settings)


def _watch(
    subscriber: Subscriber, recorder: Recorder | None, show: Show, tell: Callable[[Received], None]
) -> None:
    """Count, record and show what comes, until the subscriber is closed."""
    from streamrestore.watch.tally import Tally

    tally, wrong = Tally(), 0
    while True:
        try:
            item = next(subscriber)
        except StopIteration:
            break
        except WireTimeout:
            show(tally, time.monotonic())
            continue
        except WireError as error:
            wrong += 1
            if wrong == 1:  # others are told of at the end
                say(str(error))
            continue
        tally.take(item, time.monotonic())
        if item.kind != "frame":
            tell(item)
        elif recorder is not None:
            recorder.take(item)
        show(tally, time.monotonic())
    if wrong > 1:
        say(f"{wrong} messages could not be understood")


def _finish(recorder: Recorder, *, as_json: bool) -> None:
    for report in recorder.finish():
        if as_json:
            _json({"event": "recorded", "path": report.path, "frames": report.frames, "bytes": report.bytes,
                   "notes": report.notes})  # fmt: skip
            continue
        say(f"{report.path}: {quantity(report.frames, 'frame')} of {report.codec}, {size(report.bytes)}")
        for note in report.notes:
            say(f"  note: {note}")


@contextlib.contextmanager
def _shown(*, as_json: bool, every: float) -> Iterator[tuple[Show, Callable[[Received], None]]]:
    """How the streams, and news of them, are shown."""
    if as_json:
        yield _Paced(_json_views, every), _json_event
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    if not console.is_terminal:
        yield _Paced(_lines, every), _event
        return
    with Live(console=console, auto_refresh=False) as live:

        def show(tally: Tally, now: float) -> None:
            live.update(_table(tally, now), refresh=True)

        def tell(item: Received) -> None:
            console.print(plain(_news(item)), markup=False)

        yield _Paced(show, REFRESH_SECONDS), tell


class _Paced:
    """Shows only now and then, the first time after one pause."""

    def __init__(self, show: Show, every: float) -> None:
        self._show, self._every = show, every
        self._next = time.monotonic() + every

    def __call__(self, tally: Tally, now: float) -> None:
        if now >= self._next:
            self._next = max(self._next + self._every, now)
            self._show(tally, now)


def _table(tally: Tally, now: float) -> Table:
    from rich.table import Table

    table = Table(caption=plain(tally.connection), caption_justify="left")
    for heading in ("stream", "state", "size"):
        table.add_column(heading)
    for heading in ("fps", "latency ms", "dropped", "lost"):
        table.add_column(heading, justify="right")
    for heading in ("weather", "restored"):
        table.add_column(heading)
    for view in tally.view(now):
        from rich.text import Text

        cells = (
            view.stream, view.state.replace("_", " "), _size(view), f"{view.fps:.1f}", _latency(view),
            str(view.drops), str(view.lost + view.missing), _weather(view), _done(view),
        )  # fmt: skip
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _lines(tally: Tally, now: float) -> None:
    views = tally.view(now)
    for view in views:
        latency = f"latency {_latency(view)} ms (p50 / p95 / p99)" if view.latency_ms else ""
        parts = (
            f"{view.fps:.1f} fps", _size(view), latency, f"{view.drops} dropped",
            f"{view.lost + view.missing} lost", _weather(view), _done(view),
        )  # fmt: skip
        click.echo(plain(f"{view.stream}: {', '.join(filter(None, parts))}"))
    if not views:
        click.echo(plain(f"nothing was received yet: {tally.connection}"))
    sys.stdout.flush()


def _event(item: Received) -> None:
    click.echo(plain(_news(item)))


def _news(item: Received) -> str:
    who = f"{item.stream}: " if item.stream else ""
    what = (item.state or item.kind).replace("_", " ")
    return f"{who}{what}{item.text and f': {item.text}'}"


def _json_views(tally: Tally, now: float) -> None:
    import msgspec

    at = time.time_ns()
    for view in tally.view(now):
        _json({"time": at, **msgspec.to_builtins(view)})


def _json_event(item: Received) -> None:
    _json({
        "time": item.taken_at, "event": item.kind, "stream": item.stream, "state": item.state,
        "missing": item.missing, "text": item.text,
    })  # fmt: skip


def _json(values: dict[str, Any]) -> None:
    from streamrestore.render.report_json import to_json

    sys.stdout.write(to_json(values, indent=0).decode())
    sys.stdout.flush()


def _size(view: StreamView) -> str:
    return f"{view.width}x{view.height}" if view.width else ""


def _latency(view: StreamView) -> str:
    latency = view.latency_ms
    return "" if latency is None else f"{latency.p50:.0f} / {latency.p95:.0f} / {latency.p99:.0f}"


def _weather(view: StreamView) -> str:
    """``rain 0.97, haze 0.31``: what is at all likely, the likeliest first."""
    likely = sorted(view.weathers.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {probability:.2f}" for name, probability in likely if probability >= 0.1)


def _done(view: StreamView) -> str:
    """``rain removed``, ``as it came (clean)``."""
    if not view.reason:
        return ""
    return f"{' and '.join(view.branches)} removed" if view.branches else f"as it came ({view.reason})"
