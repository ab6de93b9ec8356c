"""What tests of the pipeline share."""

from __future__ import annotations

import pytest

from streamrestore.engine import Restorer
from tests.restorers import small_restorer, without_weights


@pytest.fixture
def restorer(monkeypatch: pytest.MonkeyPatch) -> Restorer:
    """Small random networks; the router goes by brightness."""
    without_weights(monkeypatch)
    return small_restorer()
