"""Pieces of a body, and who is closed with them. One rule: it is closed also when not one of them was fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


class Closing:
    """Pieces, and an owner that is closed with them."""

    def __init__(self, pieces: Iterable[bytes], owner: object) -> None:
        """Take the pieces and who is to be closed."""
        self._pieces = iter(pieces)
        self.close: Callable[[], object] = getattr(owner, "close", None) or (lambda: None)

    def __iter__(self) -> Iterator[bytes]:
        """Return itself: the pieces can be fetched once."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece; close the owner at the end and when it fails."""
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise
