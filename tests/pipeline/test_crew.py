"""Worker processes, real ones: what they do, and how they die."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from streamrestore.errors import Interrupted, OutputError, StageError
from streamrestore.pipeline import crew
from streamrestore.pipeline.crew import Done, News, run_crew
from tests.pipeline import labour

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    """However a run ends, all its processes have ended."""
    yield
    assert multiprocessing.active_children() == []


def test_every_piece_once() -> None:
    """Results come with their numbers, from other processes, no more of them than asked for."""
    found: list[Done[tuple[int, int]]] = []
    run_crew(labour.square, range(6), workers=2, on_done=found.append)

    assert sorted((done.number, done.result[0]) for done in found) == [(n, n * n) for n in range(6)]
    workers = {done.result[1] for done in found}
    assert 1 <= len(workers) <= 2
    assert os.getpid() not in workers


def test_no_piece() -> None:
    """Nothing to do is done at once."""
    run_crew(labour.not_ready, [], workers=2, on_done=lambda _: None)


def test_order_does_not_matter(tmp_path: Path) -> None:
    """The second piece may be complete before the first: results come as they are found."""
    os.mkfifo(tmp_path / "fifo")
    found: list[int] = []
    run_crew(
        partial(labour.backwards, tmp_path), [0, 1], workers=2, on_done=lambda done: found.append(done.number)
    )
    assert sorted(found) == [0, 1]


class TestDeath:
    """Workers that go away."""

    def test_killed_worker_is_replaced(self, tmp_path: Path) -> None:
        """kill -9 costs one piece, which another worker does again."""
        found: list[int] = []
        victims: list[int] = []

        def kill(news: News) -> None:
            victims.append(news.news)
            if len(victims) == 1:
                os.kill(news.news, signal.SIGKILL)

        run_crew(
            partial(labour.deadly, tmp_path, 1, 0),
            range(4),
            workers=2,
            on_done=lambda done: found.append(done.number),
            on_news=kill,
        )

        assert sorted(found) == [0, 1, 2, 3]
        assert len(set(victims)) == 2

    def test_killed_twice(self, tmp_path: Path) -> None:
        """Then it is an error that names the piece and the signal; complete pieces still count."""
        found: list[int] = []
        with pytest.raises(
            StageError, match=r"died over segment 2, the last one by SIGKILL; .* fewer workers"
        ):
            run_crew(
                partial(labour.deadly, tmp_path, 9, 0),
                [0, 2, 3],
                workers=1,
                on_done=lambda done: found.append(done.number),
                on_news=lambda news: os.kill(news.news, signal.SIGKILL),
            )
        assert found == [0]
        assert (tmp_path / "lives").read_text() == "xx"

    def test_exit_status(self, tmp_path: Path) -> None:
        """A worker that leaves by itself has died, too."""
        with pytest.raises(StageError, match="by exit status 3"):
            run_crew(partial(labour.deadly, tmp_path, 9, 3), [2], workers=1, on_done=lambda _: None)


class TestErrors:
    """What work raises."""

    def run(self, kind: str) -> None:
        """One piece that fails."""
        run_crew(partial(labour.failing, kind), [0], workers=1, on_done=lambda _: None)

    def test_typed_errors_pass_unchanged(self) -> None:
        """With a note that says where it happened."""
        with pytest.raises(OutputError) as caught:
            self.run("ours")
        assert str(caught.value) == "the disk is full"
        assert "in a worker process:" in caught.value.__notes__[0]
        assert "labour.py" in caught.value.__notes__[0]

    def test_others_are_wrapped(self) -> None:
        """Also those that cannot be sent from a process to another."""
        with pytest.raises(StageError, match="the worker stage broke: KeyError: 0"):
            self.run("unexpected")
        with pytest.raises(StageError, match="Awkward: awkward 3"):
            self.run("awkward")

    def test_interrupted_without_being_asked(self) -> None:
        """Is an error like others."""
        with pytest.raises(Interrupted, match="by itself"):
            self.run("stopped")

    def test_workers_that_cannot_begin(self) -> None:
        """An error of the preparation is the run's."""
        with pytest.raises(OutputError, match="no weights"):
            run_crew(labour.not_ready, [0, 1], workers=2, on_done=lambda _: None)

    def test_error_of_the_caller(self) -> None:
        """What `on_done` raises ends the run."""

        def full(_done: object) -> None:
            raise OutputError("no space for the manifest")

        with pytest.raises(OutputError, match="manifest"):
            run_crew(labour.square, range(4), workers=2, on_done=full)


class TestStop:
    """The user wants to stop."""

    def run(self, kind: str) -> list[str]:
        """One piece that goes on until it is asked to stop."""
        begun: list[object] = []
        found: list[str] = []
        with pytest.raises(Interrupted, match="stopped"):
            run_crew(
                partial(labour.patient, kind),
                [0, 1, 2, 3],
                workers=1,
                on_done=lambda done: found.append(done.result),
                on_news=begun.append,
                stop=lambda: bool(begun),
            )
        return found

    def test_work_is_broken_off(self) -> None:
        """Between frames, and nothing else is begun."""
        assert self.run("stops") == []

    def test_work_that_completes_meanwhile_counts(self) -> None:
        """It is not thrown away."""
        assert self.run("complete") == ["at last"]

    def test_deaf_workers_are_killed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody holds up the user."""
        monkeypatch.setattr(crew, "GRACE_SECONDS", 0.05)
        assert self.run("deaf") == []

    def test_signals_are_the_parents_affair(self) -> None:
        """Ctrl-C goes to all processes of a terminal: workers go on until the parent says so."""
        found: list[str] = []
        run_crew(labour.signalled, [0], workers=1, on_done=lambda done: found.append(done.result))
        assert found == ["alive"]
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGINT, signal.SIGTERM}


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open, of Linux")
@pytest.mark.parametrize("on_system", [True, False], ids=["by the system", "by the pipe"])
def test_workers_die_with_their_parent(tmp_path: Path, on_system: bool) -> None:
    """kill -9 of the parent ends workers that wait for ever."""
    code = (
        "import functools, pathlib, sys\n"
        "from streamrestore.pipeline.crew import run_crew\n"
        "from tests.pipeline import labour\n"
        "if __name__ == '__main__':\n"
        "    prepare = functools.partial(labour.endless, pathlib.Path(sys.argv[1]), sys.argv[2] == 'True')\n"
        "    say = lambda news: print(news.number, flush=True)\n"
        "    run_crew(prepare, [0, 1], workers=2, on_done=print, on_news=say)\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    command = [sys.executable, str(script), str(tmp_path), str(on_system)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment) as parent:
        assert parent.stdout is not None
        assert {parent.stdout.readline(), parent.stdout.readline()} == {b"0\n", b"1\n"}
        workers = [os.pidfd_open(int((tmp_path / name).read_text())) for name in "01"]
        parent.kill()

    for worker in workers:
        assert select.select([worker], [], [], 20.0)[0], "a worker outlived its parent"
        os.close(worker)
