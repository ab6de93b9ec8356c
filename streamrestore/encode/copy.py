"""A file in which nothing is restored: every packet copied, the video's included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.packet import Packet
from av.video.stream import VideoStream

from streamrestore.encode.check import refuse_losses, same_file
from streamrestore.encode.containers import ContainerSpec, find_container
from streamrestore.encode.partial import Partial
from streamrestore.encode.passengers import REFUSED, Passengers
from streamrestore.encode.passthrough import plan_passthrough
from streamrestore.encode.streams import codec_name, describe, open_source
from streamrestore.encode.tags import copy_container, display_notes, lost_tags, muxer_options
from streamrestore.encode.times import choose_shift
from streamrestore.errors import Interrupted, OutputError, UnsupportedOutput
from streamrestore.seams import SinkReport, SourceInfo
from streamrestore.settings import EncodeSettings

_VOL = b"\0\0\1\x20"
"""Begins the header of MPEG-4 video that says how large its pictures are."""


class CannotCopy(UnsupportedOutput):
    """The container cannot hold the video as it is: it has to be encoded."""


def copy_file(
    source_path: Path,
    path: Path,
    info: SourceInfo,
    settings: EncodeSettings,
    *,
    remark: str = "",
    stop: Callable[[], bool] = lambda: False,
    plays: Callable[[Path], bool] = lambda _: True,
) -> SinkReport:
    """Copy a file packet by packet into the container that the extension of `path` names.

    Args:
        stop: asked before each packet; True ends the run.
        plays: whether a complete copy gives the pictures that it should.

    Raises:
        Interrupted: `stop` said so; nothing is left behind.
        CannotCopy: the container does not hold the video as it is, or not so that it plays; nothing is left
            behind.
        UsageError, OutputError: as `check_output`.
    """
    spec = find_container(path)
    if same_file(path, source_path):
        raise OutputError(f"{path} is the input itself; give the output another name")
    if not spec.variable_rate and not info.container.startswith(spec.format):
        raise CannotCopy(f"{spec.name} holds a constant frame rate only: video from elsewhere is encoded")
    with Partial(path, overwrite=settings.overwrite) as partial, partial.translated():
        with open_source(source_path) as probe:
            plan = plan_passthrough(probe, spec, info)
        if info.video.index not in plan.copied:
            raise CannotCopy(f"{spec.name} does not hold {info.video.codec} video as it is")
        refuse_losses(path, source_path, spec, plan, settings, info)
        start = max(info.video.start or Fraction(0), Fraction(0))
        shift = choose_shift(info, spec, start)
        passengers = Passengers(source_path, plan, spec, shift)
        try:
            return _copy(passengers, partial, spec, info, shift, remark, stop, plays)
        except REFUSED as error:
            raise CannotCopy(f"{spec.name} does not take its damaged packets ({error.strerror})") from error
        finally:
            passengers.close()


def _copy(
    passengers: Passengers,
    partial: Partial,
    spec: ContainerSpec,
    info: SourceInfo,
    shift: Fraction,
    remark: str,
    stop: Callable[[], bool],
    plays: Callable[[Path], bool],
) -> SinkReport:
    source, video = passengers.source, passengers.source.streams[info.video.index]
    output = partial.open(spec.format, muxer_options(spec, source, passengers.streams))
    passengers.board(output, range(len(source.streams)))
    passengers.start()
    copy_container(source, output, shift, remark)
    output.start_encoding()
    shown = 0
    for packet, is_shown in _watch(passengers.until(None), passengers, spec, info):
        if stop():
            raise Interrupted(f"{info.name}: stopped; nothing was written")
        shown += is_shown
        if packet.stream is passengers.copy_of(video.index):
            output.mux_one(packet)
        else:
            passengers.mux(output, packet)
    output.close()
    if not plays(partial.path):
        raise CannotCopy(f"{info.name}: its damaged packets do not play in {spec.name}")
    name = codec_name(video)
    notes = [
        f"nothing was restored: {describe(video)} is copied as it is",
        *display_notes(spec, name, info.rotation, info.display_matrix, info.sample_aspect_ratio),
        *_beside_notes(spec, info),
        *passengers.notes(),
        *lost_tags(source, partial.path, spec, passengers.counts.keys(), remark),
    ]
    return SinkReport(
        path=partial.target,
        frames=shown,
        codec=f"{name} (copied)",
        bytes=partial.commit(),
        copied=dict(sorted(passengers.counts.items())),
        dropped=tuple(passengers.lost()),
        notes=tuple(notes),
        losses=passengers.losses,
    )


def _beside_notes(spec: ContainerSpec, info: SourceInfo) -> list[str]:
    """What is said of the pictures beside them, and not there."""
    words = ("Dolby Vision", "stereo 3D", "spherical projection")
    left = [word for word in words if word in info.side_data and word not in spec.beside]
    return (
        [f"{', '.join(left)}: {spec.name} keeps what the coded pictures say of it, no more"] if left else []
    )


def _watch(
    packets: Iterator[Packet[Any]], passengers: Passengers, spec: ContainerSpec, info: SourceInfo
) -> Iterator[tuple[Packet[Any], bool]]:
    """Packets, and whether each is a picture that is shown.

    Edit lists hide pictures. Only mp4 and mov can, and of what FFmpeg writes only before time 0.

    Raises:
        CannotCopy: pictures that the source hides would be shown, or nobody knows when.
    """
    first_shown: int | None = None
    stream = passengers.source.streams[info.video.index]
    assert isinstance(stream, VideoStream)
    reordered = stream.codec_context.has_b_frames and spec.variable_rate
    undated_is_fine = info.container == "avi" and not reordered
    headless = spec.format == "mpegts" and info.video.codec == "mpeg4"
    for packet in packets:
        if packet.stream is not passengers.copy_of(info.video.index):
            yield packet, False
            continue
        assert packet.pts is not None
        if headless and packet.is_keyframe and _VOL not in bytes(packet):
            raise CannotCopy(f"{spec.name} has no place for the header of MPEG-4 video from elsewhere")
        if passengers.undated and not undated_is_fine:
            raise CannotCopy("the input does not store when its pictures are shown")
        if not packet.is_discard:
            first_shown = packet.pts if first_shown is None else min(first_shown, packet.pts)
            yield packet, True
            continue
        if not spec.edit_lists or packet.pts >= 0 or (first_shown is not None and packet.pts > first_shown):
            raise CannotCopy(f"{spec.name} would show pictures that an edit list of the input hides")
        yield packet, False
