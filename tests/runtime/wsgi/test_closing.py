"""Close exactly once, however often `close` is called."""

from __future__ import annotations

import pytest

from arlen_runtime.wsgi.closing import CloseOnce, ClosingIterator


class Owner:
    """Counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


def test_the_owner_is_closed_once() -> None:
    owner = Owner()
    once = CloseOnce(owner)
    once.close()
    once.close()
    assert owner.closed == 1


def test_an_owner_without_close_is_accepted() -> None:
    CloseOnce([]).close()


@pytest.mark.parametrize("fetched", [0, 1, 2])
def test_pieces_close_their_owner_when_they_are_closed_and_not_before(fetched: int) -> None:
    owner = Owner()
    pieces = ClosingIterator([b"a"], owner)
    assert [piece for piece, _ in zip(pieces, range(fetched), strict=False)] == [b"a"][:fetched]
    assert owner.closed == 0
    pieces.close()
    assert owner.closed == 1
