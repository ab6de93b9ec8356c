"""Results leave over the network here."""

from streamrestore.publish.zmq import FramePublisher, StreamCounts

__all__ = ["FramePublisher", "StreamCounts"]
