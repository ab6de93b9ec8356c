"""Counting what was lost on the way. Pure: headers in, numbers out."""

from __future__ import annotations

from collections import OrderedDict

from streamrestore.wire import Header

MAX_STREAMS = 1024
"""Streams that are remembered; the publisher chooses their names."""


class Places:
    """Where each stream is: its epoch, and the sequence that comes next."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def missed(self, header: Header) -> int:
        """Messages of the stream that were published before this one, but did not come.

        The first message of a stream says nothing about those before it; a new epoch begins at 0. Of
        the end of the old epoch nothing can be known.
        """
        place = self._places.pop(header.stream, None)
        epoch, expected = place or (header.epoch, header.sequence)
        if epoch != header.epoch:
            expected = 0
        self._places[header.stream] = (header.epoch, max(expected, header.sequence + 1))
        if len(self._places) > MAX_STREAMS:
            self._places.popitem(last=False)
        return max(0, header.sequence - expected)
