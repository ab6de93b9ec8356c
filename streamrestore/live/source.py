"""One source: its session, and the process that reads it at present, replaced when it fails."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from streamrestore.errors import SessionError
from streamrestore.live import session as machine
from streamrestore.live.lanes import Arrived, Item, Notice
from streamrestore.live.messages import Gap, Message, Over, Picture, Renewed, Request, Shape
from streamrestore.live.process import CaptureProcess, Reading
from streamrestore.live.session import NEVER, Cause, Session, SessionSettings, State, Step

KILL_SECONDS = 1.0
"""How long a process that is not wanted any more may take to end by itself."""


class Epochs:
    """Numbers that no start or reconnect had before, also not before a restart of the service."""

    def __init__(self, now: Callable[[], int] = time.time_ns) -> None:
        self._now, self._last = now, 0

    def next(self) -> int:
        """Another one: milliseconds since 1970, where they have gone on."""
        self._last = max(self._last + 1, self._now() // 1_000_000)
        return self._last


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How a source is doing.

    Attributes:
        since: monotonic seconds when it came into this state.
        text: why, for people.
        connections: that gave pictures, so far.
        attempts: processes that were started, so far.
        last_picture: monotonic seconds.
    """

    state: State
    since: float
    text: str
    shape: Shape | None
    epoch: int
    connections: int
    attempts: int
    last_picture: float | None


class Source:
    """Keeps one source open. Everything happens in the thread that calls `begin`, `hear`, `tick` and `stop`.

    Args:
        request: what is read.
        put: takes pictures and notices, in order.
        start: makes what reads it.
        chance: 0 to 1, for the jitter of waiting times.
    """

    def __init__(
        self,
        request: Request,
        settings: SessionSettings,
        put: Callable[[Item], None],
        epochs: Epochs,
        *,
        start: Callable[[Request], Reading] = CaptureProcess,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.request = request
        self._settings, self._put, self._epochs = settings, put, epochs
        self._start, self._chance = start, chance
        self._session: Session | None = None
        self._reading: Reading | None = None
        self._leaving: list[tuple[Reading, float]] = []
        self._shape: Shape | None = None
        self._before: Shape | None = None
        """That of the last connection."""
        self._epoch = epochs.next()
        self._connections = self._attempts = 0
        self._last_picture: float | None = None

    @property
    def reading(self) -> Reading | None:
        """What to wait for; None between two attempts."""
        return self._reading

    @property
    def deadline(self) -> float:
        """When to `tick`."""
        kills = min((deadline for _, deadline in self._leaving), default=NEVER)
        return min(kills, NEVER if self._session is None else self._session.deadline)

    @property
    def final(self) -> bool:
        """True if nothing more will come of it."""
        return self._session is not None and self._session.final

    @property
    def gone(self) -> bool:
        """True if no process is left of it."""
        return self._reading is None and not self._leaving

    @property
    def status(self) -> SourceStatus:
        """How it is doing."""
        session = self._session or Session("connecting", 0.0)
        return SourceStatus(
            session.state, session.since, session.text, self._shape, self._epoch, self._connections,
            self._attempts, self._last_picture,
        )  # fmt: skip

    def begin(self, now: float) -> None:
        """Make the first attempt."""
        self._take(machine.begin(self._settings, now), now)

    def hear(self, now: float) -> None:
        """Take what its process tells."""
        reading = self._reading
        assert reading is not None
        try:
            told = reading.receive()
        except EOFError:
            self._lost("crashed", f"its process ended unexpectedly ({reading.how()})", now)
            return
        except SessionError as error:
            reading.kill()
            self._lost("crashed", str(error), now)
            return
        for message in told:
            if self._reading is reading:
                self._understand(message, reading, now)

    def tick(self, now: float) -> None:
        """Time has passed."""
        self._bury(now)
        if self._session is not None:
            self._take(machine.tick(self._session, self._settings, now, self._chance()), now)

    def stop(self, text: str, now: float) -> None:
        """End, and tell why; `tick` until it is `gone`."""
        self._dismiss(now)
        if self._session is not None and not self._session.final:
            self._take(machine.over(self._session, "ended", text, self._settings, now, 0.0), now)

    def _say(
        self, kind: Literal["gap", "status", "end"], text: str, state: str = "", missing: int = 0
    ) -> None:
        """Tell subscribers something in the present epoch."""
        self._put(Notice(self._epoch, kind, state, text, missing))

    def _understand(self, message: Message, reading: Reading, now: float) -> None:
        match message:
            case Shape():
                if self._connected and message != self._shape:
                    self._say("status", f"it changed: {message}; it was {self._shape}", "online")
                self._shape = message
            case Picture():
                self._arrive(message, reading, now)
            case Gap(missing, text):
                self._say("gap", text, missing=missing)
            case Renewed(text):
                self._epoch = self._epochs.next()
                self._say("status", text, "online")
            case Over(cause, text):
                self._lost(cause, text, now)

    def _arrive(self, picture: Picture, reading: Reading, now: float) -> None:
        if self._session is None or self._shape is None:
            reading.drop(picture)
            return
        if not self._connected:
            self._epoch = self._epochs.next()
            self._connections += 1
        self._last_picture = now
        self._take(Step(machine.picture(self._session, self._settings, now)), now)
        self._put(Arrived(self._epoch, self._shape, picture, reading))

    @property
    def _connected(self) -> bool:
        return self._session is not None and self._session.online_since is not None

    def _lost(self, cause: Cause, text: str, now: float) -> None:
        assert self._session is not None
        self._dismiss(now)
        self._take(machine.over(self._session, cause, text, self._settings, now, self._chance()), now)

    def _take(self, step: Step, now: float) -> None:
        """Go on to the next session, and do what it asks for."""
        before, self._session = self._session, step.session
        if step.action == "connect":
            self._attempts += 1
            self._before, self._shape = self._shape or self._before, None
            self._reading = self._start(self.request)
        elif step.action == "disconnect":
            self._dismiss(now)
        if before is None or before.state != step.session.state:
            self._announce(step.session)

    def _announce(self, session: Session) -> None:
        text = session.text
        if session.state == "online" and not text:
            text = str(self._shape)
            if self._before is not None and self._before != self._shape:
                text += f"; before, it was {self._before}"
            self._session = replace(session, text=text)
        if session.state == "ended":
            self._say("end", text)
        else:
            self._say("status", text, session.state)

    def _dismiss(self, now: float) -> None:
        if self._reading is not None:
            self._reading.leave()
            self._leaving.append((self._reading, now + KILL_SECONDS))
            self._reading = None

    def _bury(self, now: float) -> None:
        for reading, deadline in self._leaving:
            if now >= deadline:
                with contextlib.suppress(OSError):
                    reading.kill()
        self._leaving = [(r, d if now < d else now + KILL_SECONDS) for r, d in self._leaving if not r.gone()]
