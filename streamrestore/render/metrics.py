"""PSNR and SSIM of two videos, frame by frame: values, their summary, and files of them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from streamrestore.frames import Frame, FrameBatch
from streamrestore.render.pictures import EIGHT_BIT, Planes
from streamrestore.render.quality import WINDOW, psnr, ssim
from streamrestore.render.report_json import to_json
from streamrestore.render.side_file import check_side_file, write_side_file
from streamrestore.render.words import quantity

FLAG = "--metrics"


class FrameMetrics(msgspec.Struct, frozen=True):
    """How near two frames are to each other."""

    frame: int
    seconds: float
    """In the first video."""
    psnr: float | None
    """In dB; None if every sample is the same."""
    ssim: float | None
    """Of luma, 1 at most; None for pictures with a side of less than 11 pixels."""

    @property
    def identical(self) -> bool:
        """True if every sample is the same."""
        return self.psnr is None


def measure(
    first: tuple[Frame, FrameBatch], second: tuple[Frame, FrameBatch], shown: Sequence[Planes], index: int
) -> FrameMetrics:
    """Compare two frames: the stored samples if both mean the same, else the pictures as shown.

    Args:
        shown: both, upright, 8 bit 4:2:0, in one coding.
        index: of the frame.
    """
    (frame, batch), (other, others) = first, second
    a, b, peak = [*shown[0]], [*shown[1]], EIGHT_BIT.peak
    luma = (a[0], b[0], peak)
    if _alike(batch, others):
        peak = batch.format.peak
        a = [np.asarray(plane) for plane in frame.planes]
        b = [np.rot90(plane, (others.rotation - batch.rotation) // 90) for plane in other.planes]
        if batch.format.model != "rgb":
            luma = (a[0], b[0], peak)
    signal = psnr(a, b, peak)
    same = math.isinf(signal) and min(luma[0].shape) >= WINDOW
    likeness = 1.0 if same else ssim(*luma)
    return FrameMetrics(
        index,
        batch.seconds(frame),
        None if math.isinf(signal) else signal,
        None if math.isnan(likeness) else likeness,
    )


def metrics_summary(metrics: Sequence[FrameMetrics]) -> list[str]:
    """Mean and least of both, in a line each; PSNR over the frames that differ."""
    told = []
    differing = [(one.psnr, one.frame) for one in metrics if one.psnr is not None]
    same = len(metrics) - len(differing)
    if not differing:
        return [f"all {quantity(same, 'frame')} are identical"] if metrics else []
    mean = sum(value for value, _ in differing) / len(differing)
    least, frame = min(differing)
    line = f"PSNR {mean:.2f} dB on average, {least:.2f} dB at least (frame {frame})"
    told.append(line + (f", without the {same} of {len(metrics)} frames that are identical" if same else ""))
    likenesses = [(one.ssim, one.frame) for one in metrics if one.ssim is not None]
    if likenesses:
        mean = sum(value for value, _ in likenesses) / len(likenesses)
        least, frame = min(likenesses)
        told.append(f"SSIM {mean:.4f} on average, {least:.4f} at least (frame {frame})")
    return told


def check_metrics(path: Path, others: Sequence[Path], *, overwrite: bool) -> None:
    """Find out, before any work, whether the values can be written; see `check_side_file`."""
    check_side_file(FLAG, path, FORMATS, others, overwrite=overwrite)


def write_metrics(path: Path, metrics: Sequence[FrameMetrics]) -> None:
    """Write a row for each frame.

    Raises:
        OutputError: the disk is full or failed; nothing incomplete is left.
    """
    write_side_file(FLAG, path, FORMATS[path.suffix.lower()](metrics))


def _csv(metrics: Sequence[FrameMetrics]) -> bytes:
    """PSNR of identical frames is ``inf``; an SSIM that is not there stays empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("frame", "seconds", "psnr", "ssim"))
    for one in metrics:
        signal = "inf" if one.psnr is None else f"{one.psnr:.4f}"
        likeness = "" if one.ssim is None else f"{one.ssim:.6f}"
        writer.writerow((one.frame, f"{one.seconds:.6f}", signal, likeness))
    return text.getvalue().encode()


FORMATS: Mapping[str, Callable[[Sequence[FrameMetrics]], bytes]] = {".csv": _csv, ".json": to_json}
"""By the ending of the name."""


def _alike(batch: FrameBatch, others: FrameBatch) -> bool:
    """True if equal samples mean equal pictures."""
    a, b = batch.coding, others.coding
    return (
        batch.format == others.format
        and (a.matrix, a.full) == (b.matrix, b.full)
        and (batch.rotation - others.rotation) % 180 == 0
    )
