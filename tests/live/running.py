"""A live service that runs beside the test, and what it told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from streamrestore.errors import StreamRestoreError
from streamrestore.live.config import LiveSettings
from streamrestore.live.engines import Engines
from streamrestore.live.lanes import Notice
from streamrestore.live.publishing import open_publisher
from streamrestore.live.service import LiveService
from streamrestore.settings import read_settings
from tests.live.engines import told_engines

LIMIT = 60.0
"""Seconds after which a test is given up."""


class Running:
    """See `running`.

    Attributes:
        told: (stream, notice) in the order in which they were told.
        at: when each of them was told, in monotonic seconds.
        error: what the service ended with.
    """

    def __init__(self, settings: LiveSettings, engines: Engines, **more: Any) -> None:
        self._changed = threading.Condition()
        self.told: list[tuple[str, Notice]] = []
        self.at: list[float] = []
        self.error: StreamRestoreError | None = None
        self.service = LiveService(settings, engines, open_publisher(settings), tell=self._hear, **more)
        self._thread = threading.Thread(target=self._run, name="service")
        self._thread.start()

    def wait_for(self, state: str, stream: str = "cam1", *, times: int = 1) -> Notice:
        """The notice with which a stream came into a state for the nth time."""

        def found() -> list[Notice]:
            return [n for s, n in self.told if s == stream and state in (n.state, n.kind)]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= times, LIMIT), self.told
            return found()[times - 1]

    def wait_after(self, mark: int, *states: str, times: int = 1) -> float:
        """When a stream came into one of these states, for the nth time after so many notices."""

        def found() -> list[float]:
            return [at for at, (_, notice) in self._after(mark) if notice.state in states]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= times, LIMIT), self.told[mark:]
            return found()[times - 1]

    def last(self, mark: int, state: str) -> float:
        """When a stream last came into a state, after so many notices."""
        with self._changed:
            return max(at for at, (_, notice) in self._after(mark) if notice.state == state)

    def _after(self, mark: int) -> list[tuple[float, tuple[str, Notice]]]:
        return [*zip(self.at[mark:], self.told[mark:], strict=True)]

    def states(self, stream: str = "cam1") -> list[str]:
        """All states so far."""
        with self._changed:
            return [notice.state or notice.kind for name, notice in self.told if name == stream]

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        """Have it end, and wait for that."""
        self.service.stop()
        self.join()

    def _hear(self, stream: str, notice: Notice) -> None:
        with self._changed:
            self.told.append((stream, notice))
            self.at.append(time.monotonic())
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self.service.run()
        except StreamRestoreError as error:
            self.error = error


def settings_of(
    *sources: dict[str, Any] | str, session: dict[str, Any] | None = None, **more: Any
) -> LiveSettings:
    """Settings of sources, by address alone or with all their keys, published on this machine.

    On a busy machine, a process may need long until its first picture.
    """
    listed = [{"url": source} if isinstance(source, str) else source for source in sources]
    patient = {"connect_seconds": LIMIT, **(session or {})}
    return read_settings(
        LiveSettings,
        {"sources": listed, "publish": {"address": "tcp://127.0.0.1:*"}, "session": patient, **more},
    )


@contextlib.contextmanager
def running(*sources: dict[str, Any] | str, engines: Engines | None = None, **more: Any) -> Iterator[Running]:
    """A service that reads these sources, as `settings_of` takes them."""
    own = {name: more.pop(name) for name in ("start", "outlets") if name in more}
    service = Running(settings_of(*sources, **more), engines or told_engines(), **own)
    try:
        yield service
    finally:
        service.stop()
