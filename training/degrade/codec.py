"""Codec damage: real encodes in memory, H.264 and MPEG-4 for clips, JPEG for stills (METHOD section 6)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import cv2
import numpy as np
from torch import Tensor

from ._arrays import check_clip, from_8bit, to_8bit, to_arrays, to_tensor

Codec = Literal["h264", "mpeg4", "jpeg"]


@dataclass(frozen=True, slots=True)
class CodecParams:
    """One clip's encode."""

    codec: Codec
    """Coder; jpeg codes each frame alone."""
    level: int
    """h264: crf, 0 to 51; mpeg4: quantiser, 1 to 31; jpeg: quality, 100 best to 1."""
    subsample: bool
    """jpeg: True for 4:2:0 chroma, False for 4:4:4. Video is always 4:2:0."""


def draw(rng: np.random.Generator, *, still: bool = False, strong: bool = False) -> CodecParams:
    """Draw one clip's encode; `still` asks for JPEG, `strong` for damage that hides the picture."""
    kind: Codec = "jpeg" if still or rng.random() < 0.2 else ("h264" if rng.random() < 0.65 else "mpeg4")
    low, high = {
        "h264": (41, 49) if strong else (26, 40),
        "mpeg4": (20, 31) if strong else (2, 14),
        "jpeg": (4, 16) if strong else (40, 95),
    }[kind]
    return CodecParams(kind, int(rng.integers(low, high + 1)), bool(rng.random() < 0.7))


def still(params: CodecParams) -> CodecParams:
    """The JPEG whose quantiser comes near `params`, for a clip of one frame."""
    if params.codec == "jpeg":
        return params
    harm = params.level / 31 if params.codec == "mpeg4" else (params.level - 15) / 34
    return CodecParams("jpeg", int(np.clip(95 - 90 * harm, 4, 95)), params.subsample)


def apply(
    clean: Tensor, params: CodecParams, rng: np.random.Generator, *, times: Sequence[float] = (0.0,)
) -> tuple[Tensor, float]:
    """Encode and decode a clip; the size is kept (padded to even, cropped back).

    Args:
        clean: (T, 3, H, W) float32, display-coded RGB; clipped to [0, 1] and rounded to 8 bit first.
        params: the clip's encode.
        rng: unused, kept for the common contract.
        times: T times in seconds; the mean step is the frame rate.

    Returns:
        The decoded clip, (T, 3, H, W) in [0, 1], and the severity: RMS damage on the 8-bit scale.
    """
    del rng
    check_clip(clean, len(times))
    frames = [to_8bit(frame) for frame in to_arrays(clean)]
    if params.codec == "jpeg":
        coded = [_jpeg(frame, params) for frame in frames]
    else:
        coded = _video(frames, params, times)
    errors = [np.mean((a.astype(np.float32) - b) ** 2) for a, b in zip(frames, coded, strict=True)]
    return to_tensor([from_8bit(frame) for frame in coded]), float(np.sqrt(np.mean(errors)))


def _jpeg(frame: np.ndarray, params: CodecParams) -> np.ndarray:
    sampling = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if params.subsample else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    )
    options = [cv2.IMWRITE_JPEG_QUALITY, params.level, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(frame[..., ::-1]), options)
    if not done:
        raise RuntimeError(f"OpenCV could not encode a JPEG of {frame.shape}")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError(f"OpenCV could not decode its own JPEG of {frame.shape}")
    return np.ascontiguousarray(decoded[..., ::-1])


def _video(frames: list[np.ndarray], params: CodecParams, times: Sequence[float]) -> list[np.ndarray]:
    import av  # not at the top: stills need no PyAV, and not every machine that trains has it

    height, width = frames[0].shape[:2]
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.04
    rate = Fraction(1.0 / step if step > 0.0 else 25.0).limit_denominator(1001)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="nut") as container:
        if params.codec == "h264":
            options = {"crf": str(params.level), "preset": "veryfast", "threads": "1"}
            options["x264-params"] = "asm=avx2"  # with AVX-512 it does not repeat itself at some widths
            stream = container.add_stream("libx264", rate=rate, options=options)
        else:
            level = str(params.level)
            stream = container.add_stream(
                "mpeg4", rate=rate, options={"qmin": level, "qmax": level, "threads": "1"}
            )
        # 16 is the least that both coders take
        stream.width, stream.height = max(width + width % 2, 16), max(height + height % 2, 16)
        stream.pix_fmt = "yuv420p"
        pad = ((0, stream.height - height), (0, stream.width - width), (0, 0))
        for pts, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.pad(frame, pad, mode="edge"), format="rgb24")
            picture.pts = pts
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        decoded = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    if len(decoded) != len(frames):
        raise RuntimeError(f"{params.codec} gave {len(decoded)} frames back for {len(frames)}")
    return [np.ascontiguousarray(frame[:height, :width]) for frame in decoded]
