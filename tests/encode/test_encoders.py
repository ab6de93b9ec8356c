"""Encoders give the same packets every time, and their memory back."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamrestore.encode import SegmentSink, check_output, video_head
from streamrestore.seams import Restored
from streamrestore.settings import EncodeSettings
from streamrestore.weather import Decision
from tests.cli.process import ENVIRONMENT
from tests.encode.helpers import read_source
from tests.media import write_video

ENCODE = """
import hashlib, sys
from pathlib import Path
from tests.encode.test_encoders import encode_segment
print(encode_segment(Path(sys.argv[1])))
"""


def encode_segment(folder: Path) -> str:
    """Encode the folder's video as a segment; the hash of its packets."""
    info, batches = read_source(folder / "in.mkv")
    settings = EncodeSettings(threads=1)
    plan = check_output(folder / "out.mp4", None, settings, info)
    head = video_head(batches[0], info, plan.container, alone=True)
    sink = SegmentSink(folder / f"{os.getpid()}.packets", head, plan, settings)
    for batch in batches:
        sink.write(Restored(batch, Decision()))
    return sink.finish().sha256


def test_x264_is_repeatable(tmp_path: Path) -> None:
    """Whatever was in its memory before, at sizes for which its fastest code reads what it never wrote."""
    write_video(tmp_path / "in.mkv", frames=24, size=(160, 120), pattern="moving")
    hashes = [
        subprocess.run(
            [sys.executable, "-c", ENCODE, str(tmp_path)],
            env=ENVIRONMENT | {"MALLOC_PERTURB_": filling}, capture_output=True, text=True, check=True,
        ).stdout
        for filling in ("1", "165")
    ]  # fmt: skip
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("how", ["finished", "aborted"])
def test_segments_leave_no_encoder(tmp_path: Path, how: str) -> None:
    """Not even until the garbage collector comes: an encoder has much memory, and few objects."""
    write_video(tmp_path / "in.mkv", frames=3, pattern="moving")
    gc.collect()
    gc.disable()
    try:
        before = open_outputs()
        if how == "finished":
            encode_segment(tmp_path)
        else:
            info, batches = read_source(tmp_path / "in.mkv")
            plan = check_output(tmp_path / "out.mp4", None, EncodeSettings(), info)
            head = video_head(batches[0], info, plan.container, alone=True)
            sink = SegmentSink(tmp_path / "a.packets", head, plan, EncodeSettings())
            sink.write(Restored(batches[0], Decision()))
            sink.abort()
            del sink
        assert open_outputs() == before
    finally:
        gc.enable()


def open_outputs() -> int:
    """Containers that are written and were not freed yet."""
    return sum(type(each).__name__ == "OutputContainer" for each in gc.get_objects())
