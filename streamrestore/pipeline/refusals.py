"""What is refused once a file has been looked at."""

from __future__ import annotations

from collections.abc import Mapping

from streamrestore.errors import DamagedInput, UnsupportedOutput, UnsupportedVideo
from streamrestore.frames import HDR_TRANSFERS, LARGEST, NOT_YCBCR, SMALLEST
from streamrestore.seams import SourceInfo

UNREAD = "only files are read once more for their other streams"
"""Why those of an address are left out."""


def refuse_pictures(info: SourceInfo, hdr: str) -> None:
    """Refuse what cannot be restored rightly; to copy it is another matter.

    Args:
        hdr: the setting ``restore.hdr``.

    Raises:
        UnsupportedVideo: pictures too small, too large, or of a coding that the networks do not know.
    """
    sides = (info.width, info.height)
    if not (min(sides) >= SMALLEST and max(sides) <= LARGEST):
        raise UnsupportedVideo(
            f"{info.name}: its pictures are {sides[0]}x{sides[1]}; "
            f"{SMALLEST}x{SMALLEST} to {LARGEST}x{LARGEST} can be restored"
        )
    if info.color.matrix in NOT_YCBCR:
        raise UnsupportedVideo(
            f"{info.name}: its colour is coded as {NOT_YCBCR[info.color.matrix]}; "
            "convert it to BT.709 or BT.2020 first"
        )
    coded = _hdr_coding(info)
    if coded and hdr != "pass":
        raise UnsupportedVideo(
            f"{info.name}: its brightness is coded as {coded}, that is HDR, and the networks know SDR only; "
            "convert it to SDR first, or use --hdr pass to have it treated as it is coded"
        )


def _hdr_coding(info: SourceInfo) -> str:
    """How brightness of high dynamic range is coded, in words; empty for SDR."""
    marked = "Dolby Vision" if "Dolby Vision" in info.side_data else ""
    return HDR_TRANSFERS.get(info.color.transfer, marked)


def refuse_other_streams(info: SourceInfo) -> None:
    """Refuse an address that has more than one stream: it is read once, for its pictures.

    Raises:
        UnsupportedOutput: there is another stream; the message names all of them.
    """
    others = [
        f"{s.kind} stream {s.index} ({s.codec or 'no codec'})"
        for s in info.streams
        if s.index != info.video.index
    ]
    if others:
        raise UnsupportedOutput(
            f"{info.name}: {UNREAD}, and it has {', '.join(others)}; "
            "download it first, or give --drop-unsupported to leave them out"
        )


def refuse_losses(name: str, losses: Mapping[str, int]) -> None:
    """Refuse damaged input.

    Args:
        losses: what could not be decoded, by kind.

    Raises:
        DamagedInput: there is something.
    """
    if losses:
        found = ", ".join(f"{count} x {kind}" for kind, count in sorted(losses.items()))
        raise DamagedInput(f"{name}: damaged ({found}); without --strict, what decodes is restored")
