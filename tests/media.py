"""Small real video files for tests, and an independent reader of them.

Planes are numpy arrays (rows, samples) of uint8 or uint16. Planar RGB is written and read in the order
R, G, B (FFmpeg stores G, B, R); packed formats (rgb24, nv12, ...) are FFmpeg's own planes, with all
samples of a row side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.format import VideoFormat

Planes = list[npt.NDArray[Any]]
"""One picture."""

Pattern = Literal["noise", "smooth", "flat", "moving"]

LOSSLESS: Mapping[str, tuple[str, dict[str, str]]] = {
    ".mp4": ("libx264", {"qp": "0", "preset": "ultrafast"}),
    ".mov": ("libx264", {"qp": "0", "preset": "ultrafast"}),
    ".mkv": ("ffv1", {"level": "3", "g": "1"}),
    ".ts": ("libx264", {"qp": "0", "preset": "ultrafast"}),
    ".avi": ("ffv1", {"level": "3", "g": "1"}),
    ".webm": ("libvpx-vp9", {"lossless": "1", "deadline": "good", "cpu-used": "8"}),
    ".nut": ("rawvideo", {}),
}
"""What `write_video` takes by the name's ending: codecs that give every sample back."""

_PACKED_BYTES = {
    "yuyv422": 2, "uyvy422": 2, "yvyu422": 2, "rgb24": 3, "bgr24": 3, "rgb0": 4, "bgr0": 4, "0rgb": 4,
    "0bgr": 4, "rgba": 4, "bgra": 4, "argb": 4, "abgr": 4, "rgb48le": 6, "bgr48le": 6, "rgba64le": 8,
    "pal8": 1, "ya8": 2,
}  # fmt: skip
_TOP_BITS = {"p010le": 6, "p210le": 6, "p410le": 6, "p012le": 4}  # codes stand in the high bits


def plane_shapes(pix_fmt: str, size: tuple[int, int]) -> list[tuple[int, int]]:
    """(rows, samples in a row) of each of FFmpeg's planes of a picture of (width, height)."""
    width, height = size
    if pix_fmt in _PACKED_BYTES:
        samples = width * _PACKED_BYTES[pix_fmt] // sample_type(pix_fmt).itemsize
        return [(height, samples)]
    layout = VideoFormat(pix_fmt, width, height)
    shapes: dict[int, tuple[int, int]] = {}
    for component in layout.components:
        rows, samples = shapes.get(component.plane, (component.height, 0))
        shapes[component.plane] = (rows, samples + component.width)  # nv12: U and V side by side
    return [shapes[index] for index in sorted(shapes)]


def sample_type(pix_fmt: str) -> np.dtype[Any]:
    """Type of the samples in memory; byte order included."""
    layout = VideoFormat(pix_fmt)
    wide = max(component.bits for component in layout.components) > 8 or pix_fmt in _TOP_BITS
    return np.dtype((">u2" if layout.is_big_endian else "<u2") if wide else "u1")


def random_planes(pix_fmt: str, size: tuple[int, int], seed: int = 0, pattern: Pattern = "noise") -> Planes:
    """One picture with codes over the whole range, in the order that `write_video` takes."""
    random = np.random.default_rng(seed)
    bits = VideoFormat(pix_fmt).components[0].bits
    shift = _TOP_BITS.get(pix_fmt, 0)
    planes = []
    for rows, samples in plane_shapes(pix_fmt, size):
        if pattern == "noise":
            codes = random.integers(0, 1 << bits, (rows, samples))
        elif pattern == "flat":
            codes = np.full((rows, samples), (seed * 37) % (1 << bits))
        else:
            y, x = np.mgrid[0:rows, 0:samples]
            phase = seed * (0.02 if pattern == "smooth" else 0.4)
            wave = np.sin(6 * x / max(samples, 1) + phase) + np.cos(5 * y / max(rows, 1) - phase)
            codes = np.rint((wave + 2) / 4 * ((1 << bits) - 1)).astype(np.int64)
        planes.append((codes << shift).astype(sample_type(pix_fmt)))
    return planes


def write_video(
    path: str | Path,
    *,
    planes: Sequence[Planes] | None = None,
    pattern: Pattern = "noise",
    seed: int = 0,
    size: tuple[int, int] = (64, 48),
    pix_fmt: str = "yuv420p",
    frames: int = 10,
    rate: Fraction | int = 25,
    times: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    start: int = 0,
    codec: str | None = None,
    options: Mapping[str, str] | None = None,
    matrix: int | None = None,
    range: int | None = None,
    primaries: int | None = None,
    transfer: int | None = None,
    rotation: int = 0,
    sample_aspect_ratio: Fraction | None = None,
    interlaced: bool | Literal["top", "bottom"] = False,
    audio: bool | Mapping[str, Any] = False,
    container: str | None = None,
    container_options: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> list[Planes]:
    """Write a video file and return the pictures in it, as they went to the encoder.

    Args:
        path: its ending chooses the container, and a lossless codec unless `codec` is given.
        planes: pictures to write (`size` and `frames` then follow from them); without, `frames`
            pictures of `pattern`. ``noise`` is new in every frame, the others move with the time.
        rate: frames per second; `times` in units of `time_base` (1 / rate) makes it variable.
        start: added to every time.
        matrix, range, primaries, transfer: colour tags, numbered as in H.273 (range as FFmpeg's).
        rotation: degrees counterclockwise to turn the picture by for display.
        interlaced: mark the frames as interlaced (libx264, mpeg2video, ffv1, prores_ks); top field first
            unless it says otherwise.
        audio: add an AAC tone; keywords are `seconds`, `rate`, `codec`.
    """
    path = Path(path)
    default_codec, default_options = LOSSLESS.get(path.suffix, ("libx264", {}))
    if codec is None:
        codec, options = default_codec, {**default_options, **(options or {})}
    if planes is None:
        planes = [random_planes(pix_fmt, size, seed + index, pattern) for index in np.arange(frames)]
    else:
        rows, samples = planes[0][0].shape
        size = (samples // _PACKED_BYTES.get(pix_fmt, 1), rows)
    rate = Fraction(rate)
    time_base = time_base or 1 / rate
    if times is None:
        times = [round(index / rate / time_base) for index, _ in enumerate(planes)]
    with av.open(str(path), "w", format=container, container_options=dict(container_options or {})) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=rate, options=dict(options or {}))
        context = stream.codec_context
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        context.time_base = time_base
        context.thread_count = 1
        for name, value in {
            "colorspace": matrix, "color_range": range, "color_primaries": primaries, "color_trc": transfer
        }.items():  # fmt: skip
            if value is not None:
                setattr(context, name, value)
        if sample_aspect_ratio is not None:
            context.sample_aspect_ratio = sample_aspect_ratio
        if interlaced:
            context.flags |= (1 << 18) | (1 << 29)  # interlaced DCT and motion estimation
        if rotation:
            stream.set_display_rotation(rotation)
        marks = field_marks(pix_fmt, size, interlaced) if interlaced else None
        tone = _add_tone(out, audio, len(planes) / rate) if audio else None
        for picture, time in zip(planes, times, strict=True):
            frame = to_frame(picture, pix_fmt, size)
            frame.pts, frame.time_base = time + start, time_base
            for name, value in {"colorspace": matrix, "color_range": range}.items():
                if value is not None:
                    setattr(frame, name, value)
            if marks is not None:
                marks.push(frame)
                frame = marks.vpull()
                frame.pts, frame.time_base = time + start, time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if tone is not None:
            for packet in tone:
                out.mux(packet)
    return list(planes)


def field_marks(pix_fmt: str, size: tuple[int, int], interlaced: bool | str) -> Graph:
    """A filter that marks frames; PyAV's have no such attribute."""
    graph = Graph()
    nodes = [
        graph.add("buffer", f"video_size={size[0]}x{size[1]}:pix_fmt={pix_fmt}:time_base=1/25"),
        graph.add("setfield", "bff" if interlaced == "bottom" else "tff"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def to_frame(planes: Planes, pix_fmt: str, size: tuple[int, int]) -> av.VideoFrame:
    """An FFmpeg frame with these planes copied in."""
    frame = av.VideoFrame(*size, pix_fmt)
    for plane, stored in zip(frame.planes, _stored_order(planes, pix_fmt), strict=False):
        rows, samples = stored.shape
        line = plane.line_size // stored.dtype.itemsize
        np.frombuffer(plane, stored.dtype).reshape(-1, line)[:rows, :samples] = stored
    if pix_fmt == "pal8":
        palette = np.frombuffer(frame.planes[1], np.uint8).reshape(256, 4)
        palette[:] = np.random.default_rng(7).integers(0, 256, (256, 4))
        palette[:, 3] = 255
    return frame


def write_tone(path: str | Path, **keywords: Any) -> None:
    """Write a file with nothing but sound in it."""
    with av.open(str(path), "w") as out:
        for packet in _add_tone(out, keywords or True, Fraction(1)):
            out.mux(packet)


@dataclass
class Read:
    """What `read_planes` found.

    Attributes:
        planes: of every picture, in the order of `write_video`.
        pts: in units of `time_base`.
        tags: matrix, range, primaries, transfer of the first picture.
    """

    planes: list[Planes] = field(default_factory=list)
    pts: list[int | None] = field(default_factory=list)
    time_base: Fraction = Fraction(1)
    pix_fmt: str = ""
    size: tuple[int, int] = (0, 0)
    tags: tuple[int, int, int, int] = (2, 0, 2, 2)
    rotation: int = 0
    sample_aspect_ratio: Fraction | None = None
    interlaced: list[bool] = field(default_factory=list)
    keys: list[bool] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        """Times relative to the first picture."""
        first = self.pts[0] or 0
        return [float(((pts or 0) - first) * self.time_base) for pts in self.pts]


def read_planes(path: str | Path) -> Read:
    """Decode the first video stream of a file with as little code as possible."""
    result = Read()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        result.time_base = stream.time_base
        result.sample_aspect_ratio = stream.sample_aspect_ratio
        for frame in container.decode(stream):
            if not result.planes:
                result.pix_fmt, result.size = frame.format.name, (frame.width, frame.height)
                result.tags = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
                result.rotation = frame.rotation
            result.planes.append(from_frame(frame))
            result.pts.append(frame.pts)
            result.interlaced.append(frame.interlaced_frame)
            result.keys.append(frame.key_frame)
    return result


def from_frame(frame: av.VideoFrame) -> Planes:
    """Copies of a frame's planes, without padding, in the order of `write_video`."""
    name = frame.format.name
    kind = sample_type(name)
    planes = []
    shapes = plane_shapes(name, (frame.width, frame.height))
    for plane, (rows, samples) in zip(frame.planes, shapes, strict=False):
        line = plane.line_size
        lines = np.frombuffer(plane, kind).reshape(-1, abs(line) // kind.itemsize)
        planes.append(np.array((lines[::-1] if line < 0 else lines)[:rows, :samples]))
    return [planes[i] for i in (2, 0, 1)] if name.startswith("gbrp") else planes


def write_pictures(
    folder: str | Path, name: str, numbers: Sequence[int], size: tuple[int, int] = (32, 24)
) -> None:
    """Write numbered still pictures; `name` is a printf pattern such as ``%04d.png``."""
    for number in numbers:
        path = Path(folder) / (name % number)
        codec = {".png": "png", ".jpg": "mjpeg", ".bmp": "bmp"}[path.suffix]
        pix_fmt = {"png": "rgb24", "mjpeg": "yuvj420p", "bmp": "bgr24"}[codec]
        with av.open(str(path), "w", format="image2", options={"update": "1"}) as out:
            stream = out.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
            picture = random_planes(pix_fmt, size, seed=number, pattern="smooth")
            frame = to_frame(picture, pix_fmt, size)
            frame.color_range = 2
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))


def truncate(path: str | Path, keep: float) -> int:
    """Cut a file: `keep` is a share if it is a float, else a number of bytes. Returns the bytes kept."""
    path = Path(path)
    size = path.stat().st_size
    left = int(size * keep) if isinstance(keep, float) else min(keep, size)
    with path.open("r+b") as file:
        file.truncate(left)
    return left


def flip_bytes(
    path: str | Path, count: int = 20, *, seed: int = 0, after: float = 0.3, before: float = 0.9
) -> None:
    """Change random bytes in a part of a file, given as shares of its size."""
    path = Path(path)
    data = bytearray(path.read_bytes())
    random = np.random.default_rng(seed)
    for position in random.integers(int(len(data) * after), int(len(data) * before), count):
        data[position] ^= int(random.integers(1, 256))
    path.write_bytes(data)


def zero_block(path: str | Path, at: float = 0.5, length: int = 2000) -> None:
    """Overwrite a part of a file with zeros."""
    path = Path(path)
    data = bytearray(path.read_bytes())
    begin = int(len(data) * at)
    end = min(begin + length, len(data))
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)


def _stored_order(planes: Planes, pix_fmt: str) -> Planes:
    return [planes[1], planes[2], planes[0]] if pix_fmt.startswith("gbrp") else planes


def _add_tone(out: Any, audio: bool | Mapping[str, Any], seconds: Fraction) -> Iterator[Any]:
    """Add a stream now, and give its packets when asked."""
    keywords = dict(audio) if isinstance(audio, Mapping) else {}
    rate = int(keywords.get("rate", 48000))
    total = int(rate * Fraction(keywords.get("seconds", seconds)))
    name = keywords.get("codec", "libopus" if "webm" in out.format.name else "aac")
    stream = out.add_stream(name, rate=rate, layout="mono")

    def packets() -> Iterator[Any]:
        step = 960 if "opus" in name else 1024
        planar = "fltp" if name == "aac" else "s16"
        for begin in range(0, total, step):
            phase = np.arange(begin, min(begin + step, total)) * (2 * np.pi * 440 / rate)
            wave = np.sin(phase, dtype=np.float32)[np.newaxis] * 0.3
            samples = wave if planar == "fltp" else (wave * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), planar, "mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
            yield from stream.encode(frame)
        yield from stream.encode(None)

    return packets()
