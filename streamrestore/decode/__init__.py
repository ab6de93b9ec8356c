"""Pictures come in here."""

from streamrestore.decode.interlace import can_deinterlace
from streamrestore.decode.names import redact
from streamrestore.decode.opening import input_files, open_source
from streamrestore.decode.steady import is_set_back

__all__ = ["can_deinterlace", "input_files", "is_set_back", "open_source", "redact"]
