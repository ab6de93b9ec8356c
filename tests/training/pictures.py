"""A small data set, made in a folder."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt


def picture(seed: int, size: tuple[int, int] = (56, 72)) -> npt.NDArray[np.uint8]:
    """Blocks of colour with a little grain, (H, W, 3) RGB."""
    random = np.random.default_rng(seed)
    coarse = random.integers(20, 236, (size[0] // 8, size[1] // 8, 3))
    fine = np.kron(coarse, np.ones((8, 8, 1), int)) + random.integers(-8, 9, (*size, 3))
    return np.clip(fine, 0, 255).astype(np.uint8)


def write(path: Path, rgb: npt.NDArray[np.uint8]) -> None:
    """A file, lossless."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def write_clean(folder: Path, stems: list[str]) -> None:
    """One picture for each stem."""
    for seed, stem in enumerate(stems):
        write(folder / f"{stem}.png", picture(seed))


def write_pairs(folder: Path, stems: list[str]) -> None:
    """Darker inputs of clean targets."""
    for seed, stem in enumerate(stems):
        target = picture(100 + seed)
        write(folder / "target" / f"{stem}.png", target)
        write(folder / "input" / f"{stem}.png", target // 2)


def write_depth(folder: Path, stems: list[str]) -> None:
    """Pictures with inverse depth that falls towards the top."""
    for seed, stem in enumerate(stems):
        rgb = picture(200 + seed)
        folder.mkdir(parents=True, exist_ok=True)
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        assert cv2.imwrite(str(folder / f"{stem}.webp"), bgr, [cv2.IMWRITE_WEBP_QUALITY, 101])
        ramp = np.linspace(0, 65535, rgb.shape[0]).astype(np.uint16)[:, None]
        assert cv2.imwrite(str(folder / f"{stem}.png"), np.repeat(ramp, rgb.shape[1], axis=1))


def write_video(path: Path, frames: int) -> None:
    """A short clip, 64x48."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, (48, 64)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
