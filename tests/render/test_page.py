"""The page of a report."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import av
import pytest

from streamrestore.render.page import report_page
from streamrestore.render.report_json import JobFailure, JobSkipped
from streamrestore.render.stills import Still, find_stills
from streamrestore.settings import JobSettings, read_settings
from tests.media import write_video
from tests.render.samples import clips_of, report_of

VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """A page as a browser sees it; it complains of tags that do not match."""

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inside: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.feed(text.decode())
        self.close()
        assert self.inside == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.inside.append(tag)

    def handle_endtag(self, tag):
        assert self.inside.pop() == tag

    def handle_data(self, data):
        if self.inside and self.inside[-1] in ("script", "style"):
            {"script": self.scripts, "style": self.styles}[self.inside[-1]].append(data)
        else:
            self.text += data + "\n"

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of every element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(*outcomes, stills=None) -> Page:
    """The page of some outcomes."""
    return Page(report_page(outcomes, stills or [()] * len(outcomes)))


@pytest.fixture
def still(tmp_path) -> Still:
    """A real one."""
    for name, seed in (("a.mkv", 1), ("b.mkv", 5)):
        write_video(tmp_path / name, frames=10, size=(96, 64), pattern="smooth", seed=seed)
    clips = clips_of(["rain"], seconds=0.4)
    (found,) = find_stills(
        report_of(input=str(tmp_path / "a.mkv"), output=str(tmp_path / "b.mkv"), clips=clips)
    )
    return found


class TestSafe:
    """It opens offline, and names in it do no harm."""

    def test_names_cannot_become_tags(self):
        """Whatever a file, a stream, a note or an error is called."""
        bad = "<script>alert(1)</script>\"'&.mp4\n\udcff"
        report = report_of(
            input=bad, output=bad, notes=(bad,), losses={bad: 1}, weights={bad: bad}, device=bad, version=bad
        )
        page = page_of(report, JobFailure(bad, bad, bad, 1), JobSkipped(bad, bad))
        assert len(page.all("script")) == 1
        assert page.text.count("<script>alert(1)</script>") > 8

    def test_nothing_is_fetched(self, still):
        """No address, no style or handler in an attribute."""
        text = report_page([report_of()], [[still]]).decode()
        assert "http:" not in text
        assert "https:" not in text
        page = Page(text.encode())
        assert page.all("link") == []
        for _, attributes in page.tags:
            assert not {name for name in attributes if name == "style" or name.startswith("on")}
            assert attributes.get("src", "data:").startswith("data:")
            assert attributes.get("href", "#").startswith("#")

    def test_policy_allows_its_own_style_and_script_only(self):
        """The hashes are those of what stands in the page."""
        page = page_of(report_of())
        (policy,) = (meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for kind, (text,) in (("style", page.styles), ("script", page.scripts)):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in policy


class TestContents:
    """What a page tells."""

    def test_everything_is_there(self):
        """Outcome, clips, streams, speed, losses, notes, settings, versions."""
        settings = read_settings(JobSettings, {"restore": {"strength": 0.5}})
        report = report_of(
            ("rain", "clean", "haze"),
            settings=settings,
            losses={"missing pictures": 2},
            notes=("a note",),
            assumed=("range",),
            stage_seconds={"decode": 1.5, "encode": 4.5},
            weights={"router": "abc123"},
        )
        text = page_of(report).text
        for said in (
            "damaged", "150 frames of 1280x720 h264, 100 restored (rain 50, haze 50)", "0:02.0 - 0:04.0",
            "classified", "94%", "rain 0.123", "mean light added by streaks", "audio", "aac", "470",
            "2 x missing pictures", "a note", "range; the usual was assumed", "16.7", "4.5 s", "50%",
            "restore.strength", "0.5 (default: 1.0)", "encode.crf", "0123456789ab", "abc123",
        ):  # fmt: skip
            assert said in text, said

    def test_drawing_has_the_clips(self):
        """A block for each run of clips, named for those who cannot see it."""
        page = page_of(report_of(("rain", "clean", "haze")))
        assert [a.get("role") for a in page.all("svg") if "role" in a] == ["img"]
        assert len([a for a in page.all("g") if a.get("class") == "block"]) == 3
        assert "3 clips: 0:00.0 to 0:02.0 rain" in page.text

    def test_dropped_streams_are_told(self):
        """With the reason."""
        report = report_of()
        lost = (*report.streams, type(report.streams[0])(2, "data", "gpmd", "dropped", 0, "mp4 holds none"))
        assert "Stream 2, data gpmd, was left out: mp4 holds none" in page_of(report_of(streams=lost)).text

    def test_many_clips_are_folded(self):
        """Of 5,000 clips, the page has every one, folded away, and stays readable and small."""
        written = report_page([report_of(["rain", "clean", "haze", "rain+haze"] * 1250)], [()])
        page = Page(written)
        assert "All 5000 clips" in page.text
        assert [a for a in page.all("details") if "open" not in a]
        assert len(page.all("tr")) > 5000
        assert len(written) < 4_000_000

    def test_few_clips_are_not(self):
        """They stand there."""
        assert [a for a in page_of(report_of()).all("details") if "open" not in a] == []

    def test_one_picture(self):
        """A file of one picture has a page as well."""
        assert "0:00.0 - 0:00.0" in page_of(report_of(clips=clips_of(["haze"], stop_seconds=0.0))).text


class TestStills:
    """Pictures before and after."""

    def test_pictures_decode_and_have_words(self, still):
        """Both are JPEG files of the size that is said; the slider works with keys."""
        page = Page(report_page([report_of()], [[still]]))
        images = page.all("img")
        assert len(images) == 2
        for image in images:
            data = base64.b64decode(image["src"].partition("base64,")[2])
            context = av.CodecContext.create("mjpeg", "r")
            (frame,) = [*context.decode(av.Packet(data)), *context.decode(None)]
            assert (frame.width, frame.height) == (int(image["width"]), int(image["height"])) == (96, 64)
            assert re.search(r"frame \d at 0:00\.\d, (as it was|restored)", image["alt"])
        (slider,) = page.all("input")
        assert slider["type"] == "range"
        assert page.all("label")

    def test_without(self):
        """No stills, no heading for them."""
        assert "Before and after" not in page_of(report_of()).text


class TestSeveral:
    """A page of several files."""

    def test_section_each(self):
        """What became of each file stands on top, and leads to its section."""
        page = page_of(
            report_of(),
            report_of(copied=True, input="b.mp4"),
            JobFailure("c.mp4", "", "c.mp4: broke", 3),
            JobSkipped("d.mp4", "out/d.mp4"),
        )
        targets = [a["href"] for a in page.all("a")]
        assert targets == [f"#{a['id']}" for a in page.all("section")]
        assert "Restoration of 4 files" in page.text
        assert "c.mp4: broke" in page.text
        badges = [a["class"] for a in page.all("span")][:4]
        assert badges == ["badge restored", "badge copied", "badge failed", "badge done-already"]
