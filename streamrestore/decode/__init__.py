"""Pictures come in here."""

from streamrestore.decode.interlace import can_deinterlace
from streamrestore.decode.names import redact
from streamrestore.decode.opening import input_files, open_source

__all__ = ["can_deinterlace", "input_files", "open_source", "redact"]
