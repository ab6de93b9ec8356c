"""HTML and SVG from values: whatever is not markup already is escaped, so that names cannot become tags."""

from __future__ import annotations

import html

from streamrestore.render.words import plain

_VOID = frozenset({"br", "img", "input", "meta"})


class Markup(str):
    """Text that is HTML; any other string is escaped where it is put in."""

    __slots__ = ()


NOTHING = Markup()


def element(name: str, /, *children: str, **attributes: str | float | bool | None) -> Markup:
    """One element.

    Args:
        children: markup, or text to escape.
        attributes: ``class_`` is written ``class``, ``aria_label`` ``aria-label``; True stands for the
            bare name, False and None leave it out.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: str) -> Markup:
    """Markup and text to escape, one after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escaped(child) for child in children))


def escaped(text: str) -> Markup:
    """Text as HTML: one line, no control characters, nothing that a browser takes for a tag."""
    return Markup(html.escape(plain(text)))


def number(value: float) -> str:
    """A coordinate: two decimals at most, and no more letters than needed."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{escaped(value if isinstance(value, str) else number(value))}"'
