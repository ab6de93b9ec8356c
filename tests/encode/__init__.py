"""Tests of `streamrestore.encode`."""
