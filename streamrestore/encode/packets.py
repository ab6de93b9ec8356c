"""Packets of a part of a video in a file of their own, exactly as its encoder gave them.

No container of FFmpeg does: matroska rounds times to a millisecond, mp4 rewrites packets and keeps no
durations, nut forgets them as well.

    MAGIC, length of the header (4 bytes), header (msgpack), then for each packet `_RECORD` and its data
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Self

import msgspec
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from streamrestore.encode.partial import translated
from streamrestore.errors import OutputError

MAGIC = b"streamrestore packets 1\n"
_LENGTH = struct.Struct("<I")
_RECORD = struct.Struct("<qqqBI")
"""pts, dts, duration in ticks, whether it is a key frame, bytes of data."""
RECORD_BYTES = _RECORD.size
"""What a packet takes beside its data."""
_HEVC_SEI = b"\0\0\1\x4e\x01"


class PacketHeader(msgspec.Struct, frozen=True):
    """What all packets of a file share; files of one video have equal headers."""

    codec: str
    """FFmpeg's name of the encoder."""
    tick: tuple[int, int]
    """Seconds, as a fraction."""
    parameters: bytes
    """Parameter sets that stand in the container's header instead of in the packets."""

    @classmethod
    def of(cls, context: VideoCodecContext) -> Self:
        """The header for packets of an open encoder."""
        parameters = bytes(context.extradata or b"")
        if context.name == "libx265":  # it adds a text that names the machine
            parameters = parameters.partition(_HEVC_SEI)[0]
        tick = context.time_base
        return cls(context.name, (tick.numerator, tick.denominator), parameters)


class PacketWriter:
    """Writes a file of packets.

    Attributes:
        bytes: written so far.
    """

    def __init__(self, path: Path, header: PacketHeader) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._hash = hashlib.sha256()
        self.bytes = 0
        encoded = msgspec.msgpack.encode(header)
        self._put(MAGIC + _LENGTH.pack(len(encoded)) + encoded)

    def write(self, packet: Packet[Any]) -> None:
        """Append a packet with both times."""
        data = bytes(packet)
        times = packet.pts, packet.dts, packet.duration or 0
        self._put(_RECORD.pack(*times, packet.is_keyframe, len(data)))
        self._put(data)

    def finish(self) -> str:
        """Have it on the disk; the SHA-256 of the file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._hash.hexdigest()

    def close(self) -> None:
        """Let go of the file, complete or not."""
        self._file.close()

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)


class PacketFile:
    """A file of packets, to be read.

    Attributes:
        header: of the file.
        pts, dts: of each packet, in ticks, in the order of decoding.

    Raises:
        OutputError: it is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.pts: list[int] = []
        self.dts: list[int] = []
        with translated(path, "read"), path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.header = self._read_header(file)
            self._begin = file.tell()
            while file.tell() < size:
                pts, dts, _, _, length = self._read_record(file)
                if file.tell() + length > size:
                    raise self._damaged("its last packet is incomplete")
                file.seek(length, os.SEEK_CUR)
                self.pts.append(pts)
                self.dts.append(dts)

    def __iter__(self) -> Iterator[Packet[Any]]:
        """The packets, with their times; without a stream."""
        base = Fraction(*self.header.tick)
        with translated(self._path, "read"), self._path.open("rb") as file:
            file.seek(self._begin)
            for _ in self.pts:
                pts, dts, duration, key, length = self._read_record(file)
                packet: Packet[Any] = Packet(length)  # zeros follow its data, which FFmpeg's parsers rely on
                packet.update(self._exactly(file, length))
                packet.pts, packet.dts, packet.duration, packet.time_base = pts, dts, duration, base
                packet.is_keyframe = bool(key)
                yield packet

    def _read_header(self, file: IO[bytes]) -> PacketHeader:
        if file.read(len(MAGIC)) != MAGIC:
            raise self._damaged("it is no file of packets")
        (length,) = _LENGTH.unpack(self._exactly(file, _LENGTH.size))
        try:
            return msgspec.msgpack.decode(self._exactly(file, length), type=PacketHeader)
        except msgspec.DecodeError:
            raise self._damaged("its header is unreadable") from None

    def _read_record(self, file: IO[bytes]) -> tuple[int, int, int, int, int]:
        record: tuple[int, int, int, int, int] = _RECORD.unpack(self._exactly(file, _RECORD.size))
        return record

    def _exactly(self, file: IO[bytes], length: int) -> bytes:
        data = file.read(length)
        if len(data) < length:
            raise self._damaged("its end is missing")
        return data

    def _damaged(self, why: str) -> OutputError:
        return OutputError(f"{self._path}: the segment is damaged ({why}); delete it and run again")
