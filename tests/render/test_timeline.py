"""The bar, its legend and the table."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from streamrestore.render.timeline import (
    COLORS,
    LETTERS,
    cells_of,
    label_of,
    legend,
    runs_of,
    severity_units,
    timeline_bar,
    timeline_table,
)
from streamrestore.weather import Weather
from tests.render.samples import clips_of


def test_every_weather_has_a_colour_and_a_letter():
    """A new weather is one line more."""
    assert set(COLORS) == set(LETTERS) == {*Weather, "clean", "none", "unsure"}
    assert len(set(COLORS.values())) == len(set(LETTERS.values())) == len(COLORS)


class TestBar:
    """The bar."""

    def test_letters_without_colour(self):
        """Each clip has its share of the cells; two passes alternate; the times stand below."""
        bar, axis = timeline_bar(
            clips_of(["clean", "rain", "rain+haze", "unsure"]), 40, color=False
        ).plain.split("\n")
        assert bar == "." * 10 + "r" * 10 + "rh" * 5 + "?" * 10
        assert axis.split() == ["0:00.0", "0:04.0", "0:08.0"]
        assert len(axis) == 40

    def test_names_where_there_is_room(self):
        """In colour, a run carries its name if it fits."""
        bar = timeline_bar(clips_of(["rain", "raindrop"]), 12, color=True)
        assert bar.plain.split("\n")[0] == " rain       "
        assert {str(span.style) for span in bar.spans} >= {f"black on {COLORS['rain']}"}

    def test_gap_in_time_is_blank(self):
        """Where there is no picture there is no weather."""
        (first,) = clips_of(["rain"])
        (late,) = clips_of(["rain"], start_seconds=6.0, stop_seconds=8.0)
        assert cells_of([first, late], 8) == ["rain"] * 2 + [""] * 4 + ["rain"] * 2

    def test_many_short_clips_in_a_cell(self):
        """Where no label covers half of a cell, the most frequent is shown: there are pictures."""
        clips = clips_of(["rain", "haze", "noise", "rain", "clean"] * 10)
        assert cells_of(clips, 10) == ["rain"] * 10

    @pytest.mark.parametrize("width", [1, 7, 20, 200])
    def test_any_width_and_a_single_picture(self, width):
        """No width and no length breaks it."""
        still = clips_of(["haze"], stop_seconds=0.0)
        for clips in (still, clips_of(["haze"])):
            lines = timeline_bar(clips, width, color=False).plain.split("\n")
            assert [len(line) for line in lines] == [width, width]

    def test_single_picture_is_seen(self):
        """A picture without a duration fills the bar."""
        assert cells_of(clips_of(["haze"], stop_seconds=0.0), 3) == ["haze"] * 3


class TestLegend:
    """The line under the bar."""

    def test_shares(self):
        """Seconds and share of each label, the longest first."""
        assert legend(clips_of(["rain", "clean", "rain", "haze"]), 100, color=False).plain == (
            "r rain 4.0 s (50%)   . clean 2.0 s (25%)   h haze 2.0 s (25%)"
        )

    def test_breaks_between_items(self):
        """A swatch stays with its name."""
        lines = legend(clips_of(["rain", "clean", "haze"]), 45, color=False).plain.split("\n")
        assert [line[0] for line in lines] == ["r", "h"]


class TestTable:
    """The table."""

    def test_joins_what_is_alike(self):
        """Neighbours with one label are one row."""
        runs = runs_of(clips_of(["clean", "rain", "rain", "haze"]))
        assert [(run.label, len(run.clips), run.start, run.stop) for run in runs] == [
            ("clean", 1, 0.0, 2.0), ("rain", 2, 2.0, 6.0), ("haze", 1, 6.0, 8.0)
        ]  # fmt: skip

    def test_row(self):
        """Time, frames, branch, why, what was seen, how strong."""
        file = StringIO()
        Console(file=file, width=100).print(timeline_table(clips_of(["clean", "rain", "rain"])))
        rows = [line.split() for line in file.getvalue().splitlines()]
        assert rows[1] == ["0:00.0", "-", "0:02.0", "0-49", "none", "clean", "clean", "94%"]
        assert rows[2][3:] == ["50-149", "rain", "classified", "rain", "94%", "0.123"]

    def test_strength_0_is_none(self):
        """What changes nothing is not called restored."""
        (clip,) = clips_of(["rain"], strength=0.0)
        assert label_of(clip) == "none"

    def test_units(self):
        """The unit of each severity that is shown, and of no other."""
        assert severity_units(clips_of(["haze", "clean"])) == ["severity of haze: 1 - mean transmission"]
