"""Tests of `streamrestore.route`."""
