"""One hour of video: as much memory at the end as after the first minute."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import av
import msgspec
import numpy as np

from tests.cli.process import start
from tests.reliability.result import Asked, Failure, Row, megabytes
from tests.reliability.watched import resident

COUNT = 60
"""Minutes."""
RATE, SIZE = 10, (320, 180)
PROMISED = 0.05
_GLANCE_SECONDS = 0.1
_WINDOW = 20
"""Samples of which the median is taken."""


class Sample(msgspec.Struct, frozen=True):
    """Memory at a moment.

    Attributes:
        frames: done in this phase by then.
    """

    phase: str
    frames: int
    bytes: int


def make_hour(path: Path, minutes: int, seed: int = 0) -> None:
    """A scene that is panned over, there and back, with rain of noise; 10 pictures per second."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    coarse = rng.integers(0, 256, (height // 4 + 40, width // 4 + 40)).astype(np.float32)
    scene = np.kron(coarse, np.ones((4, 4), np.float32)) * 0.7 + rng.normal(
        40, 8, (height + 160, width + 160)
    )
    luma = np.clip(scene, 16, 235).astype(np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "30", "g": "50"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(minutes * 60 * RATE):
            frame = av.VideoFrame(width, height, "yuv420p")
            step = abs(80 - index % 160)
            planes = [luma[step : step + height, 2 * step : 2 * step + width]]
            planes += [np.full((height // 2, width // 2), 128, np.uint8)] * 2
            for plane, samples in zip(frame.planes, planes, strict=True):
                view = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                view[:, : samples.shape[1]] = samples
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def watch(arguments: list[str]) -> tuple[int, list[Sample]]:
    """Run the command line; its exit status, and its memory on the way."""
    process = start(*arguments, "--progress", "json", stdout=subprocess.DEVNULL, start_new_session=True)
    state = {"phase": "start", "frames": 0}

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with contextlib.suppress(json.JSONDecodeError):
                told = json.loads(line)
                if "phase" in told:
                    state.update(phase=told["phase"], frames=told["frames"])

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    samples = []
    while process.poll() is None:
        samples.append(Sample(str(state["phase"]), int(state["frames"]), _of_group(process.pid)))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GLANCE_SECONDS)
    reader.join()
    return process.returncode, samples


def _of_group(leader: int) -> int:
    """Memory of a process and all that it started."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            if int(path.read_text().rpartition(")")[2].split()[2]) == leader:
                total += resident(int(path.parent.name))
    return total


def level(samples: list[Sample], phase: str, frames: int | None = None) -> float:
    """Usual memory once so many frames of a phase are done; at its end without."""
    inside = [sample for sample in samples if sample.phase == phase]
    if frames is None:
        inside = inside[-_WINDOW:]
    else:
        inside = [sample for sample in inside if sample.frames >= frames][:_WINDOW]
    return statistics.median(sample.bytes for sample in inside) if inside else 0.0


def run(asked: Asked) -> list[Row]:
    """Restore a video of so many minutes."""
    count, minute = asked.count or COUNT, 60 * RATE
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_hour(folder / "in.mp4", count, asked.seed)
        began = time.monotonic()
        status, samples = watch(
            ["restore", str(folder / "in.mp4"), "-o", str(folder / "out.mp4"), "--branch", "rain"]
        )
        seconds = time.monotonic() - began
    after, end = level(samples, "restore", minute), level(samples, "restore")
    growth = end / after - 1 if after else 0.0
    failures = []
    if status != 0:
        failures.append(Failure(0, "restored", f"status {status}"))
    if abs(growth) > PROMISED:
        what = f"{megabytes(after)} after a minute, {megabytes(end)} at the end"
        failures.append(Failure(0, "memory", what))
    figures = {
        "minutes of 320x180 at 10 fps": str(count),
        "after minute 1": megabytes(after),
        "at the end": f"{megabytes(end)} ({growth:+.1%})",
        "most": megabytes(max(sample.bytes for sample in samples)),
        "while planning": " to ".join(megabytes(level(samples, "plan", frames)) for frames in (minute, None)),
        "took": f"{seconds:.0f} s",
    }
    promise = "memory of a one-hour file: after minute 1 and at the end within 5 %"
    return [Row(promise, 1, tuple(failures), figures)]
