"""Tests of streamrestore.publish."""
