"""Makes the README's picture: each example clip before and after, ``python -m examples.before_after``.

Each picture's left half is the input, its right half what the named branch makes of it.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt
import torch

import streamrestore
from streamrestore.planes import to_rgb

CLIPS = Path(__file__).parent / "clips"
SHOWN = (
    ("dashcam_clear_rain_haze.mp4", 2.6, "rain"),
    ("dashcam_clear_rain_haze.mp4", 5.4, "haze"),
    ("surveillance_raindrop.mp4", 2.0, "raindrop"),
    ("stream_noise_audio.mp4", 1.5, "noise"),
)
SIZE = (576, 324)


def moment(path: Path, seconds: float) -> streamrestore.FrameBatch:
    """The decoded frame that is shown at a time."""
    with streamrestore.open_source(path, batch_size=1) as source:
        batches = [b for b in source if b.seconds(b.frames[0]) <= seconds]
    return batches[-1]


def picture(batch: streamrestore.FrameBatch) -> npt.NDArray[np.uint8]:
    """(H, W, 3) BGR of one frame, for OpenCV."""
    luma, *chroma = (np.array(p) for p in batch.frames[0].planes)
    full = [luma, *(cv2.resize(c, luma.shape[::-1], interpolation=cv2.INTER_LINEAR) for c in chroma)]
    rgb = to_rgb([torch.from_numpy(p) for p in full], batch.coding)
    codes = np.rint(np.clip(rgb.numpy(), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(codes.transpose(1, 2, 0)[..., ::-1])


@click.command()
@click.option("-o", "--output", default="docs/images/before_after.jpg", type=click.Path(path_type=Path))
def main(output: Path) -> None:
    """Write the picture."""
    restorer = streamrestore.load_restorer()
    tiles = []
    for name, seconds, label in SHOWN:
        batch = moment(CLIPS / name, seconds)
        result = restorer.restore(batch, branch=label)
        before, after = (
            cv2.resize(picture(b), SIZE, interpolation=cv2.INTER_AREA) for b in (batch, result.frames)
        )
        half = SIZE[0] // 2
        tile = np.hstack([before[:, :half], after[:, half:]])
        tile[:, half - 1 : half + 1] = 255
        cv2.putText(tile, label, (10, SIZE[1] - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 4, cv2.LINE_AA)
        cv2.putText(
            tile, label, (10, SIZE[1] - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255,) * 3, 1, cv2.LINE_AA
        )
        tiles.append(tile)
    sheet = np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])
    output.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(output), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
