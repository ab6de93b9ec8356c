"""Promises of the live service, measured: ``make live-figures``, or ``python -m tests.live.figures``."""
