"""Settings of the live service, and the file that shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest
import yaml

from streamrestore.errors import UsageError
from streamrestore.live.config import LiveSettings, SourceSettings
from streamrestore.live.plan import plan_streams
from streamrestore.settings import Settings, read_settings

EXAMPLE = Path(__file__).parents[2] / "configs" / "live.yaml"
SECRET = "hunter2"  # noqa: S105


def keys_of(kind: type[Settings], where: str = "") -> Iterator[str]:
    """Dotted names of all settings."""
    for field in msgspec.structs.fields(kind):
        name = f"{where}{field.name}"
        inner = get_args(field.type)[0] if get_origin(field.type) is tuple else field.type
        if isinstance(inner, type) and issubclass(inner, Settings):
            yield from keys_of(inner, f"{name}.")
        else:
            yield name


def keys_in(value: Any, where: str = "") -> Iterator[str]:
    """Dotted names of all values of a file."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from keys_in(inner, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner, where)
    else:
        yield where


def settings(*sources: dict[str, Any] | str, **more: Any) -> LiveSettings:
    """From sources by address, or with all their keys."""
    listed = [{"url": source} if isinstance(source, str) else source for source in sources]
    return read_settings(LiveSettings, {"sources": listed, **more})


class TestExample:
    """configs/live.yaml."""

    def test_it_has_every_key(self) -> None:
        """And no other; a new setting is shown there, too."""
        assert set(keys_in(yaml.safe_load(EXAMPLE.read_text()))) == set(keys_of(LiveSettings))

    def test_every_key_is_explained(self) -> None:
        """On its line."""
        lines = EXAMPLE.read_text().splitlines()

        assert [line for line in lines if re.match(r"\s*[a-z_]+: +\S", line) and " # " not in line] == []

    def test_it_shows_the_defaults(self) -> None:
        """What is left out is as shown; only the places to publish and to look have no default."""
        shown = read_settings(LiveSettings, yaml.safe_load(EXAMPLE.read_text()))
        default = LiveSettings()

        assert shown.publish.address is not None
        assert shown.http.address is not None
        publish, http = (msgspec.structs.replace(part, address=None) for part in (shown.publish, shown.http))
        assert msgspec.structs.replace(shown, sources=(), publish=publish, http=http) == default

    def test_it_can_be_used(self) -> None:
        """Sources of every kind."""
        plans = plan_streams(read_settings(LiveSettings, yaml.safe_load(EXAMPLE.read_text())))

        assert [plan.request.kind for plan in plans] == [
            "network", "network", "network", "frames", "device", "file",
        ]  # fmt: skip


class TestSources:
    """What can be read, and what is done with it."""

    @pytest.mark.parametrize(
        ("url", "kind"),
        [
            ("rtsp://host/a", "network"), ("rtsps://host/a", "network"), ("https://host/a.m3u8", "network"),
            ("udp://0.0.0.0:5000", "network"), ("tcp://host:5555", "frames"), ("ipc:///run/x", "frames"),
            ("/dev/video0", "device"), ("clip.mp4", "file"), ("file:///a/clip.mp4", "file"),
        ],
    )  # fmt: skip
    def test_kinds(self, url: str, kind: str) -> None:
        """By the scheme."""
        assert plan_streams(settings(url))[0].request.kind == kind

    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_transport(self, transport: str) -> None:
        """Of RTSP alone."""
        plans = plan_streams(settings(*(
            {"url": url, "name": name, "transport": transport}
            for name, url in (("a", "rtsp://host/a"), ("b", "http://host/b"))
        )))  # fmt: skip

        assert plans[0].request.options["rtsp_transport"] == transport
        assert "rtsp_transport" not in plans[1].request.options

    def test_own_settings_win(self) -> None:
        """What a source does not say is as for all, also where its own value is 0."""
        own = {"url": "rtsp://h/a", "branch": "rain", "strength": 0.0, "max_latency_seconds": 0.2,
               "on_overload": "bypass", "interlaced": "keep", "hdr": "pass"}  # fmt: skip
        common = {"branch": "haze", "strength": 0.5, "max_latency_seconds": 3.0, "on_overload": "fast",
                  "interlaced": "bwdif"}  # fmt: skip
        first, second = plan_streams(settings(own, "rtsp://h/b", streams=common))

        assert (first.branch, first.strength) == ("rain", 0.0)
        assert (first.max_latency_seconds, first.on_overload) == (0.2, "bypass")
        assert (second.branch, second.strength) == ("haze", 0.5)
        assert (second.max_latency_seconds, second.on_overload) == (3.0, "fast")
        assert (first.hdr, second.hdr) == ("pass", "refuse")
        assert (first.request.interlaced, second.request.interlaced) == ("keep", "bwdif")

    def test_names_by_position(self) -> None:
        """Where none is given."""
        plans = plan_streams(settings("rtsp://h/a", {"url": "rtsp://h/b", "name": "gate"}, "rtsp://h/c"))

        assert [plan.name for plan in plans] == ["cam1", "gate", "cam3"]

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            (f"srt://u:{SECRET}@host:9000", "no SRT"),
            (f"ftp://u:{SECRET}@host/a", "no source of this kind"),
            ({"url": "rtsp://h/a", "topic": "cam1"}, "'topic' is for"),
            ({"url": f"rtsp://u:{SECRET}@h/a", "keys": "dir"}, "'keys' are for"),
            ({"url": f"rtsp://u:{SECRET}@h/a", "loop": True}, "'loop' is for"),
            ({"url": f"rtsp://u:{SECRET}@h/a", "mask": ["1,2,3"]}, "mask 1,2,3: there is no such file"),
            ({"url": "tcp://h:1", "interlaced": "keep"}, "'interlaced' is for"),
            ({"url": "tcp://h:1", "topic": "a b"}, "cannot be the name"),
            ({"url": "tcp://h"}, "is no address"),
            ({"url": "rtsp://h/a", "name": "a/b"}, "cannot be the name"),
        ],
    )  # fmt: skip
    def test_refused(self, source: Any, words: str) -> None:
        """Before anything is started; no password is told."""
        with pytest.raises(UsageError, match=words) as raised:
            plan_streams(settings(source))
        assert SECRET not in str(raised.value)

    def test_a_name_twice(self) -> None:
        """A position's name counts, too."""
        with pytest.raises(UsageError, match="'cam2'"):
            plan_streams(settings({"url": "rtsp://h/a", "name": "cam2"}, "rtsp://h/b"))

    def test_no_source(self) -> None:
        """Nothing to do is a mistake."""
        with pytest.raises(UsageError, match="no source"):
            plan_streams(LiveSettings())

    def test_a_key_that_is_none(self) -> None:
        """Within a source, too; with the nearest that is."""
        with pytest.raises(UsageError, match=r"'sources\[1\].transpot'; did you mean 'transport'"):
            settings("rtsp://h/a", {"url": "rtsp://h/b", "transpot": "udp"})

    def test_no_password_is_shown(self) -> None:
        """Wherever the settings themselves may come up, as in a traceback."""
        shown = settings({"url": f"rtsp://u:{SECRET}@h/a", "name": "gate"})

        assert SECRET not in repr(shown) + str(shown) + repr(plan_streams(shown))
        assert "gate" in repr(shown.sources[0])
        assert isinstance(shown.sources[0], SourceSettings)
