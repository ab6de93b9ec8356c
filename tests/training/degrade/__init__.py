"""Tests of training/degrade."""
