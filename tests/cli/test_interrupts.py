"""Ctrl-C once, twice, and SIGTERM, with real signals."""

from __future__ import annotations

import signal
import subprocess

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


def test_check_raises_once_asked(capfd):
    """`check` is for code between two steps."""
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert interrupts._asked.wait(10)
        with pytest.raises(Interrupted):
            interrupts.check()
    assert "stopping" in capfd.readouterr().err
