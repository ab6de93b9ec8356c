"""Headers by a fuzzer that sees which lines they reach: ``python -m tests.fuzz_wire -max_total_time=600``.

Options are libFuzzer's. Whatever comes is a message or a WireError; anything else stops it, with the input.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["streamrestore.wire", "streamrestore.errors"]):
    from streamrestore.errors import WireError
    from streamrestore.wire import Decided, Header, Seen, pack, unpack

TOPIC = b"cam1/"
FRAME = Header(
    stream="cam1", epoch=1, kind="frame", sequence=3, published_at=1, received_at=1, captured_at=1,
    pts=0, time_base=(1, 25), width=4, height=2, pixel_format="rgb24", weather=Seen({"rain": 0.9}, 0.1),
    decision=Decided(("rain",), 1.0, "classified"), restored=True,
)  # fmt: skip
STATUS = Header(
    stream="cam1", epoch=1, kind="status", sequence=0, published_at=1, state="online", text="It rains."
)


def one_input(data: bytes) -> None:
    """The first two bytes say what topic and payload are, the others are the header."""
    if len(data) < 2:
        return
    topic, payload, header = data[2:10] if data[0] % 4 == 3 else TOPIC, bytes(data[1] % 65), data[2:]
    try:
        message = unpack([topic, header, payload])
    except WireError:
        return
    assert pack(message.header, message.payload)[0] == topic


def main() -> None:
    """From well-formed headers on."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (header, size) in enumerate(((FRAME, 24), (STATUS, 0))):
            Path(folder, str(number)).write_bytes(bytes([0, size]) + bytes(pack(header, bytes(size))[1]))
        atheris.Setup([sys.argv[0], *sys.argv[1:], folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
