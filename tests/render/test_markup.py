"""HTML from values."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrestore.render.markup import Markup, element, joined, number


class Seen(HTMLParser):
    """Tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@given(st.text())
def test_text_stays_text(text):
    """Whatever a name holds, it opens no tag, neither as text nor in an attribute."""
    seen = Seen()
    seen.feed(element("p", text, title=text))
    seen.close()
    assert [tag for tag, _ in seen.tags] == ["p"]
    assert set(seen.tags[0][1]) == {"title"}
    assert seen.text == seen.tags[0][1]["title"]


def test_markup_is_not_escaped_again():
    """Elements nest."""
    assert element("p", element("b", "a & b"), " < c") == "<p><b>a &amp; b</b> &lt; c</p>"
    assert joined("<", Markup("<br>")) == "&lt;<br>"


def test_attributes():
    """Names in Python's letters, bare ones, and those left out."""
    written = element("input", class_="a", aria_label="b", open=True, x=1.0, y=None, z=False)
    assert written == '<input class="a" aria-label="b" open x="1">'


@pytest.mark.parametrize(("value", "said"), [(0.0, "0"), (100, "100"), (-0.001, "-0"), (2.504, "2.5")])
def test_numbers_are_short(value, said):
    """Two decimals at most."""
    assert number(value) == said
