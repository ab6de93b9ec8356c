"""Tests of `streamrestore.watch`."""
