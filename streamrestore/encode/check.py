"""Everything about an output that can be checked before the first frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamrestore.encode.codecs import CodecSpec, check_quality
from streamrestore.encode.containers import ContainerSpec, find_codec, find_container
from streamrestore.encode.partial import Partial
from streamrestore.encode.passthrough import Plan, open_source, plan_passthrough
from streamrestore.encode.pictures import plan_layout
from streamrestore.errors import OutputError
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
        UnsupportedOutput: the container does not hold the codec, the codec not the pictures.
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
            passengers = plan_passthrough(source, container, leave=[info.video.index])
    return OutputPlan(container, codec, passengers, (layout.note,) if layout.note else ())


def same_file(a: Path, b: Path) -> bool:
    """Whether both names mean one file, by links, too."""
    try:
        return a.samefile(b)
    except OSError:
        return False
