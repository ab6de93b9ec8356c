"""Ctrl-C once, twice, and SIGTERM, with real signals."""

from __future__ import annotations

import queue
import signal
import subprocess
import threading

import pytest

from streamrestore.cli.interrupts import Interrupts
from streamrestore.errors import Interrupted
from tests.cli.process import start_python

WAITS = """
import sys, threading
from streamrestore.cli.interrupts import Interrupts
with Interrupts() as interrupts:
    print("ready", flush=True)
    {wait}
print("orderly", flush=True)
sys.exit(130)
"""
UNTIL_ASKED = "threading.Event().wait(0) or interrupts._asked.wait()"
BLOCKED = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 2_000_000_000)"
NEVER = "[threading.Event().wait(60) for _ in range(2)]"


def ready(code: str) -> subprocess.Popen[str]:
    """A program that waits inside `Interrupts`."""
    process = start_python(WAITS.format(wait=code))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_asks(number):
    """One signal asks, and the program ends in order."""
    process = ready(UNTIL_ASKED)
    process.send_signal(number)
    out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "orderly\n")
    assert told == "streamrestore: stopping; press Ctrl-C again to end at once\n"


@pytest.mark.parametrize("wait", [NEVER, BLOCKED], ids=["waiting", "in C code"])
def test_second_ends_at_once(wait):
    """The second Ctrl-C ends the process, even if its main thread is deep in other code."""
    process = ready(wait)
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    assert "stopping" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "ended at once" in told


def test_second_sigterm_only_asks():
    """SIGTERM never ends the process at once: only a user at the keyboard is that impatient."""
    process = ready(NEVER)
    assert process.stderr is not None
    process.send_signal(signal.SIGTERM)
    assert "stopping" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "ended at once" in process.stderr.read()
    process.communicate()


def test_handlers_are_given_back():
    """Afterwards Ctrl-C is what it was."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        assert signal.getsignal(signal.SIGINT) is not before[0]
        interrupts.check()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_waits_is_told(number, capfd):
    """In another thread, once, by which signal."""
    told = queue.SimpleQueue()
    with Interrupts(on_ask=lambda: told.put(threading.current_thread())) as interrupts:
        signal.raise_signal(number)
        assert told.get(timeout=10) is not threading.main_thread()
        signal.raise_signal(signal.SIGTERM)
    assert interrupts.by == number
    assert told.empty()
    assert "stopping" in capfd.readouterr().err


def test_hangup(capfd):
    """Each one is told, and none asks to stop; who does not care keeps what was."""
    told = queue.SimpleQueue()
    with Interrupts(on_hangup=lambda: told.put(True)) as interrupts:
        for _ in range(2):
            signal.raise_signal(signal.SIGHUP)
            assert told.get(timeout=10)
        assert not interrupts.asked()
    assert capfd.readouterr().err == ""
    before = signal.getsignal(signal.SIGHUP)
    with Interrupts():
        assert signal.getsignal(signal.SIGHUP) is before


def test_check_raises_once_asked(capfd):
    """`check` is for code between two steps."""
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert interrupts._asked.wait(10)
        with pytest.raises(Interrupted):
            interrupts.check()
    assert "stopping" in capfd.readouterr().err
