"""streamrestore: restores video damaged by weather and cameras."""

from __future__ import annotations

__version__ = "0.1.0"
