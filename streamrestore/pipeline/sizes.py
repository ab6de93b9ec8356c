"""How large the input's pictures are, so that the output's become as large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path

from streamrestore.encode import OutputPlan, VideoHead, common_level
from streamrestore.encode.bitrate import Aim
from streamrestore.encode.streams import open_source, read_packets
from streamrestore.pipeline.plan import Plan
from streamrestore.settings import EncodeSettings
from streamrestore.windows import Clip

NEAR = 0.07
"""Share by which a part may miss its size."""
TOLD = 0.1
"""Share from which a user is told that the whole misses its size."""
_HEADROOM = 1.5
"""Above the greatest bit rate that is foreseen."""


def clip_bytes(path: Path, plan: Plan) -> tuple[int, ...]:
    """What the pictures of each clip take in the input's file.

    Packets and pictures are matched by their order, since in damaged files their times differ, and a
    picture may be two fields.
    """
    with open_source(path) as source:
        stream = source.streams[plan.info.video.index]
        found = [
            ((packet.pts or 0) * packet.time_base, packet.size)
            for packet in read_packets(source, [stream])
            if not packet.is_discard
        ]
    if plan.span is not None:
        found = [(time, size) for time, size in found if plan.span.holds(time)]
    found.sort(key=lambda item: item[0])
    sums = [0, *accumulate(size for _, size in found)]
    borders = [0, *(clip.stop for clip in plan.windows)]
    at = [sums[round(frame * len(found) / plan.frames)] for frame in borders]
    return tuple(after - before for before, after in pairwise(at))


def aim_at(head: VideoHead, codec: str, clips: Sequence[Clip], size: int) -> Aim:
    """What has neighbouring clips become so large.

    Args:
        head: of the video; the level that it aims at holds for all.
        codec: as `CodecSpec.name`.
        size: in bytes.
    """
    return Aim.at(
        size,
        codec,
        frames=clips[-1].stop - clips[0].start,
        seconds=clips[-1].stop_seconds - clips[0].start_seconds,
        rate=head.rate,
        level=head.aim.level if head.aim is not None else "",
    )


def next_rate(tried: Sequence[tuple[int, int]], wanted: int) -> int:
    """The bit rate to try next, on the line through what the last two gave in logarithms.

    Args:
        tried: bit rates and the bytes that they gave, at least one.
        wanted: bytes.
    """
    (rate, size), slope = tried[-1], 1.0
    if len(tried) > 1 and tried[-2][0] != rate:
        slope = math.log(size / tried[-2][1]) / math.log(rate / tried[-2][0])
    return max(1, round(rate * math.exp(math.log(wanted / size) / min(2.0, max(0.3, slope)))))


def size_notes(made: int, wanted: int) -> list[str]:
    """What to tell of a video whose size, in bytes, is not what it should be."""
    if abs(made - wanted) <= TOLD * wanted:
        return []
    off, more = abs(made / max(1, wanted) - 1), "larger" if made > wanted else "smaller"
    return [f"the video is {off:.0%} {more} than in the input; its encoder came no nearer"]


def aimed(
    head: VideoHead, plan: OutputPlan, settings: EncodeSettings, clips: Sequence[Clip], sizes: Sequence[int]
) -> VideoHead:
    """The head of a video whose clips are to have these sizes, in bytes: it holds for all of its parts."""
    aims = [aim_at(head, plan.codec.name, [clip], size) for clip, size in zip(clips, sizes, strict=True)]
    most = max(aims, key=lambda aim: aim.rate)
    return common_level(replace(head, aim=replace(most, rate=round(_HEADROOM * most.rate))), plan, settings)
