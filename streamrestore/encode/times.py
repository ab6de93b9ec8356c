"""Where the clock of an output begins, and decoding times that a source does not tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from av.packet import Packet

from streamrestore.encode.containers import ContainerSpec
from streamrestore.seams import SourceInfo

_FREE_CLOCKS = ("mpegts", "mpeg", "rtsp", "rtp", "sdp")
"""Sources whose clock begins anywhere."""
_JUMP = Fraction(1, 2)
"""Seconds by which a clock must fall back to count as set anew."""
_WAIT_PACKETS = 256
"""Packets that are held back to learn the first decoding time."""


def choose_shift(info: SourceInfo, spec: ContainerSpec, first: Fraction, *, alone: bool = False) -> Fraction:
    """Seconds to add to all times of a source.

    Starts are kept, except that a free clock begins at 0 in a container that has none, that video
    never begins before 0 (mp4 would hide it), and that video alone, or in a container whose streams
    all begin at 0, begins there.

    Args:
        first: time of the first picture.
        alone: no other stream is copied beside the video.
    """
    if alone or not spec.offsets:
        return -first
    if info.container.startswith(_FREE_CLOCKS) and spec.format not in _FREE_CLOCKS:
        timed = [stream.start for stream in info.streams if stream.kind in ("audio", "video")]
        return -min((start for start in timed if start is not None), default=first)
    return max(-first, Fraction(0))


def fill_dts(packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
    """The same packets, with decoding times for the first ones of a video.

    Matroska stores none, and FFmpeg guesses them only after the first reordered pictures: they are
    counted back from there.
    """
    held: list[Packet[Any]] = []
    for packet in packets:
        held.append(packet)
        undated = [p for p in held if _lacks_dts(p)]
        if undated and len(held) < _WAIT_PACKETS:
            if packet.stream_index != undated[0].stream_index or packet.dts is None:
                continue
            _count_back(undated, packet.dts)
        yield from held
        held.clear()
    yield from held


def _lacks_dts(packet: Packet[Any]) -> bool:
    return packet.stream.type == "video" and packet.dts is None and packet.pts is not None


def _count_back(packets: list[Packet[Any]], known: int) -> None:
    for packet in reversed(packets):
        assert packet.pts is not None
        known = min(packet.pts, known - max(1, packet.duration or 0))
        packet.dts = known


def fill_durations(packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
    """The same packets, with durations for sound that has none (ALAC in matroska): the step before.

    Without one, the edit list that mp4 writes ends before the last packet.
    """
    before: dict[int, int] = {}
    for packet in packets:
        if packet.stream.type == "audio" and packet.dts is not None:
            if not packet.duration:
                packet.duration = max(0, packet.dts - before.get(packet.stream_index, packet.dts))
            before[packet.stream_index] = packet.dts
        yield packet


def without_jumps(packets: Iterable[Packet[Any]], moved: Counter[int]) -> Iterator[Packet[Any]]:
    """The same packets, moved behind those before them where a clock falls back by more than half a second.

    It was set anew then (joined recordings). Subtitles, which are too few to tell, move with the stream that
    moved last.

    Args:
        moved: is told at how many packets of each stream the clock falls back.
    """
    moves: dict[int, Fraction] = {}
    before: dict[int, tuple[Fraction, Fraction]] = {}  # from when to when the last packet lasts
    latest = Fraction(0)
    for packet in packets:
        index, time = packet.stream_index, packet.pts if packet.dts is None else packet.dts
        if time is None or packet.time_base is None:
            yield packet
            continue
        base = packet.time_base
        move = latest if packet.stream.type == "subtitle" else moves.get(index, Fraction(0))
        begin, end = before.get(index, (time * base, time * base))
        if packet.stream.type != "subtitle" and begin - (time * base + move) > _JUMP:
            move = moves[index] = latest = ceil((max(begin + base, end) - time * base) / base) * base
            moved[index] += 1
        if move:
            ticks = round(move / base)
            packet.pts = packet.pts + ticks if packet.pts is not None else None
            packet.dts = packet.dts + ticks if packet.dts is not None else None
        before[index] = (time * base + move, (time + (packet.duration or 0)) * base + move)
        yield packet


def without_hidden(
    packets: Iterable[Packet[Any]], hidden_again: Callable[[Fraction], bool], left_out: Counter[int]
) -> Iterator[Packet[Any]]:
    """The same packets but for sound that an edit list hides, and that would be heard in the output.

    The last packet before the first that is heard stays: its decoder needs it.

    Args:
        hidden_again: whether the output hides what begins at a time, in seconds of the source.
        left_out: is told how many of each stream are missing.
    """
    begun: set[int] = set()
    held: dict[int, Packet[Any]] = {}
    for packet in packets:
        index = packet.stream_index
        if packet.stream.type != "audio" or not packet.is_discard:
            if index in held:
                yield held.pop(index)
            begun.add(index)
            yield packet
        elif packet.pts is not None and hidden_again(packet.pts * packet.time_base) and index not in begun:
            yield packet
        else:
            left_out[index] += index in begun or index in held
            if index not in begun:
                held[index] = packet


def keep_rising(segments: Iterable[Sequence[int]]) -> tuple[list[int], int]:
    """Presentation times of all segments, rising from each to the next.

    A time that does not come after the one shown before it is moved to a tick behind that, as the
    encoder of the whole would have done.

    Args:
        segments: times of each one's packets in the order of decoding; those of one segment differ.

    Returns:
        All times in that order, and how many were moved.
    """
    result: list[int] = []
    moved, last = 0, None
    for pts in segments:
        new: dict[int, int] = {}
        for time in sorted(pts):
            last = time if last is None else max(time, last + 1)
            new[time] = last
            moved += last != time
        result += [new[time] for time in pts]
    return result, moved


def date_packets(pts: Sequence[int], delay: int = 0) -> list[int]:
    """Decoding times of packets with these presentation times, as x264 gives them.

        dts_i = s_(i-d) for i >= d,   dts_i = s_i - (s_d - s_0) before,   s = sorted(pts)

    They increase, and none is later than its packet's presentation time.

    Args:
        pts: in the order of decoding; they differ.
        delay: d, packets that are decoded before the first picture is shown; it is enlarged to what
            the order needs.
    """
    shown = sorted(pts)
    place = {time: index for index, time in enumerate(shown)}
    needed = max((index - place[time] for index, time in enumerate(pts)), default=0)
    delay = max(needed, min(delay, len(pts) - 1))
    early = [time - (shown[delay] - shown[0]) for time in shown[:delay]]
    return early + shown[: len(shown) - delay]
