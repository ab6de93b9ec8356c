"""What everything above uses: `load_restorer` and what it gives."""

from streamrestore.engine.given import GivenPlanes
from streamrestore.engine.restorer import Restorer, Status, load_restorer
from streamrestore.engine.result import Result, forced
from streamrestore.engine.stream import Stream, Work

__all__ = [
    "GivenPlanes",
    "Restorer",
    "Result",
    "Status",
    "Stream",
    "Work",
    "forced",
    "load_restorer",
]
