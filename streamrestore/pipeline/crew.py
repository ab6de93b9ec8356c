"""Worker processes that do numbered pieces of work, and die with their parent.

The parent hands out numbers and takes results through one pipe per worker; workers share nothing, no
lock either, so that killing one harms no other. They are spawned: a forked process would inherit
locks that threads of ours hold.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeAlias, TypeVar

from streamrestore.errors import Interrupted, StageError, StreamRestoreError

GLANCE_SECONDS = 0.1
"""How often the parent looks whether the user wants to stop."""
GRACE_SECONDS = 1.0
"""How long workers that are asked to stop may take to reach the next frame; then they are killed."""

_REAP_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
_STOP = "stop"

R = TypeVar("R")
Tell: TypeAlias = Callable[[Any], None]
Stop: TypeAlias = Callable[[], bool]
Work: TypeAlias = Callable[[int, Tell, Stop], R]
"""(number, tell, stop) -> result: does one piece of work in a worker.

It may `tell` the parent how far it is, and asks `stop` between frames; if that is true, it raises
Interrupted. What it returns, tells and raises is pickled.
"""
Prepare: TypeAlias = Callable[[], Work[R]]
"""Runs once in each worker: loads what all pieces of work need. It is pickled: a top-level function, or
a partial of one."""


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """A piece of work is complete."""

    number: int
    result: R


@dataclass(frozen=True, slots=True)
class News:
    """What a worker tells of its work before it is complete."""

    number: int
    news: Any


@dataclass(frozen=True, slots=True)
class _Failed:
    """Work was broken off by an error."""

    error: StreamRestoreError
    trace: str


def run_crew(
    prepare: Prepare[R],
    numbers: Iterable[int],
    *,
    workers: int,
    on_done: Callable[[Done[R]], None],
    on_news: Callable[[News], None] = lambda _: None,
    stop: Stop = lambda: False,
) -> None:
    """Have worker processes do all pieces of work, each once, in any order.

    A piece whose worker dies is given to a new one, once. SIGINT and SIGTERM are the caller's affair:
    workers ignore them. No worker outlives this call, nor the process that makes it.

    Args:
        prepare: makes the function that does the work, in each worker.
        numbers: of the pieces; they are begun in this order.
        workers: processes at most.
        on_done: gets each result, in the order of completion, in this thread; so does `on_news`.
        stop: asked several times a second in this thread; True ends the run. Work that completes
            meanwhile still counts.

    Raises:
        Interrupted: `stop` said so.
        StreamRestoreError: the first error of a worker; StageError if it was not one of ours, or if two
            workers died over one piece.
    """
    crew = _Crew(prepare, numbers, workers, on_done, on_news)
    try:
        while crew.staff():
            crew.hear(GLANCE_SECONDS)
            if crew.error is not None or stop():
                crew.wind_down(GRACE_SECONDS)
                raise crew.error or Interrupted("stopped")
    finally:
        crew.kill()


class _Crew(Generic[R]):
    """The parent's side: who is at work, and on what."""

    def __init__(
        self,
        prepare: Prepare[R],
        numbers: Iterable[int],
        size: int,
        on_done: Callable[[Done[R]], None],
        on_news: Callable[[News], None],
    ) -> None:
        self._prepare, self._size = prepare, size
        self._on_done, self._on_news = on_done, on_news
        self._waiting = deque(numbers)
        self._deaths: Counter[int] = Counter()
        self._workers: dict[Connection[Any, Any], _Worker] = {}
        self.error: StreamRestoreError | None = None

    def staff(self) -> bool:
        """Give everybody something to do, or leave; False once all is done."""
        for worker in [worker for worker in self._workers.values() if worker.number is None]:
            if self._waiting:
                worker.give(self._waiting.popleft())
            else:
                self._dismiss(worker)
        while self._waiting and len(self._workers) < self._size:
            worker = _Worker(self._prepare)
            self._workers[worker.connection] = worker
            worker.give(self._waiting.popleft())
        return bool(self._workers)

    def hear(self, seconds: float) -> None:
        """Take what workers send, waiting for it at most so long."""
        for connection in wait(list(self._workers), seconds):
            worker = self._workers[connection]  # type: ignore[index]  # these are our connections
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                self._lose(worker)
            else:
                self._take(worker, message)

    def wind_down(self, seconds: float) -> None:
        """Ask all to stop, and wait for them at most so long; complete work still counts."""
        self._waiting.clear()
        for worker in self._workers.values():
            worker.give(_STOP)
        end = time.monotonic() + seconds
        while self._workers and (left := end - time.monotonic()) > 0:
            self.hear(left)

    def kill(self) -> None:
        """End all that are left at once."""
        for worker in self._workers.values():
            worker.process.kill()
        for worker in list(self._workers.values()):
            self._dismiss(worker)

    def _take(self, worker: _Worker, message: Done[R] | News | _Failed) -> None:
        match message:
            case News():
                self._on_news(message)
            case Done():
                worker.number = None
                self._on_done(message)
            case _Failed(error, trace):
                error.add_note(f"in a worker process:\n{trace}")
                self.error = self.error or error
                self._dismiss(worker)

    def _lose(self, worker: _Worker) -> None:
        """A worker has gone: by itself because it was asked to, or because it died."""
        how, number = self._dismiss(worker), worker.number
        if number is None or worker.stopping:
            return
        self._deaths[number] += 1
        if self._deaths[number] == 1:
            self._waiting.appendleft(number)
            return
        cause = ChildProcessError(
            f"two worker processes died over segment {number}, the last one by {how}; if memory ran out, "
            "use fewer workers"
        )
        self.error = self.error or StageError("worker", cause)

    def _dismiss(self, worker: _Worker) -> str:
        del self._workers[worker.connection]
        return worker.end()


class _Worker:
    """One process, as its parent sees it.

    Attributes:
        number: what it works on.
        stopping: whether it was asked to stop.
    """

    def __init__(self, prepare: Prepare[Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.number: int | None = None
        self.stopping = False
        self.process = context.Process(target=_serve, args=(theirs, prepare, os.getpid()), daemon=True)
        with _signals_blocked():
            self.process.start()
        theirs.close()  # else the end of the process would not be seen

    def give(self, order: int | str) -> None:
        """Send a number, or the order to stop."""
        self.stopping = order == _STOP
        if isinstance(order, int):
            self.number = order
        with contextlib.suppress(OSError):  # it has died; we hear of that when we listen
            self.connection.send(order)

    def end(self) -> str:
        """Have it gone; how it went, in words."""
        self.connection.close()  # it leaves when it sees this
        self.process.join(_REAP_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        self.process.close()
        if code is not None and code < 0:
            return signal.Signals(-code).name
        return f"exit status {code}"


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Processes that are started here never see Ctrl-C: they inherit what is blocked, from their first
    instruction on; the parent gets it right afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection[Any, Any], prepare: Prepare[Any], parent: int) -> None:
    """The life of a worker."""
    _die_with(parent)
    orders: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    stopping = threading.Event()
    threading.Thread(target=_listen, args=(connection, orders, stopping), daemon=True).start()
    sending = threading.Lock()

    def send(message: object) -> None:
        with sending:
            connection.send(message)

    try:
        work = prepare()
        for number in _numbers(orders):

            def tell(news: object, number: int = number) -> None:
                send(News(number, news))

            send(Done(number, work(number, tell, stopping.is_set)))
    except Interrupted as error:
        if not stopping.is_set():
            send(_failed(error))
    except BaseException as error:  # noqa: BLE001 - the edge of a process; the parent reports it
        send(_failed(error))


def _listen(
    connection: Connection[Any, Any], orders: queue.SimpleQueue[int | None], stopping: threading.Event
) -> None:
    """Take orders; without a parent, end the process."""
    while True:
        try:
            order = connection.recv()
        except (EOFError, OSError):
            os._exit(0)
        if order == _STOP:
            stopping.set()
            orders.put(None)
        else:
            orders.put(order)


def _numbers(orders: queue.SimpleQueue[int | None]) -> Iterator[int]:
    while (number := orders.get()) is not None:
        yield number


def _die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends, however busy it is then.

    Elsewhere than on Linux the end of the pipe says it, as soon as Python gets to look at it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(0)


def _failed(error: BaseException) -> _Failed:
    """An error fit to be sent."""
    trace = "".join(traceback.format_exception(error))
    ours = error if isinstance(error, StreamRestoreError) else StageError("worker", error)
    try:
        pickle.loads(pickle.dumps(ours))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - whatever its class does
        ours = StageError("worker", RuntimeError(f"{type(error).__name__}: {error}"))
    return _Failed(ours, trace)
