"""Ctrl-C: once asks for an orderly stop, twice ends the process at once.

Python runs signal handlers in the main thread only, between two of its own instructions; while that
thread waits inside FFmpeg, an interrupt would be late or lost (IO.md section 6). The system's part
of the handler runs at once and can write a byte to a socket: a thread of ours reads it there.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

from streamrestore.cli.shared import line_of
from streamrestore.errors import Interrupted

_STOPS = (signal.SIGINT, signal.SIGTERM)
_LEFT = "; the same command goes on with what is left in .NAME.streamrestore"
_CLEAR_LINE = "\r\x1b[K"
_SHOW_CURSOR = "\x1b[?25h"


class Interrupts:
    """Takes SIGINT and SIGTERM while it is entered; `asked` says whether one came.

    A second SIGINT ends the process with status 130 at once. SIGTERM only ever asks.

    Args:
        on_ask: called once, in another thread, when the first of them comes.
        on_hangup: called there at each SIGHUP; without it, that signal is left alone.
        left: what to say of the work that a second SIGINT breaks off.

    Attributes:
        by: the first signal that asked.
    """

    def __init__(
        self,
        *,
        on_ask: Callable[[], None] = lambda: None,
        on_hangup: Callable[[], None] | None = None,
        left: str = _LEFT,
    ) -> None:
        self._on_ask, self._on_hangup, self._left = on_ask, on_hangup, left
        self._asked = threading.Event()
        self._previous: dict[int, object] = {}
        self.by: int | None = None

    def asked(self) -> bool:
        """True once the user wants to stop."""
        return self._asked.is_set()

    def check(self) -> None:
        """Raise Interrupted if the user wants to stop."""
        if self.asked():
            raise Interrupted("interrupted")

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self  # signals are the main thread's affair
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        # Also where SIGINT was ignored, as for `command &` in a script: who sends one means it.
        numbers = _STOPS if self._on_hangup is None else (*_STOPS, signal.SIGHUP)
        self._previous = {number: signal.signal(number, _leave_to_watcher) for number in numbers}
        self._watcher = threading.Thread(target=self._watch, name="interrupts", daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._previous:
            return
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup)
        self._writer.close()
        self._watcher.join()
        self._reader.close()

    def _watch(self) -> None:
        while received := self._reader.recv(64):
            for number in received:
                self._take(number)

    def _take(self, number: int) -> None:
        if number == signal.SIGHUP and self._on_hangup is not None:
            self._on_hangup()
        if number not in _STOPS:
            return
        if not self._asked.is_set():
            self.by = number
            self._asked.set()
            _tell("stopping; press Ctrl-C again to end at once")
            self._on_ask()
        elif number == signal.SIGINT:
            _tell(f"ended at once{self._left}", last=True)
            os._exit(Interrupted.exit_code)


def _leave_to_watcher(number: int, frame: FrameType | None) -> None:
    """Stand where the default handler would end the process."""
    del number, frame


def _tell(text: str, *, last: bool = False) -> None:
    """Write to stderr past all locks, which the main thread may hold."""
    try:
        tty = os.isatty(2)
        before = _CLEAR_LINE if tty else ""
        after = _SHOW_CURSOR if tty and last else ""
        os.write(2, f"{before}{line_of(text)}\n{after}".encode(sys.getfilesystemencoding(), "replace"))
    except OSError:  # nobody listens
        pass
