"""Tests of streamrestore.transport."""
