"""docs/wire.md: its subscriber runs as it stands, and its tables are the schema."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from streamrestore import wire
from streamrestore.publish import FramePublisher
from streamrestore.weather import Weather
from streamrestore.wire import Color, Decided, Header, Kind, Pixels, Seen
from tests.transport.net import LIMIT, LOCAL, repeating, send

PAGE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()


def fields(heading: str) -> list[str]:
    """First column of the table that follows a line."""
    table = PAGE.split(heading, 1)[1].split("|---", 1)[1].split("\n\n", 1)[0]
    return [name for row in table.splitlines()[1:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]


@pytest.mark.network
def test_the_subscriber_runs(tmp_path: Path) -> None:
    """The block is at most 30 lines, and shows the frames of its stream, and ends with it."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(code.splitlines()) <= 30
    script = tmp_path / "subscriber.py"
    script.write_text(code)
    with FramePublisher(LOCAL) as publisher:
        command = [sys.executable, "-u", str(script), publisher.address, "cam1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            with repeating(lambda number: [send(publisher, number, stream=s) for s in ("cam1", "cam10")]):
                lines = [process.stdout.readline() for _ in range(5)]
            with repeating(lambda _: publisher.end("cam1", 1)):
                assert process.wait(LIMIT) == 0
            assert process.stderr.read() == ""

    frames = [re.fullmatch(r"frame (\d+) \(48, 64, 3\) None\n", line) for line in lines]
    assert all(frames), lines
    numbers = [int(found[1]) for found in frames if found]
    assert numbers == list(range(numbers[0], numbers[0] + 5))


@pytest.mark.parametrize(
    ("heading", "struct"),
    [
        ("## The header", Header),
        ("`color`, integers", Color),
        ("\n`weather`:\n", Seen),
        ("\n`decision`:\n", Decided),
    ],
)
def test_tables_are_the_schema(heading: str, struct: type[msgspec.Struct]) -> None:
    """Every field, in the schema's order, and none else."""
    assert fields(heading) == list(struct.__struct_fields__)


def test_words_and_numbers() -> None:
    """The page names every value that a field can have, and the limits that hold."""
    for word in (*get_args(Kind), *get_args(Pixels), *Weather):
        assert f"`{word}`" in PAGE
    for number in (wire.MAX_HEADER, wire.MAX_PAYLOAD, wire.MAX_SIDE):
        assert f"at most {number}" in PAGE
    assert f"in version **{wire.VERSION}**" in PAGE
    assert f'header["version"] != {wire.VERSION}' in PAGE


def test_required_fields() -> None:
    """What the page calls required is refused when it is missing, and nothing else is."""
    required = {
        name for name in fields("## The header") if re.search(rf"\| `{name}` \|[^|]*\| required \|", PAGE)
    }
    struct = {field.name for field in msgspec.structs.fields(Header) if field.required}

    assert required == struct | {"version", "sequence", "published_at"}
