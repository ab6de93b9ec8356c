"""Tests of `streamrestore.pipeline`."""
