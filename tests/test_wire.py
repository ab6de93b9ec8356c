"""Messages: everything that was packed comes out again, and nothing else gets in."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrestore import wire
from streamrestore.errors import UsageError, WireError
from streamrestore.frames import ColorInfo, Matrix, Range
from streamrestore.weather import Decision, Weather, WeatherEstimate
from streamrestore.wire import Color, Decided, Header, Seen, pack, unpack
from tests.cli.process import ENVIRONMENT
from tests.needs import needs_atheris

STREAMS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
COUNTS = st.integers(0, 2**63 - 1)
PLAIN = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))
NAMES = st.text(PLAIN, max_size=64)
WEATHER = st.builds(
    Seen,
    weathers=st.dictionaries(NAMES, st.floats(0, 1), max_size=5),
    unknown=st.floats(0, 1),
    severity=st.dictionaries(NAMES, st.floats(0, 1e6), max_size=5),
)
DECISIONS = st.builds(
    Decided, branches=st.lists(NAMES, max_size=3).map(tuple), strength=st.floats(0, 1.5), reason=NAMES
)


def frame(width: int = 4, height: int = 2, pixel_format: Any = "rgb24", **fields: Any) -> Header:
    """Header of a small frame."""
    known: dict[str, Any] = {
        "stream": "cam1", "epoch": 7, "kind": "frame", "sequence": 3, "published_at": 5, "received_at": 4,
        "pts": 900, "time_base": (1, 90000), "width": width, "height": height, "pixel_format": pixel_format,
    }  # fmt: skip
    return Header(**(known | fields))


@st.composite
def messages(draw: st.DrawFn) -> tuple[Header, bytes]:
    """Any message that may be published."""
    common: dict[str, Any] = {
        "stream": draw(STREAMS), "epoch": draw(COUNTS), "sequence": draw(COUNTS),
        "published_at": draw(COUNTS), "drops": draw(COUNTS),
    }  # fmt: skip
    kind = draw(st.sampled_from(["frame", "gap", "status", "end"]))
    if kind != "frame":
        text = draw(st.text(PLAIN, max_size=50))
        return Header(kind=kind, text=text, missing=draw(COUNTS), **common), b""
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    pixel_format: Any = draw(st.sampled_from(["rgb24", "nv12", "jpeg"]))
    size = wire.payload_size(pixel_format, width, height) or draw(st.integers(1, 50))
    matrix, code_range = draw(st.sampled_from([1, 4, 5, 6, 7, 9])), draw(st.sampled_from([1, 2]))
    header = frame(
        width,
        height,
        pixel_format,
        pts=draw(st.integers(-(2**62), 2**62)),
        time_base=draw(st.tuples(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))),
        captured_at=draw(st.none() | COUNTS),
        color=Color(matrix, code_range, draw(st.integers(0, 255)), draw(st.integers(0, 255))),
        weather=draw(st.none() | WEATHER),
        decision=draw(st.none() | DECISIONS),
        restored=draw(st.booleans()),
        **common,
    )
    return header, draw(st.binary(min_size=size, max_size=size))


class TestRoundTrip:
    @given(messages())
    def test_everything_comes_back(self, message: tuple[Header, bytes]) -> None:
        """What was packed is what is unpacked, and the topic is the stream's name with the slash."""
        header, payload = message

        parts = pack(header, payload)
        again = unpack(parts)

        assert parts[0] == f"{header.stream}/".encode()
        assert again.header == header
        assert again.payload == payload

    def test_the_payload_is_not_copied(self) -> None:
        """Both ways it is the same memory; what comes out cannot be written to."""
        picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)

        message = unpack(pack(frame(), picture))

        assert np.shares_memory(np.frombuffer(message.payload, np.uint8), picture)
        assert message.payload.readonly

    def test_newer_fields_are_ignored(self) -> None:
        """A publisher of the same version may say more than we know."""
        topic, header, payload = pack(frame(), bytes(24))
        more = msgspec.msgpack.decode(header) | {"lens": {"focal_length": 8.5}, "tags": [1, [2]]}

        assert unpack([topic, msgspec.msgpack.encode(more), payload]).header == frame()

    def test_missing_optional_fields_have_their_default(self) -> None:
        """A publisher may say less, too."""
        fields = {
            name: getattr(frame(), name)
            for name in ("version", "stream", "epoch", "kind", "sequence", "published_at", "received_at",
                         "pts", "time_base", "width", "height", "pixel_format")
        }  # fmt: skip

        assert unpack([b"cam1/", msgspec.msgpack.encode(fields), bytes(24)]).header == frame()

    def test_stamp(self) -> None:
        """Publishing fills in what only it knows."""
        header = wire.stamped(frame(sequence=-1), sequence=9, published_at=11, drops=3)

        assert (header.sequence, header.published_at, header.drops) == (9, 11, 3)


class TestHouse:
    """To the types of the rest of the package and back."""

    def test_estimate_and_decision(self) -> None:
        """They come back as they were."""
        estimate = WeatherEstimate({Weather.RAIN: 0.9, Weather.HAZE: 0.1}, 0.2, {Weather.RAIN: 0.3})
        decision = Decision((Weather.RAIN, Weather.HAZE), 0.5, "classified", estimate)
        header = frame(weather=Seen.of(estimate), decision=Decided.of(decision))

        again = unpack(pack(header, bytes(24))).header
        assert again.weather is not None
        assert again.decision is not None

        assert again.weather.estimate() == estimate
        assert again.decision.decision(again.weather.estimate()) == decision
        assert type(next(iter(again.weather.estimate().weathers))) is Weather

    def test_numbers_of_numpy(self) -> None:
        """A network's outputs are sent as what they are worth."""
        seen = Seen.of(WeatherEstimate({Weather.RAIN: np.float64(0.5)}, np.float32(0.25), {}))

        assert unpack(pack(frame(weather=seen), bytes(24))).header.weather == Seen({"rain": 0.5}, 0.25)

    def test_a_weather_that_only_newer_versions_know(self) -> None:
        """It keeps its name, and counts in P(clean)."""
        seen = Seen({"snow": 0.75, "rain": 0.5}, 0.0)

        assert seen.estimate().probabilities == {"snow": 0.75, "rain": 0.5, "clean": 0.125, "unknown": 0.0}
        assert Decided(("snow",), 1.0, "classified").decision(None).label == "snow"

    def test_color(self) -> None:
        """Every tag is carried."""
        assert Color.of(ColorInfo(1, 2, 3, 4, 5)) == Color(1, 2, 3, 4, 5)


class TestNames:
    @pytest.mark.parametrize("name", ["cam1", "0", "A.b-c_d", "x" * 64])
    def test_allowed(self, name: str) -> None:
        """Names that are safe in topics, files and labels."""
        assert wire.topic_of(name) == f"{name}/".encode()

    @pytest.mark.parametrize("name", ["", "a/b", "cam 1", "cam1\n", "-x", ".", "ü", "x" * 65, "a\0"])
    def test_refused(self, name: str) -> None:
        """Also as part of a message."""
        with pytest.raises(UsageError, match="cannot be the name of a stream"):
            wire.topic_of(name)
        with pytest.raises(WireError):
            pack(frame(stream=name), bytes(24))

    def test_one_name_does_not_begin_another_topic(self) -> None:
        """ZeroMQ compares beginnings."""
        assert not wire.topic_of("cam10").startswith(wire.topic_of("cam1"))


def encoded(**fields: Any) -> list[bytes]:
    """Parts with a header in which some fields are replaced (or left out: None)."""
    known = msgspec.to_builtins(frame()) | fields
    header = msgspec.msgpack.encode({name: value for name, value in known.items() if value is not None})
    return [b"cam1/", header, bytes(24)]


NV12 = {"pixel_format": "nv12", "width": 4, "height": 4}

BAD: dict[str, tuple[list[bytes], str]] = {
    "no parts": ([], "0 parts"),
    "one part": ([b"cam1/"], "1 parts"),
    "four parts": ([*encoded(), b""], "4 parts"),
    "other topic": ([b"cam2/", *encoded()[1:]], "another topic"),
    "topic without slash": ([b"cam1", *encoded()[1:]], "another topic"),
    "later version": (encoded(version=2), "version 2; .* upgrade it"),
    "earlier version": (encoded(version=0), "version 0; .* upgrade the publisher"),
    "later version, all else different": (
        [b"cam1/", msgspec.msgpack.encode({"version": 9, "stream": 1}), b""],
        "version 9",
    ),
    "no version": (encoded(version=None), "version"),
    "no stream": (encoded(stream=None), "stream"),
    "no epoch": (encoded(epoch=None), "epoch"),
    "no sequence": (encoded(sequence=None), "lacks its sequence"),
    "no publishing time": (encoded(published_at=None), "lacks its sequence"),
    "negative sequence": (encoded(sequence=-1), "sequence"),
    "unknown kind": (encoded(kind="sound"), "kind"),
    "frame without pts": (encoded(pts=None), "needs pts"),
    "frame without time base": (encoded(time_base=None), "needs pts"),
    "frame without arrival": (encoded(received_at=None), "needs pts"),
    "frame without format": (encoded(pixel_format=None), "needs pts"),
    "frame without size": (encoded(width=0), "needs pts"),
    "time base of zero": (encoded(time_base=[1, 0]), "time_base"),
    "time base of three": (encoded(time_base=[1, 2, 3]), "time_base"),
    "payload too short": ([*encoded()[:2], bytes(23)], "23 bytes; 4x2 rgb24 has 24"),
    "payload too long": ([*encoded()[:2], bytes(25)], "25 bytes"),
    "empty jpeg": ([*encoded(pixel_format="jpeg")[:2], b""], "0 bytes"),
    "huge size": (encoded(width=16384, height=16384), "has 805306368"),
    "impossible size": (encoded(width=2**40), "width"),
    "payload of a status": (encoded(kind="status"), "carries 24 bytes"),
    "nv12 without matrix": ([*encoded(**NV12)[:2], bytes(24)], "colour matrix"),
    "control characters": (encoded(text="\x1b[2J"), "text"),
    "other direction": (encoded(text="\u202efine"), "text"),
    "control characters in a name": (
        encoded(weather={"weathers": {"\x1b[2J": 0.0}, "unknown": 0.0}), "weathers"
    ),
    "a line break": (encoded(text="fine\n"), "text"),
    "state that is no word": (encoded(state="on line"), "state"),
    "probability above one": (encoded(weather={"weathers": {"rain": 1.5}, "unknown": 0.0}), "weathers"),
    "no probability": (encoded(weather={"weathers": {"rain": float("nan")}, "unknown": 0.0}), "weathers"),
    "endless severity": (
        encoded(weather={"weathers": {}, "unknown": 0.0, "severity": {"rain": float("inf")}}),
        "severity",
    ),
    "a thousand weathers": (
        encoded(weather={"weathers": {str(i): 0.0 for i in range(1000)}, "unknown": 0.0}),
        "weathers",
    ),
    "no map": ([b"cam1/", b"\x01", b""], "not ours"),
    "no msgpack": ([b"cam1/", b"\xc1", b""], "not ours"),
    "empty header": ([b"cam1/", b"", b""], "not ours"),
    "two headers": ([b"cam1/", encoded()[1] * 2, b""], "not ours"),
    "not UTF-8": ([b"cam1/", encoded()[1].replace(b"cam1", b"\xff\xfe\xfd\xfc"), bytes(24)], "not ours"),
    "deep nesting": ([b"cam1/", b"\x81\xa1x" + b"\x91" * 16000 + b"\x01", b""], "not ours"),
    "long header": ([b"cam1/", bytes(wire.MAX_HEADER + 1), b""], "header has 16385 bytes"),
}  # fmt: skip


class TestRefusal:
    @pytest.mark.parametrize("name", BAD)
    def test_typed_error(self, name: str) -> None:
        """Each is a WireError that says what is wrong."""
        parts, reason = BAD[name]

        with pytest.raises(WireError, match=reason):
            unpack(parts)

    def test_the_good_one_is_fine(self) -> None:
        """The cases above differ from it in one thing each."""
        assert unpack(encoded()).header == frame()

    def test_messages_are_short_and_plain(self) -> None:
        """What a stranger sent does not reach a log or a terminal as it is."""
        with pytest.raises(WireError) as caught:
            unpack(encoded(kind="\x1b[2J" + "x" * 5000))

        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400

    def test_limit_of_the_payload(self) -> None:
        """A reader may accept less than the format allows."""
        assert unpack(encoded(), max_payload=24).payload.nbytes == 24
        with pytest.raises(WireError, match="24 bytes; the limit is 23"):
            unpack(encoded(), max_payload=23)

    @pytest.mark.parametrize(
        ("header", "payload"),
        [
            (frame(sequence=-1), bytes(24)),
            (frame(), bytes(25)),
            (frame(), np.zeros((4, 6), np.uint8)[:, :5]),
            (frame(), "text"),
            (frame(pts=2**70), bytes(24)),
            (frame(pts=np.int64(5)), bytes(24)),
            (frame(text="\ud800"), bytes(24)),
            (frame(stream="\ud800"), bytes(24)),
        ],
    )
    def test_packing(self, header: Header, payload: Any) -> None:
        """What a reader would refuse is not packed."""
        with pytest.raises(WireError):
            pack(header, payload)

    def test_nv12_says_its_color(self) -> None:
        """With a matrix and a range, it is fine."""
        color = Color(int(Matrix.BT709), int(Range.LIMITED))

        assert unpack(pack(frame(3, 3, "nv12", color=color), bytes(17))).header.color == color


class TestAllocation:
    @pytest.mark.parametrize(
        "parts",
        [
            encoded(width=16384, height=16384, pixel_format="rgb24"),
            [b"cam1/", b"\x81\xa1x\xdd" + struct.pack(">I", 2**32 - 1), b""],
            [b"cam1/", b"\x81\xa1x\xdb" + struct.pack(">I", 2**32 - 1), b""],
            [b"cam1/", b"\xdf" + struct.pack(">I", 2**32 - 1), b""],
            [
                b"cam1/",
                b"\x82\xa7version\x01\xa8decision\x81\xa8branches\xdd" + struct.pack(">I", 2**32 - 1),
                b"",
            ],
            [b"cam1/", b"\x82\xa7version\x01\xa4text\xdb" + struct.pack(">I", 2**32 - 1), b""],
        ],
    )
    def test_nothing_of_a_declared_size(self, parts: list[bytes]) -> None:
        """Gigabytes that are only announced cost nothing."""
        tracemalloc.start()
        try:
            with pytest.raises(WireError):
                unpack(parts)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert peak < 100_000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def only_wire_errors(parts: list[bytes]) -> None:
    """Either it is a message, or a WireError."""
    try:
        message = unpack(parts)
    except WireError:
        pass
    else:
        assert pack(message.header, message.payload)[0] == parts[0]


class TestFuzz:
    """Whatever comes, it is a message or a WireError."""

    @needs_atheris
    def test_by_coverage(self) -> None:
        """A fuzzer that sees which lines it reaches."""
        command = [sys.executable, "-m", "tests.fuzz_wire", "-runs=20000"]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stderr
        assert "Done 20000 runs" in done.stderr

    @settings(max_examples=200)
    @given(st.lists(st.binary(max_size=400), max_size=5))
    def test_random_bytes(self, parts: list[bytes]) -> None:
        """Noise."""
        only_wire_errors(parts)

    @settings(max_examples=200)
    @given(st.integers(0, 2), st.integers(0, 500))
    def test_truncated(self, part: int, length: int) -> None:
        """Any part cut anywhere."""
        parts = encoded()
        parts[part] = parts[part][:length]

        only_wire_errors(parts)

    @settings(max_examples=400)
    @given(messages(), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4))
    def test_flipped_bytes(self, message: tuple[Header, bytes], changes: list[tuple[int, int]]) -> None:
        """Any bytes of a header replaced."""
        topic, header, payload = pack(*message)
        altered = bytearray(header)
        for index, value in changes:
            altered[index % len(altered)] = value

        only_wire_errors([bytes(topic), bytes(altered), bytes(payload)])

    @settings(max_examples=400)
    @given(st.dictionaries(st.sampled_from(Header.__struct_fields__), VALUES, min_size=1, max_size=3))
    def test_any_value_in_any_field(self, fields: dict[str, Any]) -> None:
        """Well-formed msgpack with anything in it."""
        known = msgspec.to_builtins(frame()) | fields

        only_wire_errors([b"cam1/", msgspec.msgpack.encode(known), bytes(24)])

    @given(VALUES)
    def test_any_header(self, value: Any) -> None:
        """No map of ours at all."""
        only_wire_errors([b"cam1/", msgspec.msgpack.encode(value), b""])
