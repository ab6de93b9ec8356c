"""Make the example clips: free footage, damaged by our own generator (training.benchmark.clips_v1).

    python -m examples.make_clips --data DIR

DIR holds the free clips. Frame count, times and sound are the source's; pictures without damage go to the
encoder as they were decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import av.video.frame
import click
import numpy as np
import numpy.typing as npt

from training.benchmark.clips_v1 import Weather, degrade_clip

Weights = npt.NDArray[np.float64]

RAMP = 0.6
"""Seconds that a weather takes to come or go."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Weather from `begin` to `end`, in seconds: the middles of its ramps; None is a border of the clip."""

    weather: Weather
    index: int
    """Seed of the generator, chosen by eye."""
    begin: float | None = None
    end: float | None = None

    def weights(self, times: Weights) -> Weights:
        """Strength (T,) of the weather at times (T,), 0 to 1."""
        rise = 1.0 if self.begin is None else np.clip((times - self.begin) / RAMP + 0.5, 0, 1)
        fall = 1.0 if self.end is None else np.clip((self.end - times) / RAMP + 0.5, 0, 1)
        return np.ones_like(times) * rise * fall


@dataclass(frozen=True, slots=True)
class Example:
    """One clip to make."""

    name: str
    source: str
    credit: str
    spells: tuple[Spell, ...]
    crf: int


EXAMPLES = (
    Example(
        "dashcam_clear_rain_haze.mp4",
        "highway_dashcam.mp4",
        "udacity/CarND-LaneLines-P1, MIT",
        (Spell("rain", 21, begin=2.0, end=4.0), Spell("haze", 1, begin=4.0)),
        crf=20,
    ),
    Example(
        "surveillance_raindrop.mp4",
        "road_overhead_surveillance.mp4",
        "intel-iot-devkit/sample-videos, CC-BY-4.0",
        (Spell("raindrop", 2),),
        crf=20,
    ),
    Example(
        "stream_noise_audio.mp4",
        "stream_water_audio.mp4",
        "mdn/interactive-examples, CC0",
        (Spell("noise", 3),),
        crf=23,
    ),
)


def make_clip(example: Example, source: Path, target: Path) -> None:
    """Damage one clip and write it as H.264, with the source's audio packets."""
    with av.open(str(source)) as given:
        video = given.streams.video[0]
        rate = video.average_rate  # constant in all sources
        if rate is None:
            raise click.ClickException(f"{source}: no frame rate")
        sound = given.streams.audio[0] if given.streams.audio else None
        decoded: list[av.VideoFrame] = []
        packets = []
        for packet in given.demux(*([video] if sound is None else [video, sound])):
            if packet.stream is video:
                decoded += [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
            elif packet.size:  # not the flush packet at the end
                packets.append(packet)
        frames = damage(decoded, example.spells, float(rate))
        with av.open(str(target), "w") as made:
            made.metadata["comment"] = f"Damaged on purpose by streamrestore; from {example.credit}"
            options = {"crf": str(example.crf), "preset": "slow"}
            stream = made.add_stream("libx264", rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
            stream.codec_context.thread_count = 1  # x264's output depends on it
            if sound is not None:
                copied = made.add_stream_from_template(sound)
                for packet in packets:
                    packet.stream = copied
                    made.mux(packet)
            for frame in (*frames, None):
                made.mux(stream.encode(frame))


def damage(decoded: list[av.VideoFrame], spells: tuple[Spell, ...], fps: float) -> list[av.VideoFrame]:
    """The frames under all spells; where two meet, they are cross-faded."""
    pictures = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in decoded]
    times = np.arange(len(pictures)) / fps
    total = [picture.astype(np.float32) for picture in pictures]
    touched = np.zeros(len(pictures), bool)
    for spell in spells:
        degraded, _ = degrade_clip(pictures, spell.weather, spell.index, fps)
        for number, weight in enumerate(spell.weights(times)):
            total[number] += np.float32(weight) * (degraded[number].astype(np.float32) - pictures[number])
            touched[number] |= weight > 0
    frames = []
    for frame, picture, changed in zip(decoded, total, touched, strict=True):
        out = frame
        if changed:
            codes = np.rint(picture).clip(0, 255).astype(np.uint8)
            out = av.VideoFrame.from_ndarray(codes, format="rgb24").reformat(format="yuv420p")
        out.pts, out.time_base = frame.pts, frame.time_base
        out.pict_type = av.video.frame.PictureType.NONE  # the encoder chooses, not the source
        frames.append(out)
    return frames


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", default="examples/clips", show_default=True, type=click.Path(path_type=Path))
def main(data: Path, output: Path) -> None:
    """Make the example clips from the free clips in --data."""
    output.mkdir(parents=True, exist_ok=True)
    for example in EXAMPLES:
        make_clip(example, data / example.source, output / example.name)
        click.echo(f"{output / example.name}: {(output / example.name).stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
