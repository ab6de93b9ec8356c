"""Ablations: networks that differ in one thing, trained and measured alike."""
