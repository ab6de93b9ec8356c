"""Bounded queues between threads. Nothing here waits for the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.links import Cancel, Closed, Link

LIMIT = 20.0  # seconds; only a broken link ever waits for it


class Worker(threading.Thread):
    """A thread whose result or error is fetched by `done`."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.result: object = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Do the work."""
        try:
            self.result = self._work()
        except Closed as error:
            self.error = error

    def done(self) -> object:
        """Wait for the end, and give the result."""
        self.join(LIMIT)
        assert not self.is_alive(), "the thread hangs"
        if self.error is not None:
            raise self.error
        return self.result


class Tap:
    """Counts what a producer has put so far, and lets a test wait for it."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def __call__(self, items: Iterator[int]) -> Iterator[int]:
        """Pass the items on; each one counts when it is asked for."""
        for item in items:
            with self._changed:
                self.count += 1
                self._changed.notify_all()
            yield item

    def reaches(self, count: int) -> bool:
        """Wait until so many items were asked for."""
        with self._changed:
            return self._changed.wait_for(lambda: self.count >= count, LIMIT)


def feed(link: Link[int], items: Iterator[int] | range) -> None:
    """Put everything and close."""
    for item in items:
        link.put(item)
    link.close()


class TestLink:
    """One producer, one consumer."""

    @given(size=st.integers(1, 5), items=st.lists(st.integers(), max_size=40))
    def test_everything_arrives_in_order(self, size: int, items: list[int]) -> None:
        """What is put comes out, once, in order, whatever the size."""
        link: Link[int] = Link(size, Cancel())
        producer = Worker(lambda: feed(link, iter(items)))

        assert list(link) == items
        producer.done()

    def test_a_full_link_makes_its_producer_wait(self) -> None:
        """No more than `size` items wait: memory is bounded."""
        link: Link[int] = Link(3, Cancel())
        tap = Tap()
        producer = Worker(lambda: feed(link, tap(iter(range(100)))))
        assert tap.reaches(4)  # three wait in the link, the fourth in `put`

        taken = iter(link)
        for expected in range(100):
            assert tap.count <= expected + 4
            assert next(taken) == expected

        producer.done()
        assert list(taken) == []

    def test_what_waits_is_delivered_after_close(self) -> None:
        """Closing says that nothing more comes, not that something is lost."""
        link: Link[int] = Link(5, Cancel())
        feed(link, range(4))

        assert list(link) == [0, 1, 2, 3]

    def test_close_wakes_a_waiting_consumer(self) -> None:
        """An empty link that is closed ends the loop."""
        link: Link[int] = Link(1, Cancel())
        consumer = Worker(lambda: list(link))
        link.close()

        assert consumer.done() == []

    def test_abandon_wakes_a_waiting_producer(self) -> None:
        """A consumer that stops early does not leave its producer hanging."""
        link: Link[int] = Link(1, Cancel())
        tap = Tap()
        producer = Worker(lambda: feed(link, tap(iter(range(10)))))
        assert tap.reaches(2)

        link.abandon()

        with pytest.raises(Closed):
            producer.done()
        with pytest.raises(Closed):
            link.put(1)

    def test_abandon_lets_go_of_what_waits(self) -> None:
        """Frames in a link that nobody reads are freed."""
        link: Link[int] = Link(5, Cancel())
        link.put(1)
        link.abandon()
        link.close()

        assert list(link) == []


class TestCancel:
    """The switch of a whole pipeline."""

    def test_it_wakes_both_ends_of_every_link(self) -> None:
        """Producers that wait and consumers that wait all get Closed."""
        cancel = Cancel()
        full: Link[int] = Link(1, cancel)
        empty: Link[int] = Link(1, cancel)
        tap = Tap()
        producer = Worker(lambda: feed(full, tap(iter(range(10)))))
        consumer = Worker(lambda: list(empty))
        assert tap.reaches(2)

        cancel.set()

        for worker in (producer, consumer):
            with pytest.raises(Closed):
                worker.done()

    def test_what_waits_is_not_delivered(self) -> None:
        """After the switch nothing more is worked on."""
        cancel = Cancel()
        link: Link[int] = Link(5, cancel)
        feed(link, range(3))
        items = iter(link)
        assert next(items) == 0

        cancel.set()

        with pytest.raises(Closed):
            next(items)

    def test_links_made_later_are_closed_at_once(self) -> None:
        """Whoever comes too late does not wait for ever."""
        cancel = Cancel()
        cancel.set()
        link: Link[int] = Link(1, cancel)

        assert cancel.is_set
        with pytest.raises(Closed):
            link.put(1)
        with pytest.raises(Closed):
            list(link)

    def test_twice_is_once(self) -> None:
        """A second interrupt changes nothing."""
        cancel = Cancel()
        Link(1, cancel)
        cancel.set()
        cancel.set()

        assert cancel.is_set

    def test_a_chain_of_stages_ends(self) -> None:
        """An error in the last of three stages stops the first one, too."""
        cancel = Cancel()
        first: Link[int] = Link(2, cancel)
        second: Link[int] = Link(2, cancel)

        def forward() -> None:
            for item in first:
                second.put(item * 2)
            second.close()

        def endless() -> Iterator[int]:
            number = 0
            while True:
                yield number
                number += 1

        producer, middle = Worker(lambda: feed(first, endless())), Worker(forward)
        items = iter(second)
        assert [next(items) for _ in range(5)] == [0, 2, 4, 6, 8]

        cancel.set()

        for worker in (producer, middle):
            with pytest.raises(Closed):
                worker.done()
