"""The state machine of a source, without network or clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streamrestore.live import session as machine
from streamrestore.live.backoff import BackoffSettings
from streamrestore.live.session import NEVER, STEADY_SECONDS, Cause, Session, SessionSettings

SETTINGS = SessionSettings(
    connect_seconds=10.0,
    stall_seconds=3.0,
    reconnect_seconds=10.0,
    retry=BackoffSettings(1.0, 30.0),
    refused=BackoffSettings(60.0, 1800.0),
)
TRANSIENT: list[Cause] = ["lost", "unreachable", "silent", "crashed", "refused"]
HOUR = 3600.0


def online(now: float = 0.0) -> Session:
    """One that has just come online."""
    return machine.picture(machine.begin(SETTINGS, now).session, SETTINGS, now)


def over(session: Session, cause: Cause, now: float, chance: float = 1.0) -> Session:
    """What follows from the end of a connection."""
    return machine.over(session, cause, "why", SETTINGS, now, chance).session


class TestStates:
    """Each arrow of the drawing."""

    def test_begin_connects(self) -> None:
        """At once, and not for ever."""
        step = machine.begin(SETTINGS, 5.0)

        assert (step.session.state, step.action, step.session.deadline) == ("connecting", "connect", 15.0)

    def test_first_picture_is_online(self) -> None:
        """A connection counts from its first picture."""
        session = online(7.0)

        assert (session.state, session.online_since, session.deadline) == ("online", 7.0, 10.0)

    def test_no_picture_in_time(self) -> None:
        """The attempt is broken off, and repeated later."""
        begun = machine.begin(SETTINGS, 0.0).session

        step = machine.tick(begun, SETTINGS, 10.0, 1.0)

        assert (step.session.state, step.action, step.session.deadline) == ("backing_off", "disconnect", 11.0)
        assert step.session.text == "no picture within 10 s; trying again in 1.0 s"

    def test_stalled_and_back(self) -> None:
        """The connection is kept, and the next picture is as good as any."""
        step = machine.tick(online(), SETTINGS, 3.0, 1.0)
        again = machine.picture(step.session, SETTINGS, 4.0)

        assert (step.session.state, step.action) == ("stalled", None)
        assert (again.state, again.deadline, again.online_since) == ("online", 7.0, 0.0)

    def test_stalled_for_long(self) -> None:
        """Then the connection is made anew."""
        stalled = machine.tick(online(), SETTINGS, 3.0, 1.0).session

        step = machine.tick(stalled, SETTINGS, 13.0, 1.0)

        assert (step.session.state, step.action) == ("backing_off", "disconnect")
        assert step.session.text.startswith("no picture for 13 s")

    def test_backing_off_ends(self) -> None:
        """With the next attempt."""
        waiting = over(online(), "lost", 1.0)

        assert machine.tick(waiting, SETTINGS, 1.9, 1.0).action is None
        step = machine.tick(waiting, SETTINGS, 2.0, 1.0)
        assert (step.session.state, step.action) == ("connecting", "connect")

    @pytest.mark.parametrize(("cause", "state"), [("unusable", "failed"), ("ended", "ended")])
    def test_final(self, cause: Cause, state: str) -> None:
        """Nothing more happens, whatever happens."""
        final = over(online(), cause, 1.0)

        assert (final.state, final.deadline, final.final) == (state, NEVER, True)
        assert machine.tick(final, SETTINGS, 1e9, 1.0).session is final
        assert over(final, "lost", 2.0) is final
        assert machine.picture(final, SETTINGS, 2.0) is final

    def test_a_late_picture_of_an_ended_process(self) -> None:
        """It does not bring a source online that is waiting."""
        waiting = over(online(), "lost", 1.0)

        assert machine.picture(waiting, SETTINGS, 1.1) is waiting


class TestPatience:
    """How often a source is asked."""

    def test_waits_grow(self) -> None:
        """While attempts fail."""
        session, waits = machine.begin(SETTINGS, 0.0).session, []
        now = 0.0
        for _ in range(7):
            session = over(session, "unreachable", now)
            waits.append(session.deadline - now)
            now = session.deadline
            session = machine.tick(session, SETTINGS, now, 1.0).session

        assert waits == [1, 2, 4, 8, 16, 30, 30]

    def test_a_steady_connection_counts(self) -> None:
        """What failed before it is forgotten; what broke at once is not."""
        bad = over(over(online(), "lost", 1.0), "lost", 1.0)
        again = machine.picture(machine.tick(bad, SETTINGS, 2.0, 1.0).session, SETTINGS, 2.0)

        assert over(again, "lost", 2.1).failures == 2
        assert over(again, "lost", 2.0 + STEADY_SECONDS).failures == 1

    def test_refusals_have_their_own_count(self) -> None:
        """Other failures between them do not make them more frequent."""
        session = over(machine.begin(SETTINGS, 0.0).session, "refused", 0.0)
        session = machine.tick(session, SETTINGS, session.deadline, 1.0).session
        session = over(session, "unreachable", 100.0)
        session = machine.tick(session, SETTINGS, session.deadline, 1.0).session
        session = over(session, "refused", 200.0)

        assert session.deadline == 320.0

    @given(st.floats(0, 1))
    def test_a_wrong_password_is_not_hammered(self, chance: float) -> None:
        """Few attempts in the first hour, whatever the jitter."""
        session, now, attempts = machine.begin(SETTINGS, 0.0).session, 0.0, 1
        while now < HOUR:
            session = over(session, "refused", now, chance)
            now = session.deadline
            session = machine.tick(session, SETTINGS, now, chance).session
            attempts += 1

        assert attempts <= 9


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens, in whatever order."""

    @initialize()
    def begin(self) -> None:
        """The first attempt."""
        self.now = 0.0
        self.connected = False
        self.do(machine.begin(SETTINGS, self.now))

    def do(self, step: machine.Step) -> None:
        """What a step asks for makes sense at this moment."""
        self.session = step.session
        if step.action == "connect":
            assert not self.connected
            self.connected = True
        elif step.action == "disconnect":
            assert self.connected
            self.connected = False

    @rule(seconds=st.floats(0, 100), chance=st.floats(0, 1))
    def time_passes(self, seconds: float, chance: float) -> None:
        """Perhaps beyond several deadlines; each is met when it comes."""
        end = self.now + seconds
        while self.session.deadline <= end:
            self.now = max(self.now, self.session.deadline)
            before = self.session
            self.do(machine.tick(self.session, SETTINGS, self.now, chance))
            assert self.session.deadline > before.deadline
        self.now = end
        assert machine.tick(self.session, SETTINGS, self.now, chance).session is self.session

    @rule()
    def picture(self) -> None:
        """One comes."""
        self.session = machine.picture(self.session, SETTINGS, self.now)

    @rule(cause=st.sampled_from(TRANSIENT), chance=st.floats(0, 1))
    def over(self, cause: Cause, chance: float) -> None:
        """The connection breaks, if there is one."""
        if self.connected:
            self.connected = False
            self.do(machine.over(self.session, cause, "why", SETTINGS, self.now, chance))

    @rule(cause=st.sampled_from(["unusable", "ended"]))
    def through(self, cause: Cause) -> None:
        """It is over for good."""
        if self.connected:
            self.connected = False
            self.do(machine.over(self.session, cause, "why", SETTINGS, self.now, 0.5))

    @invariant()
    def connected_as_the_state_says(self) -> None:
        """There is a process exactly when the state needs one."""
        assert self.connected == (self.session.state in ("connecting", "online", "stalled"))

    @invariant()
    def something_will_happen(self) -> None:
        """Nothing waits for ever, but what is final."""
        assert self.session.final == (self.session.deadline == NEVER)


TestAnyOrder = AnyOrder.TestCase
