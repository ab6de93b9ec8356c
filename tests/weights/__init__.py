"""Tests of `streamrestore.weights`."""
