"""Tests of the clips in examples/clips, and of the script that makes them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from examples.make_clips import EXAMPLES, Example, Spell, make_clip
from tests.media import read_planes, write_video

CLIPS = Path(__file__).parents[2] / "examples" / "clips"
FACTS = {
    "dashcam_clear_rain_haze.mp4": (150, Fraction(25), (768, 432), 0),
    "surveillance_raindrop.mp4": (60, Fraction(25, 2), (768, 432), 0),
    "stream_noise_audio.mp4": (90, Fraction(30000, 1001), (480, 360), 131),
}
"""Frames, rate, size and audio packets of the sources."""


def packets(path: Path, kind: str) -> list[tuple[int | None, bytes]]:
    """Times and contents of a stream's packets."""
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        return [(p.pts, bytes(p)) for p in container.demux(streams) if p.size] if streams else []


class TestClips:
    """What is in the repository."""

    @pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
    def test_clip_is_whole(self, example: Example) -> None:
        """Every clip opens, has the source's frames, rate and sound, and is smaller than 3 MB."""
        path = CLIPS / example.name
        frames, rate, size, sound = FACTS[example.name]
        read = read_planes(path)

        assert path.stat().st_size < 3_000_000
        assert (len(read.planes), read.size, read.pix_fmt) == (frames, size, "yuv420p")
        assert read.seconds == pytest.approx([number / rate for number in range(frames)])
        assert read.pts[0] == 0
        assert len(packets(path, "audio")) == sound

    def test_no_clip_is_forgotten(self) -> None:
        """Folder, script and credits name the same files."""
        names = {example.name for example in EXAMPLES}
        credit = (CLIPS / "README.md").read_text()

        assert {path.name for path in CLIPS.glob("*.mp4")} == names == set(FACTS)
        assert all(name in credit for name in names)


class TestSpell:
    """When weather comes and goes."""

    def test_weights(self) -> None:
        """A spell is at half strength at its ends, and two that meet add up to one."""
        times = np.arange(0, 6, 0.04)
        rain, haze = Spell("rain", 0, begin=2.0, end=4.0), Spell("haze", 0, begin=4.0)
        total = rain.weights(times) + haze.weights(times)

        assert rain.weights(np.array([0.0, 2.0, 3.0, 4.0, 5.0])) == pytest.approx([0, 0.5, 1, 0.5, 0])
        assert haze.weights(np.array([3.0, 4.0, 5.9])) == pytest.approx([0, 0.5, 1])
        assert total.max() == pytest.approx(1)
        assert total[times > 2.31] == pytest.approx(1)

    def test_without_ends(self) -> None:
        """A spell without ends lasts from the first frame to the last."""
        assert (Spell("noise", 0).weights(np.arange(5.0)) == 1).all()


class TestMakeClip:
    """From a source to a clip."""

    def test_times_and_sound_are_the_sources(self, tmp_path: Path) -> None:
        """Pictures keep count and times, audio packets are copied, and only what a spell covers changes."""
        source, target = tmp_path / "source.mp4", tmp_path / "target.mp4"
        given = write_video(
            source, pattern="moving", size=(64, 48), frames=50, rate=Fraction(30000, 1001), audio=True
        )
        make_clip(
            Example("target.mp4", "source.mp4", "nobody", (Spell("haze", 0, begin=1.0),), 12), source, target
        )
        read, original = read_planes(target), read_planes(source)
        change = [np.abs(a[0].astype(float) - b[0]).mean() for a, b in zip(read.planes, given, strict=True)]

        assert read.seconds == pytest.approx(original.seconds)
        assert packets(target, "audio") == packets(source, "audio")
        assert max(change[:20]) < 3
        assert min(change[40:]) > 5
