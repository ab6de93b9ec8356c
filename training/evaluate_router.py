"""Where the router sends what: ``python -m training.evaluate_router --data DIR --clips DIR``.

A confusion matrix with counts: rows are what the pictures are, columns what would be done with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import click
import msgspec
import numpy as np
import numpy.typing as npt

from streamrestore.engine import Restorer, load_restorer
from training.benchmark import pictures_v1
from training.data import Picture, list_pictures, read_picture, unit
from training.degrade import distract
from training.measures import to_8bit
from training.samples import to_tensor

Clip = npt.NDArray[np.uint8]
"""(T, H, W, 3)."""

SYNTHESISED = 600
"""Of which 500 have one weather, or none."""
SEED = 5
DISTRACTIONS: dict[str, distract.Kind] = {
    "codec damage": "codec", "blur": "blur", "snow, made": "snow", "night, made": "glare",
}  # fmt: skip
CLIP_FRAMES = 5
OPTIONS = ("none", "rain", "haze", "raindrop", "noise")


class Row(msgspec.Struct, frozen=True):
    """One group: how many went where, and how often that was right."""

    group: str
    expected: str
    """Empty if nothing is right or wrong (two weathers at once, or none of ours)."""
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Number of clips."""
        return sum(self.counts.values())

    @property
    def right(self) -> int:
        """Number of clips that went where they should."""
        return self.counts.get(self.expected, 0)


def rows(restorer: Restorer, data: Path, clips: Path) -> Iterator[Row]:
    """All groups."""

    def row(group: str, expected: str, items: Iterable[Clip]) -> Row:
        return Row(group, expected, dict(Counter(route(restorer, clip) for clip in items)))

    yield row("rain100l input", "rain", stills(data / "rain100l" / "input"))
    yield row("rain100h input", "rain", stills(data / "rain100h" / "input"))
    yield row("sots_indoor input", "haze", stills(data / "sots_indoor" / "input"))
    yield row("kodak24 sigma 25, 8 bit", "noise", noisy(data / "kodak24", 25))
    kodak = [read_picture(p) for p in list_pictures(data / "kodak24")]
    made = list(pictures_v1.router_clips(kodak, SYNTHESISED, SEED))
    for group in pictures_v1.GROUPS:
        expected = {"clean": "none", "mixed": ""}.get(group, group)
        yield row(f"synthesised {group}", expected, (np.stack(c.frames) for c in made if c.group == group))
    yield row("kodak24, clean", "none", (p[None] for p in kodak))
    for name, kind in DISTRACTIONS.items():
        yield row(f"kodak24, {name}", "none", (distracted(p, kind, i) for i, p in enumerate(kodak)))
    yield row("free clips, clean", "none", (read_clip(p) for p in sorted(clips.glob("*.mp4"))))
    yield row("real_rain", "rain", stills(data / "real_rain"))
    yield row("real_raindrop", "raindrop", stills(data / "real_raindrop"))
    yield row("real_fog_dawn", "haze", stills(data / "real_fog_dawn" / "images"))
    for folder, expected in (
        ("rain", "rain"), ("fog", "haze"), ("clear", "none"), ("snow", "none"), ("night", ""), ("other", ""),
    ):  # fmt: skip
        yield row(f"router_weather/{folder}", expected, stills(data / "router_weather" / folder))


def route(restorer: Restorer, clip: Clip) -> str:
    """The branch that a clip alone would be sent to."""
    (decision,) = restorer.decide([restorer.classify(clip)])
    return decision.label


def stills(folder: Path) -> Iterator[Clip]:
    """Each picture of a folder as a clip of one frame."""
    return (read_picture(path)[None] for path in list_pictures(folder))


def noisy(folder: Path, sigma: float) -> Iterator[Clip]:
    """Clean pictures with white noise, as a video holds it."""
    for index, path in enumerate(list_pictures(folder)):
        picture = to_8bit(pictures_v1.awgn(read_picture(path), sigma, index))
        yield np.rint(picture * 255).astype(np.uint8)[None]


def distracted(picture: Picture, kind: distract.Kind, index: int) -> Clip:
    """A clean picture with something that is none of the weathers."""
    rng = np.random.default_rng([9, index])
    frames, _ = distract.apply(to_tensor(unit(picture)), distract.draw(rng, kind), rng)
    return np.asarray(np.rint(frames.permute(0, 2, 3, 1).numpy() * 255), np.uint8)


def read_clip(path: Path) -> Clip:
    """Frames spread over a video."""
    with av.open(str(path)) as container:
        frames = [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in container.decode(video=0)]
    picks = np.linspace(0, len(frames) - 1, CLIP_FRAMES).astype(int)
    return np.stack([frames[i] for i in picks])


def table(found: list[Row]) -> str:
    """Rows as Markdown."""
    lines = [f"| group | expected | {' | '.join(OPTIONS)} | right |", "|---" * (len(OPTIONS) + 3) + "|"]
    for r in found:
        counts = " | ".join(str(r.counts.get(name, 0)) for name in OPTIONS)
        right = f"{r.right}/{r.total} ({r.right / r.total:.0%})" if r.expected else "-"
        lines.append(f"| {r.group} | {r.expected or '-'} | {counts} | {right} |")
    return "\n".join(lines)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="Validation data.")
@click.option("--clips", required=True, type=click.Path(exists=True, path_type=Path), help="Clean videos.")
@click.option("--tier", default="fast", show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the rows there, too.")
def main(data: Path, clips: Path, tier: str, json_path: Path | None) -> None:
    """Print the confusion matrix."""
    found = list(rows(load_restorer(tier=tier), data, clips))
    click.echo(table(found))
    single = [r for r in found if r.group.startswith("synthesised") and r.expected]
    right, total = sum(r.right for r in single), sum(r.total for r in single)
    click.echo(f"\nsynthesised, one weather or none: {right}/{total} ({right / total:.1%})")
    if json_path is not None:
        json_path.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")


if __name__ == "__main__":
    main()
