"""Letters for pictures."""

from __future__ import annotations

import string

import numpy as np
import pytest

from streamrestore.render.font import GLYPHS, draw_text


def test_every_printable_character_has_a_glyph():
    """All of ASCII, and points are pairs of digits on the grid."""
    assert set(GLYPHS) == set(string.printable[:94])
    for strokes in GLYPHS.values():
        for stroke in strokes.split():
            digits = stroke.removeprefix("~")
            assert len(digits) % 2 == 0
            assert all(int(y, 36) <= 16 for y in digits[1::2])


def test_no_two_glyphs_look_alike():
    """Each letter is its own picture."""
    drawn = {draw_text(f"|{glyph}|", 24).tobytes() for glyph in GLYPHS}
    assert len(drawn) == len(GLYPHS)


@pytest.mark.parametrize("height", [7, 14.4, 45])
def test_height_of_capitals(height):
    """A capital is as high as asked, and ink is between nothing and all."""
    mask = draw_text("HI", height)
    rows = np.flatnonzero(mask.max(axis=1) > 0.5)
    assert abs(len(rows) - height * 1.135) <= 2
    assert (mask.min(), mask.dtype) == (0, np.float32)
    assert 0.9 < mask.max() <= 1
    assert not mask[:, 0].any()
    assert not mask[:, -1].any()


def test_accents_and_unknown_characters():
    """An accent is left off, another script is a box; nothing fails."""
    assert (draw_text("é", 20) == draw_text("e", 20)).all()
    assert draw_text("日", 20).any()
    assert not draw_text("", 20).any()
    assert not draw_text(" ", 20).any()
