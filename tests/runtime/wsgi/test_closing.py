"""Pieces, and who is closed with them."""

from __future__ import annotations

import io

from arlen_runtime.wsgi.closing import Closing


def test_the_owner_is_closed_also_when_nothing_was_fetched() -> None:
    owner = io.BytesIO()
    pieces = Closing([b"a"], owner)
    pieces.close()
    assert owner.closed
