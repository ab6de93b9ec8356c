"""Everything about an output that can be checked before the first frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamrestore.encode.codecs import CodecSpec, check_quality
from streamrestore.encode.containers import ContainerSpec, find_codec, find_container
from streamrestore.encode.partial import Partial
from streamrestore.encode.passthrough import Plan, find_holder, plan_passthrough
from streamrestore.encode.pictures import plan_layout
from streamrestore.encode.rates import nominal_rate, refuse_uneven
from streamrestore.encode.streams import open_source, read_packets
from streamrestore.errors import OutputError, UnsupportedOutput
from streamrestore.seams import SourceInfo
from streamrestore.settings import EncodeSettings


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """What will be written.

    Attributes:
        passengers: what becomes of the source's other streams; None without a source.
        notes: conversions that will be needed, for the user.
    """

    container: ContainerSpec
    codec: CodecSpec
    passengers: Plan | None = None
    notes: tuple[str, ...] = ()


def check_output(
    path: Path, source_path: Path | None, settings: EncodeSettings, info: SourceInfo
) -> OutputPlan:
    """Find out whether `path` can be written; leave nothing there.

    Args:
        source_path: the file that is read, if it is one.

    Raises:
        UsageError: unknown extension, preset or quality.
        UnsupportedOutput: the container does not hold the codec or, unless they may be left out, a stream of
            the source; it does not hold the times of the pictures; the codec does not take the pictures.
        OutputExists: the file is there and may not be replaced.
        OutputError: it is the input, a folder, not writable, or being written by another run.
        InputUnreadable: the source cannot be opened.
    """
    container = find_container(path)
    codec = find_codec(container, settings, info.format)
    check_quality(codec, settings)
    if source_path is not None and same_file(path, source_path):
        raise OutputError(f"{path} is the input itself; give the output another name")
    Partial(path, overwrite=settings.overwrite).discard()
    layout = plan_layout(codec, info.format, info.color, info.width, info.height)
    passengers = None
    if source_path is not None:
        with open_source(source_path) as source:
            passengers = plan_passthrough(source, container, info, leave=[info.video.index])
        refuse_losses(path, source_path, container, passengers, settings, info)
        if not container.variable_rate:
            check_rate(source_path, container, info)
    return OutputPlan(container, codec, passengers, (layout.note,) if layout.note else ())


def refuse_losses(
    path: Path, source_path: Path, spec: ContainerSpec, plan: Plan, settings: EncodeSettings, info: SourceInfo
) -> None:
    """Refuse to leave out streams, unless the settings allow it.

    Raises:
        UnsupportedOutput: the plan leaves out some; the message names a container that holds them.
    """
    if settings.drop_unsupported or not plan.dropped:
        return
    other = find_holder(source_path, info, settings.codec)
    raise UnsupportedOutput(
        f"{path}: {spec.name} cannot hold all streams of {info.name} ({'; '.join(plan.dropped)}); "
        + (f"write {other}, or " if other else "")
        + "give --drop-unsupported to leave them out"
    )


def check_rate(source_path: Path, spec: ContainerSpec, info: SourceInfo) -> None:
    """Look whether the pictures of a source come at a constant rate, as far as it stores their times.

    Raises:
        UnsupportedOutput: they do not.
    """
    with open_source(source_path) as source:
        packets = read_packets(source, [source.streams[info.video.index]])
        shown = [(p.pts, p.dts, p.duration or 0) for p in packets if not p.is_discard]
    times = [(pts, duration) for pts, _, duration in shown if pts is not None]
    decoded = [dts for _, dts, _ in shown if dts is not None]
    if len(times) < len(shown) or decoded != sorted(decoded) or not times:
        return  # the decoder has to tell
    times.sort()
    first, duration = times[0]
    rate = nominal_rate(info.rate, duration * info.time_base)
    for frame, (pts, _) in enumerate(times):
        refuse_uneven((pts - first) * info.time_base * rate, spec, rate, info.time_base, frame)


def same_file(a: Path, b: Path) -> bool:
    """Whether both names mean one file, by links, too."""
    try:
        return a.samefile(b)
    except OSError:
        return False
