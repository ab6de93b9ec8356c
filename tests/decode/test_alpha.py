"""Transparency in real files: refused before anything is done, wherever it is stored."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from streamrestore.decode import open_source
from streamrestore.errors import UnsupportedVideo
from tests.media import random_planes, to_frame, write_video

FILES = [
    ("prores4444.mov", "prores_ks", "yuva444p10le", {"profile": "4"}),
    ("animation.mov", "qtrle", "argb", {}),
    ("archive.mkv", "ffv1", "yuva420p", {}),
    ("overlay.webm", "libvpx-vp9", "yuva420p", {"deadline": "realtime", "cpu-used": "8"}),
]


@pytest.mark.parametrize(("name", "codec", "pix_fmt", "options"), FILES, ids=[file[0] for file in FILES])
def test_video(tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]) -> None:
    """WebM's alpha too, which FFmpeg's decoder leaves out without a word."""
    write_video(tmp_path / name, codec=codec, pix_fmt=pix_fmt, options=options, frames=2)

    with pytest.raises(UnsupportedVideo, match=r"transparency \(alpha\).*flatten it first") as refused:
        open_source(tmp_path / name)

    assert str(refused.value).startswith(f"{tmp_path / name}: ")


def test_numbered_pictures(tmp_path: Path) -> None:
    """PNGs with alpha."""
    for number in range(2):
        with av.open(str(tmp_path / f"{number}.png"), "w", format="image2", options={"update": "1"}) as out:
            stream = out.add_stream("png", rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 24, "rgba"
            out.mux(stream.encode(to_frame(random_planes("rgba", (32, 24)), "rgba", (32, 24))))
            out.mux(stream.encode(None))

    with pytest.raises(UnsupportedVideo, match=r"transparency \(alpha\)"):
        open_source(tmp_path / "%d.png")


def test_same_codecs_without(tmp_path: Path) -> None:
    """The codec is not what is refused."""
    write_video(tmp_path / "a.webm", codec="libvpx-vp9", options={"deadline": "realtime"}, frames=2)
    with open_source(tmp_path / "a.webm") as source:
        assert sum(len(batch) for batch in source) == 2
