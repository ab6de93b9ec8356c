"""Tests of `streamrestore.networks`."""
