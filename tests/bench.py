"""How fast, as ratios in one run: ``make bench``.

Each stage is timed alone on prepared input, then the whole. The bound of a run is its slowest
stage, or all CPU seconds over the cores, whichever is more. Machines are shared and noisy: ratios
carry over, seconds do not.
"""

from __future__ import annotations

import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import click
import numpy as np
import torch

from streamrestore.decode import open_source
from streamrestore.encode import FileSink
from streamrestore.engine import Restorer, forced, load_restorer
from streamrestore.frames import FrameBatch
from streamrestore.networks.cost import gmac_per_megapixel
from streamrestore.pipeline.job import restore_file
from streamrestore.pipeline.making import BATCH
from streamrestore.pipeline.plan import plan_file
from streamrestore.seams import Restored
from streamrestore.settings import EncodeSettings, JobSettings, RestoreSettings
from streamrestore.weather import Weather

WIDTH, HEIGHT = 1280, 720
MATMUL = 2048


def make_clip(path: Path, frames: int) -> None:
    """A textured scene that moves, 720p H.264, 25 fps."""
    rng = np.random.default_rng(0)
    big = rng.integers(0, 256, (HEIGHT // 8 + 40, WIDTH // 8 + 40)).astype(np.float32)
    scene = np.kron(big, np.ones((8, 8), np.float32)) * 0.6 + rng.normal(50, 6, (HEIGHT + 320, WIDTH + 320))
    scene = np.clip(scene, 0, 255).astype(np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            step = 160 - abs(160 - index % 320)  # there and back
            planes = [scene[step : step + HEIGHT, 2 * step : 2 * step + WIDTH]] + [
                np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
            ] * 2
            for plane, samples in zip(frame.planes, planes, strict=True):
                view = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                view[:, : samples.shape[1]] = samples
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall seconds, CPU seconds of all threads)."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def median_ms(work: Callable[[], object], runs: int) -> float:
    """Median wall time after two warm-ups, in milliseconds."""
    work()
    work()
    return statistics.median(timed(work)[0] for _ in range(runs)) * 1000


def network_ratios(restorer: Restorer, batch: FrameBatch) -> None:
    """A frame, from planes to planes, over a matmul of the same precision."""
    compute = restorer.status.compute
    a, b = (torch.randn(MATMUL, MATMUL, dtype=compute.dtype, device=compute.device) for _ in range(2))
    for weather in Weather:
        runner = restorer.runner(weather)
        runner.restore_planes(batch, 1.0)
        work = functools.partial(runner.restore_planes, batch, 1.0)
        # In turn, so that both meet the same noise.
        pairs = [(timed(work)[0], timed(lambda: a @ b)[0]) for _ in range(25)]
        ratio = statistics.median(n / m for n, m in pairs)
        ms = statistics.median(n for n, _ in pairs) * 1000
        matmul = statistics.median(m for _, m in pairs) * 1000
        cost = gmac_per_megapixel(restorer.network(weather), weather)
        click.echo(
            f"{weather:9} {cost:5.2f} GMAC/MP  720p planes to planes {ms:6.1f} ms, "
            f"{MATMUL}^3 matmul {matmul:5.1f} ms, ratio {ratio:.2f}"
        )


@click.command()
@click.option("--frames", default=600, show_default=True)
@click.option("--tier", default="fast", show_default=True)
def main(frames: int, tier: str) -> None:
    """Print the ratios."""
    restorer = load_restorer(tier=tier)
    for name, value, why in restorer.status.lines():
        click.echo(f"{name}: {value} ({why})")
    with tempfile.TemporaryDirectory() as folder:
        clip, out = Path(folder) / "clip.mp4", Path(folder) / "out.mp4"
        make_clip(clip, frames)
        with open_source(clip, batch_size=1) as source:
            first = next(iter(source))
            info = source.info
        network_ratios(restorer, first)

        settings = JobSettings(
            restore=RestoreSettings(branch="rain", tier=tier), encode=EncodeSettings(overwrite=True)
        )
        batches: list[FrameBatch] = []

        def decode() -> None:
            batches.clear()
            with open_source(clip, batch_size=BATCH) as source:
                batches.extend(source)

        def restore() -> None:
            restored.clear()
            decision = forced("rain", 1.0)
            restored.extend(Restored(restorer.apply(b, decision), decision) for b in batches)

        def encode() -> None:
            sink = FileSink(out, info, settings.encode, source_path=clip)
            for part in restored:
                sink.write(part)
            sink.finish()

        restored: list[Restored] = []
        alone = {stage.__name__: timed(stage) for stage in (decode, restore, encode)}
        for name, (wall, cpu) in alone.items():
            click.echo(
                f"{name:8} alone: {frames / wall:7.1f} fps, {1000 * cpu / frames:6.1f} CPU ms per frame"
            )
        cores = len(os.sched_getaffinity(0))
        shared = sum(cpu for _, cpu in alone.values()) / cores
        bound = max(shared, *(wall for wall, _ in alone.values()))
        auto = JobSettings(restore=RestoreSettings(tier=tier))
        planning, _ = timed(lambda: plan_file(str(clip), auto, restorer=restorer))
        report = restore_file(str(clip), out, settings, restorer=restorer)
        click.echo(f"bound: {frames / bound:.1f} fps on {cores} cores")
        whole = report.restore_seconds
        click.echo(f"whole: {frames / whole:.1f} fps, {bound / whole:.2f} of the bound")
        share = planning / (planning + whole)
        click.echo(f"plan with routing: {frames / planning:.1f} fps, {share:.1%} of a restoring run")


if __name__ == "__main__":
    main()
