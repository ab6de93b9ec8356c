"""Generators behind published figures. Frozen: a change is a new version in a new file."""
