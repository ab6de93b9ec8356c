"""Tests of `streamrestore.restore`."""
