"""Tests of streamrestore.live."""
