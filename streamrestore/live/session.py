"""What a source is doing: a state machine. Pure: what happened and when goes in, what to do comes out.

          begin             first picture             no picture for stall_seconds
    ------------> connecting ------------> online <-----------------------------> stalled
                   ^   |                     |            a picture                  |
      waited enough|   | no picture          | lost                                  | for reconnect_seconds
                   |   v                     v                                       |
                 backing off <-------------------------------------------------------+

    ended   the source is through: a file was played to its end
    failed  it can never work as it was asked for, until the configuration changes

A server that refuses user and password is asked again by a schedule of its own, slow enough for cameras that
lock an account after some wrong attempts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from streamrestore.live.backoff import BackoffSettings, delay
from streamrestore.settings import Positive, Settings

State = Literal["connecting", "online", "stalled", "backing_off", "failed", "ended"]

Cause = Literal["lost", "unreachable", "silent", "crashed", "refused", "unusable", "ended"]
"""Why a connection is over: lost after pictures came; none was made; nothing came; its process died; user or
password refused; of a kind that is not handled; through."""

Action = Literal["connect", "disconnect"]
"""Start a process that reads the source; or end the one that does."""

NEVER = math.inf
STEADY_SECONDS = 10.0
"""A connection that held so long was a good one: what failed before it does not count any more."""


class SessionSettings(Settings, frozen=True):
    """How long a source may be silent, and when it is asked again."""

    connect_seconds: Positive = 10.0
    """From an attempt to its first picture; then the attempt is given up."""
    stall_seconds: Positive = 3.0
    """Without a picture after which a connected source counts as stalled."""
    reconnect_seconds: Positive = 10.0
    """How long it may stay stalled before the connection is made anew."""
    retry: BackoffSettings = BackoffSettings()
    """Waits after a connection that failed or was lost."""
    refused: BackoffSettings = BackoffSettings(first_seconds=60.0, longest_seconds=1800.0)
    """Waits after user and password were refused."""


@dataclass(frozen=True, slots=True)
class Session:
    """Where a source stands. All times are seconds of one monotonic clock.

    Attributes:
        since: when it came into this state.
        deadline: when `tick` has something to do.
        text: why it is in this state, for people.
        failures: attempts in a row that failed for other reasons than a refusal.
        refusals: attempts in a row at which user and password were refused.
        online_since: when the present connection gave its first picture.
    """

    state: State
    since: float
    deadline: float = NEVER
    text: str = ""
    failures: int = 0
    refusals: int = 0
    online_since: float | None = None

    @property
    def final(self) -> bool:
        """True if nothing more will come of it."""
        return self.state in ("failed", "ended")


@dataclass(frozen=True, slots=True)
class Step:
    """The next session, and what is to be done for it."""

    session: Session
    action: Action | None = None


def begin(settings: SessionSettings, now: float) -> Step:
    """The first attempt."""
    return Step(Session("connecting", now, now + settings.connect_seconds), "connect")


def picture(session: Session, settings: SessionSettings, now: float) -> Session:
    """A picture came."""
    deadline = now + settings.stall_seconds
    if session.state == "online":
        return replace(session, deadline=deadline)
    if session.state == "stalled":
        return replace(session, state="online", since=now, deadline=deadline, text="pictures come again")
    if session.state == "connecting":
        return replace(session, state="online", since=now, deadline=deadline, text="", online_since=now)
    return session  # what an ended process had still sent


def over(
    session: Session, cause: Cause, text: str, settings: SessionSettings, now: float, chance: float
) -> Step:
    """The connection is over, or was not made.

    Args:
        text: why, for people; without credentials.
        chance: 0 to 1, for the jitter.
    """
    if session.final or (session.state == "backing_off" and cause != "ended"):
        return Step(session)
    if cause in ("ended", "unusable"):
        state: State = "ended" if cause == "ended" else "failed"
        return Step(replace(session, state=state, since=now, deadline=NEVER, text=text, online_since=None))
    steady = session.online_since is not None and now - session.online_since >= STEADY_SECONDS
    failures, refusals = (0, 0) if steady else (session.failures, session.refusals)
    if cause == "refused":
        refusals += 1
        wait = delay(refusals, settings.refused, chance)
    else:
        failures += 1
        wait = delay(failures, settings.retry, chance)
    text = f"{text}; trying again in {_shown(wait)}"
    return Step(Session("backing_off", now, now + wait, text, failures, refusals))


def tick(session: Session, settings: SessionSettings, now: float, chance: float) -> Step:
    """Time has passed; before the deadline nothing happens."""
    if now < session.deadline:
        return Step(session)
    if session.state == "backing_off":
        deadline = now + settings.connect_seconds
        return Step(replace(session, state="connecting", since=now, deadline=deadline, text=""), "connect")
    if session.state == "online":
        silent = settings.stall_seconds
        text = f"connected, but no picture for {_shown(silent)}"
        deadline = now + settings.reconnect_seconds
        return Step(replace(session, state="stalled", since=now, deadline=deadline, text=text))
    if session.state == "connecting":
        why = f"no picture within {_shown(settings.connect_seconds)}"
    else:
        why = f"no picture for {_shown(settings.stall_seconds + settings.reconnect_seconds)}"
    return Step(over(session, "silent", why, settings, now, chance).session, "disconnect")


def _shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
