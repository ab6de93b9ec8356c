"""Pictures come in here."""

from streamrestore.decode.names import redact
from streamrestore.decode.opening import input_files, open_source

__all__ = ["input_files", "open_source", "redact"]
