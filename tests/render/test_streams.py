"""What a source is, in words."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from streamrestore.frames import ColorInfo, PixelFormat
from streamrestore.render.colors import describe_color, describe_format
from streamrestore.render.streams import picture_rows, rate_in_words, timing_rows
from tests.render.samples import info_of

EIGHT = PixelFormat("yuv", 8, 1, 1)


class TestColor:
    """Colour tags in words."""

    def test_tags_in_words(self):
        """Each tag has its name."""
        said = describe_color(ColorInfo(9, 1, 9, 16), EIGHT, 3840, 2160)
        assert said == {"matrix": "BT.2020", "range": "limited", "primaries": "BT.2020", "transfer": "PQ"}

    @pytest.mark.parametrize(("size", "matrix"), [((1280, 720), "BT.709"), ((720, 576), "BT.601")])
    def test_what_is_assumed_is_marked(self, size, matrix):
        """Missing tags are not silently filled in."""
        said = describe_color(ColorInfo(), EIGHT, *size)
        assert said["matrix"] == f"{matrix}, assumed"
        assert said["range"] == "limited, assumed"
        assert said["primaries"] == said["transfer"] == "not tagged"

    def test_matrix_that_is_not_handled(self):
        """A tag that we do not follow is shown with what is taken instead."""
        assert describe_color(ColorInfo(matrix=14), EIGHT, 1920, 1080)["matrix"] == "ICtCp, taken as BT.709"

    def test_rgb_needs_no_assumption(self):
        """RGB is RGB."""
        said = describe_color(ColorInfo(), PixelFormat("rgb"), 64, 48)
        assert (said["matrix"], said["range"]) == ("RGB", "full")

    def test_formats(self):
        """Depth and sampling."""
        assert describe_format(PixelFormat("yuv", 10, 1, 0)) == "10 bit 4:2:2"
        assert describe_format(PixelFormat("gray", 16)) == "16 bit grey"


class TestRows:
    """Picture and timing."""

    def test_rotation_and_pixels(self):
        """A portrait video says how it is stored."""
        info = info_of(rotation=90, sample_aspect_ratio=Fraction(16, 15), interlaced=True)
        rows = dict(picture_rows(info))
        assert info.displayed_size == (720, 1280)
        assert rows["size"] == "720x1280 as displayed, stored as 1280x720 and turned by 90 degrees"
        assert rows["pixels"] == "16:15, not square"
        assert rows["scan"] == "interlaced by its header"

    def test_variable_timing_and_a_wrong_claim(self):
        """What the container claims and what was found."""
        timing = SimpleNamespace(
            rate="30000/1001", variable=True, min_ms=16.0, max_ms=50.0, mean_ms=33.4, start_seconds=1.4
        )  # fmt: skip
        rows = dict(timing_rows(info_of(), timing, 120))
        assert rows["frames"] == "120, and the container claims 250"
        assert rows["rate"] == "29.970 frames/s (30000/1001)"
        assert rows["spacing"] == "33.40 ms from frame to frame, variable: 16.00 to 50.00 ms"

    def test_unknown_rate(self):
        """A rate that nobody knows is not invented."""
        assert rate_in_words("") == "unknown"
