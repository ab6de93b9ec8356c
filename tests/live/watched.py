"""A live service that can be looked at from outside."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from streamrestore.live.config import HttpSettings
from streamrestore.live.http import Window
from tests.live.running import LIMIT, Running, running


class Watched:
    """A service, and what it answers.

    Attributes:
        address: ends with a slash.
    """

    def __init__(self, live: Running, address: str) -> None:
        self.live, self.address = live, address

    def ask(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of an answer."""
        request = urllib.request.Request(self.address + path, headers=headers)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def state(self, **query: object) -> dict[str, Any]:
        """What ``/status`` tells."""
        words = "&".join(f"{name}={value}" for name, value in query.items())
        return json.loads(self.ask(f"status?{words}")[1])

    @property
    def preview(self) -> str:
        """Address of the WebSocket."""
        return self.address.replace("http", "ws") + "preview"


@contextlib.contextmanager
def watched(*sources: dict[str, Any] | str, token_file: str | None = None, **more: Any) -> Iterator[Watched]:
    """A service that reads these sources, as `settings_of` takes them."""
    window = Window(HttpSettings("127.0.0.1:0", token_file))
    with (
        running(*sources, outlets=window.outlets, **more) as live,
        window.serving(lambda: live.service.status),
    ):
        yield Watched(live, window.address)


def until(true: Callable[[], Any]) -> Any:
    """What something is, once it is true."""
    deadline = time.monotonic() + LIMIT
    while not (value := true()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value
