"""What a container says about itself and its streams, carried over, and looked for in what was written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream

from streamrestore.encode.containers import ContainerSpec
from streamrestore.frames import ColorInfo

# Written anew by every muxer, or true of the old file only.
_OWN = frozenset({
    "encoder", "major_brand", "minor_version", "compatible_brands", "duration", "rotate",
    "bps", "number_of_frames", "number_of_bytes", "software", "vendor_id",
})  # fmt: skip
# Of a stream, these are not missed: the first is the muxer's own, the second the whole file's, too.
_NOT_MISSED = frozenset({"handler_name", "creation_time", "filename", "mimetype"})

# What mp4 and mov keep in the way that all players know. Anything else needs another way, for all together.
_PLAIN_MOV = frozenset({
    "title", "artist", "album", "comment", "date", "genre", "copyright", "creation_time", "location", "make",
    "model",
})  # fmt: skip
_PLAIN_MP4 = _PLAIN_MOV - {"make", "model"} | {
    "album_artist", "composer", "grouping", "lyrics", "description", "synopsis", "show", "episode_id",
    "network", "keywords", "track", "disc", "season_number", "episode_sort", "media_type", "hd_video",
    "compilation", "gapless_playback",
}  # fmt: skip
_PLAIN = {"mov": _PLAIN_MOV, "mp4": _PLAIN_MP4}
_TIME_CODE = "timecode"
"""Of a whole file: mp4 and mov make a track of it, and tell it of the video then."""

# FFmpeg writes these languages into QuickTime files by other codes than those of ISO 639-2/T only.
_MAC_LANGUAGES = {
    "deu": "ger", "fre": "fra", "nld": "dut", "ell": "gre", "isl": "ice", "zho": "chi", "sqi": "alb",
    "rum": "ron", "cze": "ces", "slo": "slk", "fas": "per", "hye": "arm", "kat": "geo", "mkd": "mac",
    "mya": "bur", "msa": "may", "bod": "tib", "cym": "wel", "eus": "baq", "swe": "sve",
}  # fmt: skip
_TELLS_PIXEL_SHAPE = ("h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "vc1")
_TELLS_COLOR = ("h264", "hevc", "av1", "vp9")


def kept(metadata: Mapping[str, str]) -> dict[str, str]:
    """The entries that stay true in another file; one that FFmpeg tells twice (``title-eng``) once."""
    found = {}
    for key, value in metadata.items():
        base, _, language = key.partition("-")
        if base.lower() in _OWN or key.startswith("_STATISTICS_"):
            continue
        if not (language and metadata.get(base) == value):
            found[key] = value
    return found


def is_cover(stream: Stream) -> bool:
    """Whether the stream is one picture beside the video."""
    return bool(stream.disposition & Disposition.attached_pic)


def muxer_options(
    spec: ContainerSpec, source: InputContainer | None, streams: Collection[int] = ()
) -> dict[str, str]:
    """Options of the muxer that metadata of a source needs to survive.

    mp4 holds cover art, or metadata beyond the plain: FFmpeg writes no cover art beside the latter.

    Args:
        streams: indices of those of the source that are copied.
    """
    options, plain = dict(spec.options), _PLAIN.get(spec.format)
    if source is None or plain is None or _has_cover(source, streams):
        return options
    if any(key.lower() not in plain | {_TIME_CODE} for key in kept(source.metadata)):
        options["movflags"] += "+use_metadata_tags"
    return options


def copy_container(
    source: InputContainer | None, output: OutputContainer, shift: Fraction, remark: str
) -> None:
    """Carry over container metadata and chapters, and add `remark` to the comment.

    Args:
        shift: seconds by which everything is moved.
        remark: what made this file.
    """
    output.metadata.update(_metadata(source, remark))
    chapters = source.chapters() if source else []
    for chapter in chapters:
        base = chapter["time_base"] or Fraction(1, 1000)
        chapter["start"] += round(shift / base)
        chapter["end"] += round(shift / base)
    output.set_chapters(chapters)


def copy_stream(source: Stream, output: Stream) -> None:
    """Carry over a stream's metadata, its language among them, and its disposition."""
    metadata = kept(source.metadata)
    if "name" in metadata and "mov" in source.container.format.name:
        metadata.setdefault("title", metadata.pop("name"))  # as mp4 and mov call it when they are read
    output.metadata.update(metadata)
    language = output.metadata.get("language")
    if language in _MAC_LANGUAGES and output.container.format.name == "mov":
        output.metadata["language"] = _MAC_LANGUAGES[language]
    output.disposition = source.disposition


def lost_tags(
    source: InputContainer | None,
    written: Path,
    spec: ContainerSpec,
    streams: Collection[int],
    remark: str = "",
    *,
    without: Collection[str] = (),
    chapters: int = 0,
) -> list[str]:
    """What of the tags, languages, dispositions and chapters of a source a file made of it lacks, in words.

    Muxers leave out what they do not know without a word, so the file is read.

    Args:
        written: the file, complete.
        streams: indices of the source's streams that are in it.
        without: keys of tags that were left out on purpose.
        chapters: that were.
    """
    lost = []
    with av.open(str(written), "r", format=spec.format, metadata_errors="surrogateescape") as output:
        there, time_code = output.metadata, output.streams.video[0].metadata.get(_TIME_CODE)
        if time_code is not None:
            there = {_TIME_CODE: time_code, **there}
        missing = [key for key in _missing(_metadata(source, remark), there) if key not in without]
        if missing:
            beside = " beside cover art" if spec.format in _PLAIN and _has_cover(source, streams) else ""
            lost.append(f"metadata ({', '.join(missing)}): {spec.name} does not hold it{beside}")
        if source is None:
            return lost
        gone = len(source.chapters()) - chapters - len(output.chapters())
        if gone > 0:
            lost.append(f"{gone} chapters: {spec.name} does not hold them")
        for old, new in _pairs(source, output, streams):
            missing = [key for key in _missing_of(old, new) if key not in without]
            if missing:
                kind = f"{old.type} stream {old.index}"
                lost.append(f"{kind} goes without its {', '.join(missing)}: {spec.name} does not hold that")
    return lost


def display_notes(
    spec: ContainerSpec, codec: str, rotation: int, matrix: Sequence[int], pixel_shape: Fraction
) -> list[str]:
    """What to tell the user about a rotation and a shape of pixels that get lost.

    PyAV cannot set the stream's aspect ratio, which matroska and avi store; so only what stands in
    the coded video, or in mp4's sample description, survives.

    Args:
        codec: FFmpeg's name.
        matrix: the display matrix, or nothing.
        pixel_shape: width of a pixel over its height.
    """
    notes = []
    mirrored = bool(matrix) and matrix[0] * matrix[4] < matrix[1] * matrix[3]
    turned = [f"the rotation by {rotation} degrees"] * bool(rotation) + ["the mirroring"] * mirrored
    if turned and not spec.rotation:
        notes.append(f"{' and '.join(turned)} cannot be stored in {spec.name}; mp4, mov and mkv keep it")
    if pixel_shape not in (0, 1) and codec not in _TELLS_PIXEL_SHAPE and not spec.edit_lists:
        shape = f"{pixel_shape.numerator}:{pixel_shape.denominator}"
        notes.append(f"the pixel shape {shape} cannot be stored with {codec} in {spec.name}; mp4 keeps it")
    return notes


def color_notes(spec: ContainerSpec, codec: str, color: ColorInfo) -> list[str]:
    """What to tell the user about colour tags of encoded pictures that get lost."""
    if spec.colors or codec in _TELLS_COLOR or color == ColorInfo():
        return []
    return [f"colour tags cannot be stored with {codec} in {spec.name}; mkv and mp4 keep them"]


def _has_cover(source: InputContainer | None, streams: Collection[int]) -> bool:
    return source is not None and any(is_cover(s) for s in source.streams if s.index in streams)


def _metadata(source: InputContainer | None, remark: str) -> dict[str, str]:
    found = kept(source.metadata) if source else {}  # matroska shouts, which QuickTime keys would keep
    metadata = {key.lower() if key.lower() in _PLAIN_MOV | _PLAIN_MP4 else key: found[key] for key in found}
    if remark:
        before = [metadata.pop(key) for key in list(metadata) if key.lower() == "comment"]
        metadata["comment"] = " | ".join([*before, remark])
    return metadata


def _missing(wanted: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Keys of entries that are there under no name: containers spell names in their own ways."""
    keys = {_plain(key) for key in there}
    return sorted(
        key for key, value in wanted.items() if _plain(key) not in keys and value not in there.values()
    )


def _plain(key: str) -> str:
    return key.lower().replace(" ", "_")


def _missing_of(old: Stream, new: Stream) -> list[str]:
    """What of a stream's tags is not there."""
    wanted = {key: text for key, text in kept(old.metadata).items() if key.lower() not in _NOT_MISSED}
    language = wanted.pop("language", "und")
    missing = _missing(wanted, new.metadata)
    if language != "und" and new.metadata.get("language") not in (language, _MAC_LANGUAGES.get(language)):
        missing.append(f"language ({language})")
    dispositions = old.disposition & ~new.disposition & ~Disposition.default  # every player has one
    return [*missing, *(f"disposition ({flag.name})" for flag in Disposition if flag & dispositions)]


def _pairs(
    source: InputContainer, output: InputContainer, streams: Collection[int]
) -> Iterator[tuple[Stream, Stream]]:
    """Streams of a source, and what became of them: those of a kind keep their order, kinds may not."""
    for kind in ("video", "audio", "subtitle"):
        old = [s for s in source.streams if s.type == kind and s.index in streams and not is_cover(s)]
        new = [s for s in output.streams if s.type == kind and not is_cover(s)]
        yield from zip(old, new, strict=False)
