"""The command line in a process of its own, for a long time, with a camera that is often gone."""

from __future__ import annotations

import itertools
import json
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.cli.process import start
from tests.live.figures.faults import OTHER_SIZE, PASSWORD, SESSION, SIZE, USER
from tests.live.figures.parts import Audience, Figures, Holding, Promise
from tests.live.rtsp_server import Server

FAULT_SECONDS = 30.0
"""From one to the next."""
GONE_SECONDS = 6.0
"""How long each lasts."""
SAMPLE_SECONDS = 2.0
WARM_UP = 1 / 3
"""Of the whole time."""
SLOPE = 1.0
"""Megabytes in ten minutes."""
EXIT_SECONDS = 5.0
KEPT = 1000
"""Frames that the audience remembers."""
SECRET = f"{USER}:{PASSWORD}@"


def soak(minutes: float) -> Figures:
    """Memory after warm-up rises slower than `SLOPE`, and the service ends as it should."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(size=SIZE, clock=True, user=USER, password=PASSWORD) as camera,
    ):
        address, config = f"ipc://{folder}/frames", Path(folder, "live.yaml")
        config.write_text(json.dumps({  # JSON is YAML
            "sources": [{"url": camera.url(USER, PASSWORD)}], "publish": {"address": address},
            "streams": {"branch": "rain"}, "session": SESSION, "log": "json",
        }))  # fmt: skip
        with (
            Path(folder, "log").open("w") as log,
            start("live", "--config", str(config), stdout=log, stderr=log) as service,
            Audience(address, keep=KEPT) as audience,
        ):
            try:
                audience.wait_for(lambda: bool(audience.frames))
                samples, faults = _watched(service.pid, camera, minutes * 60)
                alive = service.poll() is None
                audience.wait_for(lambda: time.monotonic() - audience.frames[-1].at < 1)
                begun = time.monotonic()
                service.send_signal(signal.SIGTERM)
                status, ended = service.wait(60), time.monotonic() - begun
            finally:
                service.kill()
        leaked = SECRET in Path(folder, "log").read_text()
    times, megabytes = np.array([(at, holding.megabytes) for at, holding in samples]).T
    slope = float(np.polyfit(times, megabytes, 1)[0]) * 600
    first, last = (min(each) for each in (_descriptors(samples[:30]), _descriptors(samples[-30:])))
    return Figures(f"{minutes:g} minutes, {faults} faults of the camera", [
        Promise(f"memory after warm-up rises by at most {SLOPE:g} MB in 10 minutes", f"{slope:+.2f} MB",
                slope <= SLOPE),
        Promise("descriptors stay", f"{first} -> {last}", last <= first),
        Promise("the service is the same process to the end, and on air",
                f"{audience.messages} messages", alive),
        Promise(f"after SIGTERM it is gone within {EXIT_SECONDS:g} s, with status 0",
                f"{ended:.1f} s, status {status}", status == 0 and ended <= EXIT_SECONDS, timing=True),
        Promise("no password in its log", "found" if leaked else "none", not leaked),
    ], [("memory", f"{megabytes[0]:.0f} -> {megabytes[-1]:.0f} MB")])  # fmt: skip


def _watched(process: int, camera: Server, seconds: float) -> tuple[list[tuple[float, Holding]], int]:
    """What it holds, sample by sample, and how many faults there were."""
    samples: list[tuple[float, Holding]] = []
    begun, faults = time.monotonic(), 0
    plan = itertools.cycle(_faults(camera))
    due, mend = begun + min(FAULT_SECONDS, seconds / 4), None
    while (now := time.monotonic()) < begun + seconds:
        if now >= due:
            if mend is None:
                gone, back = next(plan)
                gone()
                mend, due, faults = back, now + min(GONE_SECONDS, seconds / 4), faults + 1
            else:
                mend()
                mend, due = None, now + FAULT_SECONDS - GONE_SECONDS
        if now >= begun + WARM_UP * seconds:
            samples.append((now, Holding.now(process)))
        time.sleep(SAMPLE_SECONDS)
    if mend is not None:
        mend()
    return samples, faults


def _faults(camera: Server) -> list[tuple[Callable[[], None], Callable[[], None]]]:
    """Ways to be gone, and to be back."""
    return [
        (camera.kill, camera.restart),
        (camera.freeze, camera.thaw),
        (camera.kill, lambda: camera.restart(size=OTHER_SIZE)),
        (camera.kill, lambda: camera.restart(size=SIZE, codec="mpeg4")),
        (camera.kill, lambda: camera.restart(codec="h264")),
    ]


def _descriptors(samples: list[tuple[float, Holding]]) -> list[int]:
    return [holding.descriptors for _, holding in samples]
