"""Pictures come in here."""

from streamrestore.decode.names import redact
from streamrestore.decode.opening import open_source

__all__ = ["open_source", "redact"]
