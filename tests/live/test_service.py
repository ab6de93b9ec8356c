"""The service with real processes and sockets: what comes in, goes out."""

from __future__ import annotations

import numpy as np
import pytest

from streamrestore.transport import subscribe
from tests.live.running import LIMIT, running
from tests.media import write_video

pytestmark = pytest.mark.network


def test_a_file_goes_out_as_frames(tmp_path):
    """From the file to a subscriber: every picture, restored, with what was seen and done."""
    written = write_video(tmp_path / "rain.mkv", frames=12, pattern="smooth", matrix=1, range=1)

    with running(str(tmp_path / "rain.mkv")) as live:
        with subscribe(live.service.address, timeout=LIMIT) as received:
            items = []
            for item in received:
                items.append(item)
                print(item.kind, item.state, item.text, item.header.sequence, item.header.drops)
                if item.kind == "end":
                    break
    print(live.states(), live.error)
    assert 0
