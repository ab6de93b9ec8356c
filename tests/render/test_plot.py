"""The drawing of the weather over time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from streamrestore.render.plot import MOST_STEPS, lanes_of, steps_of, weather_plot
from tests.render.samples import clips_of


def drawn(clips, name: str = "a.mp4") -> ET.Element:
    """The drawing, which is XML, too."""
    return ET.fromstring(weather_plot(clips, name))  # noqa: S314 - our own text


def band(root: ET.Element) -> list[tuple[str, float, float]]:
    """What is said of each block of the band, its left edge and its width."""
    return [
        (group.findtext("title"), float(group.find("rect").get("x")), float(group.find("rect").get("width")))
        for group in root.iterfind("g")
    ]


def ticks(root: ET.Element) -> list[str]:
    """Times under the drawing."""
    return [text.text for text in root.iterfind("text[@class='tick']")]


def numbers(path: str) -> list[float]:
    """Every number of a path."""
    return [float(found) for found in re.findall(r"-?[\d.]+", path)]


def test_clips_are_there():
    """A step in each lane and a block of the band for each clip, over its time."""
    root = drawn(clips_of(["rain", "clean", "haze", "haze"]))
    said = band(root)
    assert [text for text, _, _ in said] == [
        "0:00.0 to 0:02.0: rain, 1 clip, classified",
        "0:02.0 to 0:04.0: clean, 1 clip, clean",
        "0:04.0 to 0:08.0: haze, 2 clips, classified",
    ]
    widths = [width for _, _, width in said]
    assert widths[0] == pytest.approx(widths[1])
    assert widths[2] == pytest.approx(2 * widths[0], abs=0.02)
    assert ticks(root) == [f"0:0{second}" for second in range(9)]
    assert len(root.findall("path[@class='area']")) == 4  # rain, haze, unknown, clean


def test_height_is_the_probability():
    """1 is the top of the lane, 0 its bottom."""
    clips = clips_of(["rain", "rain"], probabilities={"rain": 1.0})
    (area,) = drawn(clips).findall("path[@class='area']")
    assert set(numbers(area.get("d"))) == {84.0, 32.0, 0.0, 529.0, 974.0}


@pytest.mark.parametrize("seconds", [0.0, 0.04, 2.0])
def test_one_clip(seconds):
    """A single clip fills the width, a picture without a duration, too."""
    root = drawn(clips_of(["rain"], seconds=seconds, rate=25, stop_frame=1))
    ((_, left, width),) = band(root)
    assert (left, width) == (84.0, 890.0)
    assert ticks(root)[0] in ("0:00", "0:00.0")


def test_very_many_clips_stay_small():
    """5,000 clips that change all the time are a drawing of bounded size."""
    clips = clips_of(["rain", "haze", "clean", "rain+haze", "noise"] * 1000)
    written = weather_plot(clips, "a.mp4")
    assert len(written) < 500_000
    root = drawn(clips)
    assert 1 <= len(band(root)) <= MOST_STEPS
    assert len(root.findall("path[@class='area']")) == 5


def test_groups_keep_peaks():
    """Of clips that are drawn as one step, the highest probability shows."""
    clips = clips_of(["clean"] * 99 + ["rain"])
    steps = steps_of(clips, 10)
    assert len(steps) == 10
    assert [step.probabilities["rain"] for step in steps] == [0.0] * 9 + [0.94]
    assert (steps[0].start, steps[-1].stop) == (0.0, 200.0)


def test_gaps_are_not_drawn_over():
    """Where there is no picture, there is no area."""
    clips = clips_of(["rain", "rain"])
    gap = clips_of(["rain", "rain"], seconds=2.0, ended_by="gap")[0]
    (_, later) = clips_of(["rain", "rain"], start_seconds=8.0, stop_seconds=10.0)
    whole = drawn(clips).find("path[@class='area']").get("d")
    parted = drawn((gap, later)).find("path[@class='area']").get("d")
    assert (whole.count("M"), parted.count("M")) == (1, 2)


def test_two_passes_show_both_colours():
    """A clip that passes through two branches has two colours on top of each other."""
    (group,) = drawn(clips_of(["rain+haze"])).findall("g")
    assert [rect.get("fill") for rect in group.findall("rect")] == ["#56b4e9", "#e69f00"]


def test_nothing_classified():
    """A forced branch has a band and no lanes."""
    clips = clips_of(["rain"], probabilities={})
    assert lanes_of(clips) == []
    assert len(band(drawn(clips))) == 1


@pytest.mark.parametrize("clips", [3, 40, 400, 4000, 100_000])
def test_axis_is_readable(clips):
    """At most eleven round times, whatever the length, in minutes and seconds."""
    # One long clip has the same axis as many short ones.
    (clip,) = clips_of(["rain"], seconds=2.0 * clips)
    shown = ticks(drawn((clip,)))
    assert 2 <= len(shown) <= 11
    assert len(set(shown)) == len(shown)
    assert all(re.fullmatch(r"(\d+:)?\d+:\d\d", text) for text in shown)
