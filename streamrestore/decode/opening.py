"""Which source reads what the user named. A new kind of source is one entry of `OPENERS`."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from streamrestore.decode.interlace import Which
from streamrestore.decode.names import is_url, redact
from streamrestore.decode.pyav import PyAVSource
from streamrestore.decode.reader import Part
from streamrestore.decode.sequence import find_numbers, is_pattern, sequence_parts
from streamrestore.errors import InputError, InputNotFound, InputUnreadable, UsageError
from streamrestore.seams import Source

DEFAULT_BATCH = 8
URL_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """How to open an input; see `open_source`."""

    threads: int = 1
    batch_size: int = DEFAULT_BATCH
    rate: Fraction | None = None
    start: int | None = None
    stop: int | None = None
    start_index: int = 0
    seek: bool = True
    deinterlace: Which | bool = False
    one_kind: bool = True


Opener = Callable[[str, OpenOptions], Source]


def open_source(
    spec: str | Path,
    *,
    decoder: str = "auto",
    threads: int = 1,
    batch_size: int = DEFAULT_BATCH,
    rate: Fraction | int | None = None,
    start: int | None = None,
    stop: int | None = None,
    start_index: int = 0,
    seek: bool = True,
    deinterlace: Which | bool = False,
    one_kind: bool = True,
) -> Source:
    """Open a file, a URL, or numbered pictures (``frames/%05d.png``).

    Args:
        decoder: one of `OPENERS`, or ``auto``; `status.why` of the source says what was chosen.
        threads: of the decoder, 0 for one per core. Whole files give the same pictures with any
            number; of damaged ones, several threads conceal differently from run to run, and may
            lose the last pictures. More than one adds a delay of as many pictures.
        batch_size: pictures in a batch at most.
        rate: pictures per second where the input does not say; of numbered pictures 25 by default.
        start: first timestamp to give out, in ticks of the input's time base.
        stop: first timestamp that is not given out any more.
        start_index: index of the first picture.
        seek: jump to `start`; without, everything before it is decoded (and, for an input with
            damaged timestamps, the timestamps equal those of a pass over the whole input).
        deinterlace: make whole pictures, as many and at the same times, of those that are marked as
            interlaced (FFmpeg's bwdif). It adds a delay of one picture. ``True`` is ``marked``; see
            `interlace.Which` for the others.
        one_kind: leave out, and count as losses, pictures of another size or format than the others:
            damage makes such ones, and no file holds both. Else their batches differ.

    Raises:
        UsageError: an unknown decoder, or an option out of range.
        InputError: the input cannot be used; the message holds no password of a URL.
    """
    if threads < 0 or batch_size < 1:
        raise UsageError(f"threads must be at least 0, batch_size at least 1, not {threads=}, {batch_size=}")
    rate = Fraction(rate) if rate else None
    options = OpenOptions(threads, batch_size, rate, start, stop, start_index, seek, deinterlace, one_kind)
    name = "pyav" if decoder == "auto" else decoder
    if name not in OPENERS:
        raise UsageError(f"there is no decoder {decoder!r}; known are auto, {', '.join(sorted(OPENERS))}")
    source = OPENERS[name](str(spec), options)
    source.status.why = "asked for" if decoder != "auto" else "the only decoder for all kinds of input"
    return source


def input_files(spec: str | Path) -> tuple[Path, ...]:
    """The files that an input consists of: one, those of numbered pictures, or none for a URL."""
    if is_url(str(spec)) and not str(spec).startswith("file:"):
        return ()
    path = _path_of(str(spec))
    if is_pattern(path.name) and not os.path.lexists(path):
        return tuple(path.with_name(path.name % number) for number in find_numbers(path))
    return (path,)


def open_pyav(spec: str, options: OpenOptions) -> PyAVSource:
    """Open an input with PyAV."""
    shown = redact(spec)
    losses: dict[str, int] = {}
    if is_url(spec) and not spec.startswith("file:"):
        parts = [Part(spec, timeout=URL_TIMEOUT)]
        rate = options.rate
    else:
        path = _path_of(spec)
        if is_pattern(path.name) and not os.path.lexists(path):
            rate = options.rate or Fraction(25)
            parts, gaps = sequence_parts(path, rate)
            losses = gaps
        else:
            _check_file(path, shown)
            parts, rate = [Part(f"file:{path}", path)], options.rate
    source = PyAVSource(
        parts,
        shown,
        threads=options.threads,
        batch_size=options.batch_size,
        rate=rate,
        start=options.start,
        stop=options.stop,
        start_index=options.start_index,
        seek=options.seek,
        deinterlaced=options.deinterlace,
        one_kind=options.one_kind,
    )
    source.status.losses.update(losses)
    return source


OPENERS: Mapping[str, Opener] = {"pyav": open_pyav}
"""By name of the decoder."""


def _path_of(spec: str) -> Path:
    return Path(re.sub(r"^file:(//)?", "", spec))


def _check_file(path: Path, name: str) -> None:
    """Refuse what can be refused without FFmpeg: nothing here may block."""
    try:
        mode = path.stat()
    except FileNotFoundError:
        raise InputNotFound(f"{name}: there is no such file; check the name") from None
    except OSError as error:
        hint = "check the name and the permissions of its folders"
        raise InputUnreadable(f"{name}: {error.strerror}; {hint}") from None
    if stat.S_ISDIR(mode.st_mode):
        raise InputError(f"{name}: is a folder; name a file in it, or a pattern such as {path / '%05d.png'}")
    if not stat.S_ISREG(mode.st_mode):
        raise InputUnreadable(f"{name}: is a pipe or a device, not a file; write the video to a file first")
    if not os.access(path, os.R_OK):
        raise InputUnreadable(f"{name}: the system does not allow to read it; check its permissions")
    if mode.st_size == 0:
        raise InputUnreadable(f"{name}: the file is empty; copy it again from where it came")
