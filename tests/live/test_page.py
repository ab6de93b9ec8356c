"""The page in a real browser."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from streamrestore.frames import Frame, FrameBatch
from streamrestore.live.engines import Engines
from streamrestore.live.preview import LONGEST_SIDE
from streamrestore.render.timeline import COLORS
from streamrestore.weather import Decision
from tests.live.browser import CHROMIUM, Browser, browser
from tests.live.engines import ToldEngine
from tests.live.watched import watched
from tests.media import write_video

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(
        CHROMIUM is None and "STREAMRESTORE_NO_SKIP" not in os.environ,
        reason="needs Chromium: apt-get install chromium",
    ),
]

TOKEN = "a-token-of-many-letters"  # noqa: S105
SELDOM = {"retry": {"first_seconds": 600, "longest_seconds": 600}}
"""What is not there stays as it is."""
END, HOME, RIGHT = 35, 36, 39


WHITE = (235, 128, 128)


class BrightEngine(ToldEngine):
    """What it restores is white, which can be told from what came."""

    def apply_each(
        self, frames: FrameBatch, decision: Decision, pasts: Sequence[Sequence[Frame]]
    ) -> FrameBatch:
        """See above."""
        done = tuple(
            replace(
                frame,
                planes=tuple(
                    np.full_like(plane, code) for plane, code in zip(frame.planes, WHITE, strict=True)
                ),
            )
            for frame in super().apply_each(frames, decision, pasts).frames
        )
        return replace(frames, frames=done)


def brightness(tab: Browser, folder: Path) -> npt.NDArray[np.floating]:
    """What can be seen of the first picture: the mean of each column, 0 to 255, from left to right."""
    left, top, width, height = tab.evaluate(
        "(() => { const r = document.querySelector('.pair').getBoundingClientRect();"
        " return [r.left, r.top, r.width, r.height]; })()"
    )
    tab.screenshot(folder / "page.png")
    with av.open(str(folder / "page.png")) as file:
        seen = next(file.decode(video=0)).to_ndarray(format="gray")
    third = height / 3  # words stand at the bottom
    return seen[round(top + third) : round(top + 2 * third), round(left) : round(left + width)].mean(0)


def wait_for_line(tab: Browser, share: str) -> None:
    """The restored picture is cut off there."""
    tab.wait_for(f"getComputedStyle(document.querySelector('.after')).clipPath.includes('{share}')")


def test_pictures_slider_and_numbers(tmp_path: Path) -> None:
    """They arrive, the slider moves the line between them, and the charts have something to show."""
    write_video(tmp_path / "a.mkv", size=(320, 180), frames=10, pattern="moving", matrix=1, range=1)
    (tmp_path / "token").write_text(TOKEN)
    source = {"url": str(tmp_path / "a.mkv"), "loop": True, "name": "gate"}
    with (
        watched(
            source, "rtsp://127.0.0.1:9/none", engines=Engines(BrightEngine()),
            token_file=str(tmp_path / "token"), session=SELDOM,
        ) as service,
        browser(tmp_path / "profile") as tab,
    ):  # fmt: skip
        tab.open(f"{service.address}?token={TOKEN}")
        tab.wait_for("document.querySelector('[data-stream=gate]')?.dataset.pictures >= 3")
        tab.wait_for("document.querySelector('[data-stream=gate] .weather .rain') !== null")
        tab.wait_for("document.querySelector('[data-stream=cam2] .state').textContent === 'backing off'")
        half = brightness(tab, tmp_path)
        tab.evaluate("document.querySelector('input').focus()")
        tab.press("End", END)
        wait_for_line(tab, "100%")
        before = brightness(tab, tmp_path)
        tab.press("Home", HOME)
        wait_for_line(tab, "0px 0px 0%")
        after = brightness(tab, tmp_path)
        tab.press("ArrowRight", RIGHT)
        wait_for_line(tab, " 1%")
        x, y, width = tab.evaluate(
            "(() => { const r = document.querySelector('.pair').getBoundingClientRect();"
            " return [r.left, r.top, r.width]; })()"
        )
        tab.drag((x + 5, y + 20), (x + 0.75 * width, y + 20))
        wait_for_line(tab, " 75%")
        shape = tab.evaluate("(({ width, height }) => [width, height])(document.querySelector('.after'))")
        words = tab.evaluate("document.body.innerText")
        charts = tab.evaluate("[...document.querySelectorAll('svg')].map((each) => each.ariaLabel)")
        wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        tab.resize(360, 800)
        tab.wait_for("innerWidth === 360")
        narrow = tab.evaluate("document.documentElement.scrollWidth - innerWidth")

    columns = half.size // 2
    assert half[4 : columns - 4].mean() < 245 < half[columns + 4 : -4].mean()
    assert before[4:-4].mean() < 245 < after[4:-4].mean()
    assert shape == [320, 180]
    assert max(shape) <= LONGEST_SIDE
    assert "1 of 2 streams online" in words
    assert "ffv1 320x180, 25 pictures/s" in words
    assert "refused" in words
    assert charts[0] == "Weather of the last 5 minutes; now: rain"
    assert charts[1].startswith("Latency of the last 5 minutes; at most ")
    assert wide <= 0
    assert narrow <= 0


def test_who_does_not_look_is_sent_nothing(tmp_path: Path) -> None:
    """A page that is paused asks for no picture, and says so."""
    write_video(tmp_path / "a.mkv", frames=10, pattern="smooth")
    with (
        watched({"url": str(tmp_path / "a.mkv"), "loop": True}) as service,
        browser(tmp_path / "profile") as tab,
    ):
        tab.open(service.address)
        tab.wait_for("document.querySelector('[data-stream=cam1]')?.dataset.pictures >= 1")
        tab.evaluate("document.querySelector('button').click()")
        tab.wait_for("document.querySelector('.word').textContent === 'paused'")
        shown = tab.evaluate("document.querySelector('[data-stream=cam1]').dataset.pictures")
        out = service.state()["streams"][0]["frames_out"]
        tab.wait_for(
            f"fetch('status').then((a) => a.json()).then((a) => a.streams[0].frames_out > {out} + 12)"
        )
        assert tab.evaluate("document.querySelector('[data-stream=cam1]').dataset.pictures") == shown
        tab.evaluate("document.querySelector('button').click()")
        tab.wait_for(f"document.querySelector('[data-stream=cam1]').dataset.pictures > {shown}")


def test_colours_are_those_of_reports() -> None:
    """A weather has one colour everywhere."""
    page = (Path(__file__).parents[2] / "streamrestore" / "live" / "page.html").read_text()

    for name in ("rain", "haze", "raindrop", "noise", "none"):
        assert f".{name} {{ --lane: {COLORS[name]}; }}" in page
