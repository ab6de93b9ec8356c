"""Edit lists and starts: what is shown and heard when, encoded in segments and copied."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from streamrestore.encode import CannotCopy, copy_file
from streamrestore.seams import SinkReport
from streamrestore.settings import EncodeSettings
from tests.encode.boxes import Edits, set_edits
from tests.encode.helpers import GEN_PTS, read_source
from tests.encode.test_join import cut
from tests.media import write_video

FRAMES, RATE, SOUND = 50, 12800, 48000
"""Pictures of a source, ticks of its video and of its sound in a second."""
FIRST = 1024
"""Where the first picture is stored: two are reordered."""

EDITS: dict[str, tuple[Edits | None, Edits | None]] = {
    "sound begins inside": (None, [(1.5, SOUND // 4)]),
    "a piece of sound is cut out": (None, [(0.6, 0), (0.8, SOUND)]),
    "sound begins later": (None, [(0.2, -1), (1.8, 0)]),
    "pictures begin later": ([(0.2, -1), (2, FIRST)], None),
    "pictures begin inside": ([(1.4, FIRST + RATE // 5)], None),
    "a piece of pictures is cut out": ([(0.8, FIRST), (0.8, FIRST + RATE * 6 // 5)], None),
    "both begin inside": ([(1.4, FIRST + RATE // 5)], [(1.4, SOUND // 5)]),
}

STARTS = {"pictures before 0": -RATE // 5, "pictures after 0": RATE // 3}
HIDES_PICTURES = {name for name, (shown, _) in EDITS.items() if shown} | {"pictures before 0"}


def pictures(path: Path) -> tuple[list[Fraction], Fraction]:
    """When pictures are shown, in seconds, and the tick."""
    with av.open(str(path)) as container:
        container.flags &= ~GEN_PTS
        stream = container.streams.video[0]
        base = stream.time_base
        return [(f.dts if f.pts is None else f.pts) * base for f in container.decode(stream)], base  # type: ignore[operator]


def sounds(path: Path) -> tuple[dict[bytes, Fraction], Fraction]:
    """When each piece of sound is heard, in seconds, and the tick."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        base = stream.time_base
        assert base is not None
        frames = [(f.to_ndarray().tobytes(), (f.pts or 0) * base) for f in container.decode(stream)]
    found = dict(frames)
    assert len(found) == len(frames)  # a tone that never repeats
    return found, base


def send(source: Path, target: Path, how: str) -> SinkReport:
    """As the pipeline would: in segments, or copied."""
    if how == "joined":
        return cut(source, target, "h264", borders=(5, 9)).join()
    return copy_file(source, target, read_source(source)[0], EncodeSettings())


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a video for each list of edits."""
    folder = tmp_path_factory.mktemp("sources")
    coder = {"codec": "libx264", "options": {"preset": "veryfast", "qp": "20"}}
    made: dict[str, Any] = {"frames": FRAMES, "pattern": "moving", "audio": {"codec": "alac"}, **coder}
    write_video(folder / "whole.mp4", **made)
    for name, start in STARTS.items():
        write_video(folder / f"{name}.mp4", start=start, time_base=Fraction(1, RATE), **made)
    for name, edits in EDITS.items():
        path = folder / f"{name}.mp4"
        path.write_bytes((folder / "whole.mp4").read_bytes())
        for track, entries in enumerate(edits):
            if entries is not None:
                set_edits(path, track, entries)
    return folder


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("how", ["joined", "copied"])
@pytest.mark.parametrize("name", [*EDITS, *STARTS])
def test_edit_lists(sources: Path, tmp_path: Path, name: str, how: str, extension: str) -> None:
    """What the source shows and lets hear is there, at its time; what it hides is not."""
    source, target = sources / f"{name}.mp4", tmp_path / f"out{extension}"

    try:
        send(source, target, how)
    except CannotCopy:  # it is encoded then
        assert name in HIDES_PICTURES
        return

    (before, _), (after, tick) = pictures(source), pictures(target)
    assert len(after) == len(before)
    for old, new in zip(before, after, strict=True):
        assert abs((new - after[0]) - (old - before[0])) <= tick
    (old_sounds, _), (new_sounds, sound_tick) = sounds(source), sounds(target)
    assert len(new_sounds) <= len(old_sounds) + 1  # one packet readies the decoder
    heard = [piece for piece in old_sounds if piece in new_sounds]
    assert len(heard) >= len(old_sounds) - 1  # the first may begin inside a packet
    for piece in heard:
        moved = (new_sounds[piece] - after[0]) - (old_sounds[piece] - before[0])
        assert abs(moved) <= max(tick, sound_tick)


def test_sources_are_what_they_say(sources: Path) -> None:
    """Edit lists that FFmpeg reads: fewer pictures, pieces of sound that are missing, other starts."""
    whole = len(pictures(sources / "whole.mp4")[0]), len(sounds(sources / "whole.mp4")[0])
    for name in (*EDITS, *STARTS):
        shown, heard = pictures(sources / f"{name}.mp4")[0], sounds(sources / f"{name}.mp4")[0]
        first_heard = min(heard.values())
        assert (len(shown), len(heard)) != whole or shown[0] != first_heard, name
        assert all(a < b for a, b in pairwise(shown))
