"""Settings: one place for every default, and nothing is ignored in silence."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.errors import UsageError
from streamrestore.settings import (
    EncodeSettings,
    JobSettings,
    PolicySettings,
    RestoreSettings,
    WindowSettings,
    read_settings,
    settings_hash,
)

ALL = [EncodeSettings, JobSettings, PolicySettings, RestoreSettings, WindowSettings]


class TestReading:
    """From plain values, as YAML and the command line give them."""

    @pytest.mark.parametrize("kind", ALL)
    def test_nothing_given(self, kind: type[Any]) -> None:
        """The defaults, which are within their own limits."""
        assert read_settings(kind, {}) == kind()
        assert read_settings(kind, msgspec.to_builtins(kind())) == kind()

    def test_nested(self) -> None:
        """Settings within settings; what is not named keeps its default."""
        values = {"restore": {"strength": 0.5, "policy": {"max_passes": 2}}, "encode": {"crf": 20}}

        settings = read_settings(JobSettings, values)

        assert settings.restore.strength == 0.5
        assert settings.restore.policy == PolicySettings(max_passes=2)
        assert settings.encode.crf == 20
        assert settings.windows == WindowSettings()

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"restore": {"strenght": 1}}, r"no 'restore.strenght'; did you mean 'strength'\?"),
            ({"restore": {"policy": {"unknwon": 1}}}, r"'restore.policy.unknwon'; did you mean 'unknown'\?"),
            ({"encoder": {}}, r"no 'encoder'; did you mean 'encode'\?"),
            ({"zzz": 1}, "no 'zzz'; known are encode, end, preview, restore, resume, series, start"),
            ({7: 1}, "no '7'; known are"),
        ],
    )
    def test_unknown_keys(self, values: dict[Any, Any], words: str) -> None:
        """Refused with where it stands and the nearest known name."""
        with pytest.raises(UsageError, match=words):
            read_settings(JobSettings, values)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"strength": 1.6}, "<= 1.5 - at `\\$.strength`"),
            ({"strength": -0.1}, ">= 0.0"),
            ({"strength": math.nan}, "strength"),
            ({"strength": "much"}, "got `str`"),
            ({"branch": "snow"}, "branch"),
            ({"threads": 0}, ">= 1"),
            ({"gates": [1, -1]}, ">= 0.0 - at `\\$.gates"),
            ({"policy": {"max_passes": 3}}, "max_passes"),
            ({"policy": []}, "policy"),
        ],
    )
    def test_bad_values(self, values: dict[str, Any], words: str) -> None:
        """Refused with the limit and where it stands."""
        with pytest.raises(UsageError, match=words):
            read_settings(RestoreSettings, values)

    @pytest.mark.parametrize("values", [None, [], "restore", 5])
    def test_no_mapping(self, values: Any) -> None:
        """An empty or wrong YAML file is told in words, not by a traceback."""
        with pytest.raises(UsageError, match="named values"):
            read_settings(JobSettings, values)

    def test_frozen(self) -> None:
        """Nobody changes settings on the way."""
        with pytest.raises(AttributeError):
            RestoreSettings().strength = 0.0  # type: ignore[misc]


class TestHash:
    """What stands in reports and in the output's metadata."""

    def test_known(self) -> None:
        """Twelve hexadecimal digits, the same in every run."""
        digits = settings_hash(JobSettings())

        assert len(digits) == 12
        assert set(digits) <= set("0123456789abcdef")
        assert digits == settings_hash(read_settings(JobSettings, {}))

    @pytest.mark.parametrize("name", ["drop_unsupported", "force_encode", "overwrite"])
    def test_permissions_do_not_count(self, name: str) -> None:
        """Work done with one and without is the same work."""
        assert read_settings(JobSettings, {"encode": {name: True}}).digest == JobSettings().digest

    @pytest.mark.parametrize(
        "values",
        [{"start": 1}, {"end": 1}, {"preview": 1}, {"series": True}, {"encode": {"size_like_input": True}}],
    )
    def test_what_decides_counts(self, values: dict[str, Any]) -> None:
        """Another part, another size, other neighbours: another result."""
        assert read_settings(JobSettings, values).digest != JobSettings().digest

    def test_name_of_a_plan_does_not_count(self) -> None:
        """What it says does: outputs tell that beside the settings."""
        assert read_settings(JobSettings, {"restore": {"plan": "a.yaml"}}).digest == JobSettings().digest

    def test_every_setting_counts(self) -> None:
        """A change of any single field, however deep, changes the hash."""
        changes: list[dict[str, Any]] = [
            {"strict": True},
            {"windows": {"gap_frames": 5.0}},
            {"encode": {"preset": "fast"}},
            {"encode": {"crf": 18}},
            {"restore": {"gates": [1, 1, 1]}},
            {"restore": {"policy": {"min_gain_db": 0.6}}},
        ]

        hashes = {settings_hash(read_settings(JobSettings, change)) for change in changes}

        assert len(hashes | {settings_hash(JobSettings())}) == len(changes) + 1

    @given(st.floats(0, 1.5), st.floats(0, 1.5))
    def test_equal_settings_equal_hashes(self, a: float, b: float) -> None:
        """And different ones have different hashes."""
        same = settings_hash(RestoreSettings(strength=a)) == settings_hash(RestoreSettings(strength=b))

        assert same == (msgspec.json.encode(a) == msgspec.json.encode(b))
