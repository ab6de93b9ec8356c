"""What is missing is counted, and what is not missing is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.decode import losses as kinds
from streamrestore.decode import open_source
from streamrestore.decode.losses import Evidence, Ledger, missing
from streamrestore.decode.structure import WHOLE, inspect
from streamrestore.errors import InputError
from tests.media import flip_bytes, read_planes, truncate, write_video, zero_block

H264 = {"codec": "libx264", "options": {"bf": "3", "g": "15", "qp": "25"}, "pattern": "moving"}
LONG_SOUND = {"audio": {"seconds": 4}}
FRAGMENTS = {"container_options": {"movflags": "frag_keyframe+empty_moov"}}
FAST = {"container_options": {"movflags": "+faststart"}}
LIVE = {"container_options": {"live": "1"}}


def losses_of(path: Path) -> tuple[int, Counter[str]]:
    """Pictures that came, and what did not."""
    with open_source(path) as source:
        count = sum(len(batch) for batch in source)
    return count, source.status.losses


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("reordered.mp4", H264),
    ("sound.mp4", {**H264, **LONG_SOUND}),
    ("fast.mov", {**H264, **FAST, **LONG_SOUND}),
    ("fragments.mp4", {**H264, **FRAGMENTS}),
    ("sound.mkv", {**H264, **LONG_SOUND}),
    ("live.mkv", {**H264, **LIVE}),
    ("sound.ts", {**H264, **LONG_SOUND}),
    ("reordered.avi", H264),
    ("packed.avi", {"codec": "mpeg4", "options": {"bf": "2"}}),
    ("fields.ts", {"codec": "mpeg2video", "interlaced": True}),
    ("fields-h264.ts", {"codec": "libx264", "interlaced": True, "options": {"x264-params": "tff=1"}}),
    ("mpeg2.mpg", {"codec": "mpeg2video", "options": {"bf": "2"}}),
    (
        "hidden.webm",
        {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16", "b": "100k"}},
    ),
    ("sound.webm", {"codec": "libvpx-vp9", "options": {"b": "100k"}, **LONG_SOUND}),
    ("still.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    ("hevc.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none:pools=none"}}),
    ("archive.mkv", {}),
    ("variable.mp4", {**H264, "times": [n * n for n in range(40)], "time_base": Fraction(1, 1000)}),
    ("variable.mkv", {"times": [n * n for n in range(40)], "time_base": Fraction(1, 1000)}),
    ("late.mkv", {"start": 100}),
    ("cut-in.mp4", {**H264, "start": -20}),
]


@pytest.mark.parametrize(("name", "how"), GOOD, ids=[name for name, _ in GOOD])
def test_no_false_alarms(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    """Whole files have no losses: sound that lasts longer, edit lists, hidden pictures, fields."""
    path = tmp_path / name
    write_video(path, frames=40, **how)

    count, losses = losses_of(path)

    assert count == len(read_planes(path).pts)
    assert not losses


CUT: list[tuple[str, dict[str, Any]]] = [
    ("fast.mp4", {**H264, **FAST}),
    ("fast-sound.mov", {**H264, **FAST, "audio": True}),
    ("fragments.mp4", {**H264, **FRAGMENTS}),
    ("a.mkv", {}),
    ("sound.mkv", {**H264, "audio": True}),
    ("live.mkv", {**H264, **LIVE}),
    ("a.webm", {"codec": "libvpx-vp9", "options": {"b": "300k", "deadline": "good", "cpu-used": "8"}}),
    ("a.avi", {}),
    ("a.ts", H264),
]


@pytest.mark.parametrize("keep", [0.35, 0.62, 0.93])
@pytest.mark.parametrize(("name", "how"), CUT, ids=[name for name, _ in CUT])
def test_cut_files(tmp_path: Path, name: str, how: dict[str, Any], keep: float) -> None:
    """A file without its end gives what is there, and says that something is missing."""
    path = tmp_path / name
    write_video(path, frames=60, **how)
    truncate(path, truncate(path, keep) // 188 * 188 + 91)  # no whole packet of ts

    count, losses = losses_of(path)

    assert 0 < count < 60
    assert losses
    if losses[kinds.MISSING] and kinds.UNFINISHED not in losses:
        assert abs(losses[kinds.MISSING] + losses[kinds.REFUSED] + count - 60) <= 3


@pytest.mark.parametrize("keep", [0.999, 0.97])
def test_only_sound_is_cut(tmp_path: Path, keep: float) -> None:
    """All pictures came, but the file is not whole: that is said, too."""
    path = tmp_path / "a.mkv"
    write_video(path, size=(16, 16), frames=10, audio={"seconds": 20})
    truncate(path, keep)

    assert losses_of(path) == (10, Counter({kinds.UNFINISHED: 1}))


class TestDamage:
    """Bytes that changed on the way."""

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
    def test_changed_bytes(self, tmp_path: Path, name: str) -> None:
        """Damage inside of pictures is counted, and the pictures are marked."""
        path = tmp_path / name
        write_video(path, frames=60, size=(160, 120), codec="libx264", options={"g": "20", "bf": "2"})
        flip_bytes(path, 30, after=0.4, before=0.8)

        with open_source(path) as source:
            frames = [frame for batch in source for frame in batch.frames]

        losses = source.status.losses
        assert losses
        assert sum(frame.corrupt for frame in frames) == losses[kinds.DAMAGED]
        assert len(frames) > 30

    @pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.mp4", "a.avi"])
    def test_zeroed_block(self, tmp_path: Path, name: str) -> None:
        """A block that a disk did not write is noticed, in whatever it lies."""
        path = tmp_path / name
        write_video(path, frames=60, codec="libx264", options={"g": "20", "bf": "2"})
        zero_block(path, 0.5, 20_000)

        count, losses = losses_of(path)

        assert count < 60 or losses[kinds.DAMAGED]
        assert losses

    def test_lost_packets(self, tmp_path: Path) -> None:
        """Packets of a transport stream that never arrived leave a gap in its counters."""
        path = tmp_path / "a.ts"
        write_video(path, frames=60, codec="libx264", options={"g": "20", "bf": "2"})
        data = path.read_bytes()
        middle = len(data) // 376 * 188
        path.write_bytes(data[:middle] + data[middle + 20 * 188 :])

        assert losses_of(path)[1]

    @pytest.mark.parametrize("seed", range(12))
    @pytest.mark.parametrize("make", [truncate, flip_bytes, zero_block])
    def test_nothing_but_typed_errors(self, tmp_path: Path, make: Callable[..., object], seed: int) -> None:
        """However a file is damaged: pictures and losses come out, or an InputError."""
        name = ["a.mp4", "a.mkv", "a.avi", "a.ts", "a.webm", "a.mov"][seed % 6]
        path = tmp_path / name
        write_video(path, frames=12, size=(48, 32), audio=seed % 2 == 0 and name != "a.avi")
        if make is flip_bytes:
            flip_bytes(path, 40, seed=seed, after=0.0, before=1.0)
        elif make is zero_block:
            zero_block(path, seed / 12, 700)
        else:
            truncate(path, (seed + 0.5) / 12)

        try:
            count, _ = losses_of(path)
        except InputError:
            return

        assert count > 0


class TestMissing:
    """The figures alone."""

    @pytest.mark.parametrize(
        ("evidence", "expected"),
        [
            (Evidence(100, 100), {}),
            (Evidence(100, 100, claimed=102), {}),  # headers lie, the structure is whole
            (Evidence(60, 61, indexed=100), {kinds.MISSING: 39}),
            (Evidence(60, 61, indexed=61, claimed=61, unfinished="cut"), {kinds.UNFINISHED: 1}),
            (Evidence(60, 60, indexed=70, unfinished="cut"), {kinds.MISSING: 10, kinds.UNFINISHED: 1}),
            (Evidence(95, 100, refused=3, swallowed=5), {kinds.MISSING: 2}),
            (Evidence(60, 60, claimed=100, unfinished="cut"), {kinds.MISSING: 40}),
            (Evidence(60, 60, unfinished="cut"), {kinds.UNFINISHED: 1}),
            (Evidence(60, 60, broken="zeros"), {kinds.UNREADABLE: 1}),
            (
                Evidence(
                    50, 50, unfinished="cut", claimed_end=Fraction(4), first=Fraction(), last_end=Fraction(2),
                    rate=Fraction(25),
                ),
                {kinds.MISSING: 50},
            ),
            (
                Evidence(
                    20, 20, unfinished="cut", claimed_end=Fraction(4), first=Fraction(), last_end=Fraction(2),
                    rate=Fraction(25),
                ),
                {kinds.MISSING: 20},  # a rate that varies: as seen
            ),
        ],
    )  # fmt: skip
    def test_rules(self, evidence: Evidence, expected: dict[str, int]) -> None:
        """An index counts; other headers estimate what the structure proves to be gone."""
        assert missing(evidence) == Counter(expected)

    @given(order=st.permutations(range(12)), discarded=st.sets(st.integers(0, 11)))
    def test_ledger_balances(self, order: list[int], discarded: set[int]) -> None:
        """Every packet whose picture comes leaves nothing behind, in whatever order they were stored."""
        ledger = Ledger()
        for pts in order:
            ledger.sent(pts, discard=pts in discarded)
        shown = sorted(set(range(12)) - discarded)
        for pts in shown:
            ledger.came(pts)

        assert ledger.swallowed == 0
        assert (ledger.packets, ledger.shown, ledger.pictures) == (12, len(shown), len(shown))

    @given(lost=st.sets(st.integers(1, 19)))
    def test_ledger_finds_what_is_lost(self, lost: set[int]) -> None:
        """Pictures after the first one that never come are counted exactly."""
        ledger = Ledger()
        for pts in range(20):
            ledger.sent(pts, discard=False)
        for pts in range(20):
            if pts not in lost:
                ledger.came(pts)

        assert ledger.swallowed == len(lost)

    def test_ledger_ignores_what_leads_up(self) -> None:
        """A recording that begins in the middle of a group: its first packets were never decodable."""
        ledger = Ledger()
        for pts in range(10):
            ledger.sent(pts, discard=False)
        for pts in range(4, 10):
            ledger.came(pts)

        assert ledger.swallowed == 0


class TestStructure:
    """Sizes in headers against the size of the file."""

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.avi", "a.ts"])
    def test_every_cut_shows(self, tmp_path: Path, name: str) -> None:
        """Of a whole file nothing is reported; at almost every byte a cut shows."""
        path = tmp_path / name
        write_video(path, frames=3, size=(16, 16))
        container = {
            "a.mp4": "mov,mp4",
            "a.mkv": "matroska,webm",
            "a.webm": "matroska,webm",
            "a.ts": "mpegts",
        }
        kind = container.get(name, "avi")
        data = path.read_bytes()
        assert inspect(path, kind) == WHOLE

        silent = 0
        for left in range(len(data) - 1, len(data) // 2, -max(7, len(data) // 200)):
            path.write_bytes(data[:left])
            silent += inspect(path, kind).unfinished is None

        assert silent <= 2

    @pytest.mark.parametrize("kind", ["mov,mp4", "matroska,webm", "avi", "mpegts", "flv", ""])
    @given(data=st.binary(max_size=200))
    def test_any_bytes(self, tmp_path_factory: pytest.TempPathFactory, kind: str, data: bytes) -> None:
        """No file makes it fail or run for ever."""
        path = tmp_path_factory.mktemp("any") / "a"
        path.write_bytes(data)

        inspect(path, kind)

    def test_a_file_that_is_gone(self, tmp_path: Path) -> None:
        """Others report that."""
        assert inspect(tmp_path / "gone.mp4", "mov,mp4") == WHOLE
