"""`inspect`: what is shown, and as JSON."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from click.testing import CliRunner
from rich.console import Console

from streamrestore.cli.inspect import show
from streamrestore.cli.main import commands
from tests.media import write_video
from tests.render.samples import plan_of


@pytest.fixture
def planned(monkeypatch):
    """Have the pipeline give a plan without looking at anything."""

    def give(plan):
        monkeypatch.setattr("streamrestore.pipeline.plan.plan_file", lambda *_, **__: plan)
        return CliRunner()

    return give


def test_shows_everything(planned):
    """Streams, picture, frames and weather, one under the other."""
    result = planned(plan_of(["clean", "rain", "rain", "haze"])).invoke(commands, ["inspect", "a.mp4"])
    assert result.exit_code == 0, result.stderr
    for word in ("Streams", "aac", "1280x720", "BT.709", "25 frames/s", "Weather", "severity of rain"):
        assert word in result.stdout
    assert "\x1b" not in result.stdout
    assert "." * 20 + "r" * 40 + "h" * 20 in result.stdout


def test_colours_on_a_terminal():
    """On a terminal the bar has the weathers' colours; NO_COLOR puts letters in their place."""
    drawn = {}
    for no_color in (False, True):
        file = StringIO()
        show(
            plan_of(["rain"]),
            Console(file=file, force_terminal=True, color_system="truecolor", width=100, no_color=no_color),
        )
        drawn[no_color] = file.getvalue()
    assert "48;2;86;180;233m" in drawn[False]
    assert "48;" not in drawn[True]
    assert "r" * 100 in drawn[True]


def test_losses_are_status_4(planned):
    """A damaged file is shown as far as it goes, and the status says so."""
    result = planned(plan_of(["rain"], losses={"missing pictures": 2})).invoke(commands, ["inspect", "a.mp4"])
    assert result.exit_code == 4
    assert "2 x missing pictures" in result.stdout


def test_real_json(tmp_path):
    """With the pipeline itself: every stream, colour, timing and clip, for programs."""
    write_video(tmp_path / "a.mp4", frames=4, size=(64, 48), audio=True, rotation=90)
    result = CliRunner().invoke(commands, ["inspect", str(tmp_path / "a.mp4"), "--json"])
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert [stream["kind"] for stream in found["streams"]] == ["video", "audio"]
    assert (found["picture"]["width"], found["picture"]["height"]) == (48, 64)
    assert found["color"]["assumed"] == ["matrix", "range"]
    assert (found["frames"], found["timing"]["rate"]) == (4, "25")
    (clip,) = found["clips"]
    assert (clip["start_frame"], clip["stop_frame"]) == (0, 4)
    assert set(clip["probabilities"]) == {"rain", "haze", "raindrop", "noise", "clean", "unknown"}


def test_interlaced(tmp_path):
    """From the marks of the pictures: fields per second, their order, and what restoring would do."""
    marked = {"codec": "mpeg2video", "options": {"qscale": "2"}, "interlaced": "top"}
    write_video(tmp_path / "a.ts", frames=6, **marked)

    shown = CliRunner().invoke(commands, ["inspect", str(tmp_path / "a.ts")])
    found = json.loads(CliRunner().invoke(commands, ["inspect", str(tmp_path / "a.ts"), "--json"]).stdout)

    assert "interlaced (50 fields/s, top field first): " in shown.stdout
    picture = found["picture"]
    assert (picture["interlaced"], picture["interlaced_frames"], picture["top_field_first_frames"]) == (
        True,
        6,
        6,
    )
    restored = any(clip["branch"] != "none" for clip in found["clips"])
    assert picture["deinterlace"] == restored
