"""What a container says about itself and its streams, carried over."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from av.container import InputContainer, OutputContainer
from av.stream import Stream

from streamrestore.encode.containers import ContainerSpec

# Written anew by every muxer, or true of the old file only.
_OWN = frozenset({
    "encoder", "major_brand", "minor_version", "compatible_brands", "duration", "rotate",
    "bps", "number_of_frames", "number_of_bytes", "software", "vendor_id",
})  # fmt: skip

# FFmpeg writes these languages into QuickTime files by other codes than those of ISO 639-2/T only.
_MAC_LANGUAGES = {
    "deu": "ger", "fre": "fra", "nld": "dut", "ell": "gre", "isl": "ice", "zho": "chi", "sqi": "alb",
    "rum": "ron", "cze": "ces", "slo": "slk", "fas": "per", "hye": "arm", "kat": "geo", "mkd": "mac",
    "mya": "bur", "msa": "may", "bod": "tib", "cym": "wel", "eus": "baq", "swe": "sve",
}  # fmt: skip
_TELLS_PIXEL_SHAPE = ("h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "vc1")


def kept(metadata: Mapping[str, str]) -> dict[str, str]:
    """The entries that stay true in another file."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower().partition("-")[0] not in _OWN and not key.startswith("_STATISTICS_")
    }


def copy_container(
    source: InputContainer | None, output: OutputContainer, spec: ContainerSpec, shift: Fraction, remark: str
) -> list[str]:
    """Carry over container metadata and chapters, and add `remark` to the comment.

    Args:
        shift: seconds by which everything is moved.
        remark: what made this file.

    Returns:
        What the container cannot hold, in words.
    """
    lost: list[str] = []
    metadata = kept(source.metadata) if source else {}
    if remark:
        before = [metadata.pop(key) for key in list(metadata) if key.lower() == "comment"]
        metadata["comment"] = " | ".join([*before, remark])
    if spec.tags:
        output.metadata.update(metadata)
    elif metadata:
        lost.append(f"metadata ({', '.join(sorted(metadata))}): {spec.name} does not hold it")
    chapters = source.chapters() if source else []
    if chapters and not spec.chapters:
        lost.append(f"{len(chapters)} chapters: {spec.name} does not hold them")
    elif chapters:
        for chapter in chapters:
            base = chapter["time_base"] or Fraction(1, 1000)
            chapter["start"] += round(shift / base)
            chapter["end"] += round(shift / base)
        output.set_chapters(chapters)
    return lost


def display_notes(spec: ContainerSpec, codec: str, rotation: int, pixel_shape: Fraction) -> list[str]:
    """What to tell the user about a rotation and a shape of pixels that get lost.

    PyAV cannot set the stream's aspect ratio, which matroska and avi store; so only what stands in
    the coded video, or in mp4's sample description, survives.

    Args:
        codec: FFmpeg's name.
        pixel_shape: width of a pixel over its height.
    """
    notes = []
    if rotation and not spec.rotation:
        notes.append(
            f"the rotation by {rotation} degrees cannot be stored in {spec.name}; mp4, mov and mkv keep it"
        )
    if pixel_shape not in (0, 1) and codec not in _TELLS_PIXEL_SHAPE and not spec.edit_lists:
        shape = f"{pixel_shape.numerator}:{pixel_shape.denominator}"
        notes.append(f"the pixel shape {shape} cannot be stored with {codec} in {spec.name}; mp4 keeps it")
    return notes


def copy_stream(source: Stream, output: Stream) -> None:
    """Carry over a stream's metadata, its language among them, and its disposition."""
    output.metadata.update(kept(source.metadata))
    language = output.metadata.get("language")
    if language in _MAC_LANGUAGES and output.container.format.name == "mov":
        output.metadata["language"] = _MAC_LANGUAGES[language]
    output.disposition = source.disposition
