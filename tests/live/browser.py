"""A real browser, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

LIMIT = 60.0
"""Seconds after which a test is given up."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

_COMMAND = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip


class Browser:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def open(self, url: str) -> None:
        """Go there."""
        self.call("Page.navigate", url=url)

    def evaluate(self, code: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        told = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait_for(self, code: str) -> Any:
        """The value of an expression once it is true."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            with contextlib.suppress(AssertionError):  # the page is not there yet
                if value := self.evaluate(code):
                    return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {code}; the page says: {self.evaluate('document.body.innerText')}")

    def press(self, key: str, code: int) -> None:
        """A key, where the focus is."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """With the left button, from one place of the window to another."""
        for kind, (x, y) in (("mousePressed", begin), ("mouseMoved", end), ("mouseReleased", end)):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def resize(self, width: int, height: int) -> None:
        """The size of a phone, or of any other window."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )  # fmt: skip

    def screenshot(self, path: Path) -> None:
        """All that is in the window, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its answer."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv(timeout=LIMIT))
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]  # type: ignore[no-any-return]


@contextlib.contextmanager
def browser(folder: Path, width: int = 1280, height: int = 1600) -> Iterator[Browser]:
    """A browser with a profile of its own in a folder."""
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, *_COMMAND, f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "DevTools listening on" in line).split()[-1]
        with connect(said, max_size=None) as socket:
            whole = Browser(socket)
            (page, *_) = (
                each for each in whole.call("Target.getTargets")["targetInfos"] if each["type"] == "page"
            )
        port = said.split("/")[2]
        with connect(f"ws://{port}/devtools/page/{page['targetId']}", max_size=None) as socket:
            yield Browser(socket)
    finally:
        process.kill()
        process.communicate()
