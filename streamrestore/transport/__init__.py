"""ZeroMQ: sockets, keys, and the subscriber."""

from streamrestore.transport.received import Received
from streamrestore.transport.subscriber import Subscriber, subscribe

__all__ = ["Received", "Subscriber", "subscribe"]
