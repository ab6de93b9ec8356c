"""Tests of training/benchmark."""
