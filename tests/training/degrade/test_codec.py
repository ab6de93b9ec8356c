"""Tests of training/degrade/codec.py."""

import numpy as np
import pytest
import torch

from training.degrade import codec

from .clips import make_clip


@pytest.mark.parametrize(
    ("kind", "levels"), [("h264", (20, 35, 48)), ("mpeg4", (2, 10, 31)), ("jpeg", (90, 50, 8))]
)
def test_coarser_is_worse(kind: codec.Codec, levels: tuple[int, ...]) -> None:
    """Each coder's damage grows with its quantiser."""
    clean = make_clip((64, 96), 3)
    damage = [
        codec.apply(clean, codec.CodecParams(kind, level, subsample=True), np.random.default_rng(0),
                    times=(0.0, 0.04, 0.08))[1]
        for level in levels
    ]  # fmt: skip

    assert damage[0] < damage[1] < damage[2]


@pytest.mark.parametrize("kind", ["h264", "mpeg4", "jpeg"])
def test_a_fine_encode_is_the_same_picture(kind: codec.Codec) -> None:
    """At the best level the clip comes back in order and in place, colours included."""
    clean = make_clip((48, 64), 2)
    clean[1] = clean[1].flip(2)
    level = {"h264": 4, "mpeg4": 2, "jpeg": 100}[kind]
    out, _ = codec.apply(
        clean, codec.CodecParams(kind, level, False), np.random.default_rng(0), times=(0.0, 0.04)
    )

    assert float((out - clean).abs().mean()) < 0.03


def test_still_is_jpeg() -> None:
    """Any drawn encode has a JPEG for single frames, a coarser one for a coarser encode."""
    fine, coarse = (codec.still(codec.CodecParams("h264", crf, subsample=True)) for crf in (20, 45))

    assert fine.codec == coarse.codec == "jpeg"
    assert fine.level > coarse.level
    assert codec.draw(np.random.default_rng(0), still=True).codec == "jpeg"


def test_values_beyond_the_range_are_clipped_first() -> None:
    """White noise outside [0, 1] is stored as black and white."""
    clip = torch.full((1, 3, 32, 32), 1.4)
    out, _ = codec.apply(clip, codec.CodecParams("jpeg", 90, subsample=False), np.random.default_rng(0))

    assert float(out.min()) > 0.98
