"""What Debian's ffprobe and ffmpeg see in a file: another version of FFmpeg, another reader."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

_SECONDS = 120
_SHOW = ("-show_streams", "-show_format", "-show_chapters", "-show_packets", "-show_frames")
_OF_SOUND = re.compile(
    r"\[(aac|mp2|mp3|mp3float|mp2float|opus|flac|alac|ac3|pcm_\w+|srt|subrip|ass|webvtt) @"
)
_COLOR = ("color_range", "color_space", "color_primaries", "color_transfer")


class Unreadable(Exception):
    """The other reader cannot read it."""


@dataclass(frozen=True)
class Seen:
    """A file as ffprobe describes it."""

    path: Path
    facts: dict[str, Any]

    @cached_property
    def video(self) -> dict[str, Any]:
        """The first stream of pictures that move."""
        return next(s for s in self.of("video") if not s["disposition"]["attached_pic"])

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Streams of a kind, in order."""
        return [stream for stream in self.facts["streams"] if stream.get("codec_type") == kind]

    def packets(self, stream: dict[str, Any]) -> list[dict[str, Any]]:
        """Of a stream, in file order."""
        return self._entries("packet", stream)

    def frames(self, stream: dict[str, Any]) -> list[dict[str, Any]]:
        """Of a stream, in the order in which they are shown."""
        return self._entries("frame", stream)

    @cached_property
    def times(self) -> list[Fraction]:
        """When pictures are shown, in seconds.

        AVI stores the times of decoding only: without reordered pictures these are the times.
        """
        if "avi" in self.facts["format"]["format_name"]:
            ticks = [packet["dts"] for packet in self.packets(self.video) if int(packet["size"])]
        else:
            ticks = [frame["best_effort_timestamp"] for frame in self.frames(self.video)]
        return [tick * self.tick(self.video) for tick in ticks]

    def tick(self, stream: dict[str, Any]) -> Fraction:
        """Of a stream's clock, in seconds."""
        return Fraction(stream["time_base"])

    @property
    def tags(self) -> dict[str, str]:
        """Of the whole file; names in lower case."""
        return {key.lower(): value for key, value in self.facts["format"].get("tags", {}).items()}

    @property
    def rotation(self) -> int:
        """Degrees counterclockwise to turn the picture by for display."""
        sides = self.video.get("side_data_list", ())
        return next((int(side["rotation"]) % 360 for side in sides if "rotation" in side), 0)

    @property
    def color(self) -> dict[str, str]:
        """Colour tags of the first picture; a range that is not told means limited."""
        first = self.frames(self.video)[0]
        tags = {name: first[name] for name in _COLOR if first.get(name, "unknown") != "unknown"}
        return {"color_range": "tv"} | tags

    def _entries(self, kind: str, stream: dict[str, Any]) -> list[dict[str, Any]]:
        entries = self.facts["packets_and_frames"]
        return [e for e in entries if e["type"] == kind and e["stream_index"] == stream["index"]]


def see(path: Path) -> Seen:
    """Read a file from end to end.

    Raises:
        Unreadable: ffprobe has an error to tell.
    """
    command = ("ffprobe", "-v", "error", "-of", "json", *_SHOW, "-show_data_hash", "sha256", str(path))
    facts = json.loads(_run(command))
    facts["packets_and_frames"] = [
        entry for entry in facts.get("packets_and_frames", ()) if "stream_index" in entry
    ]
    return Seen(path, facts)


def stream_hash(path: Path, index: int, codec: str) -> str:
    """Of the data of a stream in one piece, however it is cut into packets; AAC without ADTS headers."""
    plain = ("-bsf:a", "aac_adtstoasc") if codec == "aac" else ()
    copy = ("-map", f"0:{index}", "-c", "copy", *plain, "-f", "hash", "-hash", "sha256", "-")
    return _run(("ffmpeg", "-v", "error", "-nostdin", "-i", str(path), *copy)).strip()


def could_hold(result: Path, source: Path, index: int, codec: str, scratch: Path) -> bool:
    """Whether ffmpeg gets a stream of `source` into a file such as `result`, and reads it back.

    Args:
        scratch: to be written, with the ending of `result`.
    """
    inputs = ("-i", str(result), "-i", str(source), "-map", "0:v:0", "-map", f"1:{index}", "-c", "copy")
    try:
        _run(("ffmpeg", "-v", "fatal", "-nostdin", "-y", *inputs, str(scratch)))
        names = [stream.get("codec_name") for stream in see(scratch).facts["streams"][1:]]
    except Unreadable:
        return False
    finally:
        scratch.unlink(missing_ok=True)
    return codec in names


def plays(path: Path, *, forgiving: bool = False) -> int:
    """How many pictures of a file's video ffmpeg decodes; it is looked at alone, without what is copied.

    Args:
        forgiving: let errors in the pictures pass, as long as some come.

    Raises:
        Unreadable: it has an error to tell, or nothing comes.
    """
    decode = ("-map", "0:v:0", "-vsync", "passthrough", "-f", "framemd5", "-")
    with tempfile.TemporaryDirectory() as folder:
        alone = str(Path(folder, "alone.avi" if path.suffix == ".avi" else "alone.mkv"))
        _run(("ffmpeg", "-v", "fatal", "-nostdin", "-i", str(path), "-map", "0:v:0", "-c", "copy", alone))
        text = _run(("ffmpeg", "-v", "error", "-nostdin", "-i", alone, *decode), tell=not forgiving)
    count = sum(line[:1].isdecimal() for line in text.splitlines())
    if not count:
        raise Unreadable("no picture comes")
    return count


def frame_hashes(path: Path) -> list[str]:
    """Of every picture, as ffmpeg decodes it."""
    decode = ("-map", "0:v:0", "-vsync", "passthrough", "-f", "framemd5", "-")
    text = _run(("ffmpeg", "-v", "error", "-nostdin", "-i", str(path), *decode))
    return [line.rpartition(",")[2].strip() for line in text.splitlines() if line[:1].isdecimal()]


_BARE = """
import av, sys
with av.open(sys.argv[1]) as container:
    cover = av.stream.Disposition.attached_pic
    stream = next(stream for stream in container.streams.video if not stream.disposition & cover)
    for packet in container.demux(stream):
        try:
            if packet.decode():
                sys.exit(0)
        except (av.FFmpegError, ValueError):
            pass
sys.exit(1)
"""


def decodes(path: Path) -> bool:
    """Whether our FFmpeg makes a picture of a file, in a process of its own that has nothing of ours."""
    command = (sys.executable, "-c", _BARE, str(path))
    return subprocess.run(command, capture_output=True, timeout=_SECONDS).returncode == 0


def reads_well(path: Path, pictures: int) -> bool:
    """Whether ffmpeg decodes so many pictures, and has nothing to say about them."""
    try:
        return plays(path) == pictures
    except Unreadable:
        return False


def _run(command: Sequence[str], *, tell: bool = True) -> str:
    """What a command writes; a word on stderr is an error."""
    try:
        ran = subprocess.run(command, capture_output=True, timeout=_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Unreadable(f"{command[0]} did not end in {_SECONDS} s") from None
    told = _about_pictures(ran.stderr.decode(errors="replace"))
    if tell and (ran.returncode or told):
        raise Unreadable(f"{command[0]}: {told[-300:] or f'status {ran.returncode}'}")
    return ran.stdout.decode(errors="replace")


def _about_pictures(told: str) -> str:
    """Without what is said of damaged sound and text, which is copied as it is."""
    lines = (line for line in told.splitlines() if line.strip() and "Last message repeated" not in line)
    return "\n".join(line for line in lines if not _OF_SOUND.match(line))
